// The API reference: copy buttons, language choice, search, scroll position. The page is complete
// without it.
"use strict";
{
  const all = (selector, within = document) => [...within.querySelectorAll(selector)];
  const byId = (id) => document.getElementById(id);

  // ---- languages: one choice for all examples, kept for the next visit ---------------------------
  const KEY = "oncharge.docs.language";

  /** Chooses a language wherever an example has it. */
  const choose = (language) => {
    for (const input of all(".languages input")) {
      if (input.value === language) input.checked = true;
    }
  };
  try {
    choose(localStorage.getItem(KEY));
  } catch {
    // A browser without storage shows curl.
  }
  document.addEventListener("change", ({ target }) => {
    if (!target.matches(".languages input")) return;
    // Examples above change their height: the chosen example keeps its place on the screen.
    const before = target.getBoundingClientRect().top;
    choose(target.value);
    scrollBy(0, target.getBoundingClientRect().top - before);
    try {
      localStorage.setItem(KEY, target.value);
    } catch {
      // Without storage the choice is kept until the page is left.
    }
  });

  // ---- copying ------------------------------------------------------------------------------------
  const copy = async (button, pre) => {
    let word = "Copied";
    try {
      await navigator.clipboard.writeText(pre.querySelector("code").textContent);
    } catch {
      word = "Not copied";
    }
    button.textContent = word;
    byId("copied").textContent = word;
    setTimeout(() => {
      button.textContent = "Copy";
      byId("copied").textContent = "";
    }, 2000);
  };
  // Only pages from https or this machine may write to the clipboard.
  if (navigator.clipboard) {
    for (const pre of all("pre")) {
      const button = document.createElement("button");
      button.type = "button";
      button.className = "copy";
      button.textContent = "Copy";
      button.addEventListener("click", () => copy(button, pre));
      pre.prepend(button);
    }
  }

  // ---- contents: folded on phones, with the current section marked --------------------------------
  const menu = document.querySelector(".menu");
  const wide = matchMedia("(min-width: 860px)");
  const fold = () => (menu.open = wide.matches);
  wide.addEventListener("change", fold);
  fold();

  const entries = all(".menu a").map((link) => {
    const section = byId(decodeURIComponent(link.hash.slice(1)));
    return { link, item: link.parentElement, section };
  });
  const seen = new IntersectionObserver(
    (changes) => {
      for (const { isIntersecting, target } of changes) {
        if (!isIntersecting) continue;
        for (const { link, section } of entries) {
          if (section !== target) link.removeAttribute("aria-current");
          else {
            link.setAttribute("aria-current", "true");
            if (wide.matches) link.scrollIntoView({ block: "nearest" });
          }
        }
      }
    },
    { rootMargin: "0px 0px -80% 0px" },
  );
  for (const { section } of entries) seen.observe(section);

  // ---- search: the contents become the list of results --------------------------------------------
  const field = byId("search");
  const found = byId("found");

  /** A section's own text, without the sections in it. */
  const own = (section) => {
    const inner = all("section, tr[id]", section).map((one) => one.textContent);
    return inner.reduce((text, part) => text.replace(part, ""), section.textContent).toLowerCase();
  };
  let index;
  const search = () => {
    index ??= entries.map((entry) => ({
      ...entry,
      title: entry.link.textContent.toLowerCase(),
      text: entry.link.textContent.toLowerCase() + own(entry.section),
    }));
    const words = field.value.toLowerCase().split(/\s+/).filter(Boolean);
    const has = (text) => words.every((word) => text.includes(word));
    let count = 0;
    for (const { item, text } of index) {
      item.hidden = !has(text);
      if (!item.hidden) count += 1;
    }
    found.textContent = words.length === 0 ? "" : count === 0 ? "Nothing found" : `${count} found`;
    if (words.length > 0) menu.open = true;
    else fold();
    const hits = index.filter(({ item }) => !item.hidden);
    return hits.find(({ title }) => has(title)) ?? hits[0];
  };
  field.addEventListener("input", search);
  field.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && field.value.trim()) search()?.link.click();
    if (event.key === "Escape") {
      field.value = "";
      search();
    }
  });
  document.addEventListener("keydown", (event) => {
    const isTyping = event.target.matches("input, textarea");
    if (event.key !== "/" || isTyping || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    field.focus();
  });
  document.querySelector(".search").hidden = false;

  // On a phone the contents are above the text: they fold after a choice.
  menu.addEventListener("click", ({ target }) => {
    if (!wide.matches && target.closest("a")) menu.open = false;
  });
}
