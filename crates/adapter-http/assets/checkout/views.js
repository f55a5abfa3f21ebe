// What is seen: one view at a time, its heading focused when it appears, its news announced.
const Views = (config) => {
  const page = document.getElementById("checkout");
  const button = document.getElementById("pay");
  const notice = document.getElementById("form-notice");
  const heading = document.getElementById("form-heading");
  const announcer = document.getElementById("announce");
  const expiry = document.getElementById("expiry");
  const formHeading = heading.textContent;
  const amount = document.getElementById("amount").textContent;
  let current = "form";
  let drawn = false;
  let expiresSoon = false;
  let expiryAnnounced = false;

  const text = (key, values = {}) =>
    config.messages["live." + key].replace(/\{(\w+)\}/g, (whole, name) =>
      name === "amount" ? amount : name === "merchant" ? config.merchant : (values[name] ?? whole),
    );

  document.getElementById("success-text").textContent = text("success");
  button.querySelector(".idle").textContent = text("pay");

  const announce = (words) => {
    announcer.textContent = words;
  };

  function show(name, refocus) {
    const change = name !== current;
    if (drawn && !change && !refocus) {
      showExpiry();
      return;
    }
    for (const view of page.querySelectorAll("[data-view]")) {
      view.hidden = view.dataset.view !== name;
    }
    current = name;
    announce("");
    // The very first view takes no focus: the shopper may be somewhere else on the shop's page.
    const title = page.querySelector("[data-view='" + name + "'] h1");
    if (drawn) title.focus();
    if (drawn || name !== "form") document.title = title.textContent + " · " + config.merchant;
    drawn = true;
    showExpiry();
  }

  // Shown only where the shopper can still act on it, and announced once.
  function showExpiry() {
    const fits = ["form", "otp"].includes(current);
    if (!fits) expiry.hidden = true;
    const paying = page.getAttribute("aria-busy") === "true";
    if (!fits || paying || !expiresSoon) return;
    expiry.hidden = false;
    if (!expiryAnnounced) announce(expiry.textContent);
    expiryAnnounced = true;
  }

  function say(words) {
    notice.textContent = words;
    notice.hidden = !words;
    showExpiry();
  }

  return {
    text,
    announce,
    show,
    current: () => current,
    // The form: at first, after a refusal (`reason`), after a challenge that was given up.
    form(title, words, refocus) {
      heading.textContent = title || formHeading;
      say(words || "");
      show("form", refocus);
    },
    say,
    // A button that is at work keeps its size and says so.
    busy(worker, now) {
      worker.classList.toggle("working", now);
      worker.setAttribute("aria-disabled", String(now));
      page.setAttribute("aria-busy", String(now));
      if (now) announce(worker.querySelector(".busy").textContent.trim());
    },
    expiresSoon() {
      expiresSoon = true;
      showExpiry();
    },
    // Fills the ways back of all final views.
    wayBack(url, framed) {
      for (const link of page.querySelectorAll("[data-back]")) {
        link.hidden = !url;
        if (url) link.href = url;
        if (framed) link.target = "_top";
      }
    },
    words(id, words) {
      const element = document.getElementById(id);
      element.textContent = words;
      element.hidden = !words;
    },
    requestId(id) {
      document.getElementById("request-id").textContent = id || "";
      document.getElementById("request").hidden = !id;
    },
  };
};
