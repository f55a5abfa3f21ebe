// Shows one view at a time, focuses its heading, announces changes.
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
  let rendered = false;
  let expiresSoon = false;
  let expiryAnnounced = false;

  const text = (key, values = {}) =>
    config.messages["live." + key].replace(/\{(\w+)\}/g, (whole, name) =>
      name === "amount" ? amount : name === "merchant" ? config.merchant : (values[name] ?? whole),
    );

  document.getElementById("success-text").textContent = text("success");
  button.querySelector(".idle").textContent = text("pay");

  const announce = (message) => {
    announcer.textContent = message;
  };

  function show(name, refocus) {
    const change = name !== current;
    if (rendered && !change && !refocus) {
      showExpiry();
      return;
    }
    for (const view of page.querySelectorAll("[data-view]")) {
      view.hidden = view.dataset.view !== name;
    }
    current = name;
    announce("");
    // The first view takes no focus: the shopper may be using another part of the shop's page.
    const title = page.querySelector("[data-view='" + name + "'] h1");
    if (rendered) title.focus();
    if (rendered || name !== "form") document.title = title.textContent + " · " + config.merchant;
    rendered = true;
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

  function say(message) {
    notice.textContent = message;
    notice.hidden = !message;
    showExpiry();
  }

  return {
    text,
    announce,
    show,
    current: () => current,
    // The form: initially, after a refusal, or after an abandoned challenge.
    form(title, message, refocus) {
      heading.textContent = title || formHeading;
      say(message || "");
      show("form", refocus);
    },
    say,
    // A busy button keeps its size and announces itself.
    busy(target, now) {
      target.classList.toggle("working", now);
      target.setAttribute("aria-disabled", String(now));
      page.setAttribute("aria-busy", String(now));
      if (now) announce(target.querySelector(".busy").textContent.trim());
    },
    expiresSoon() {
      expiresSoon = true;
      showExpiry();
    },
    // Sets the links back to the shop of all final views.
    backLink(url, framed) {
      for (const link of page.querySelectorAll("[data-back]")) {
        link.hidden = !url;
        if (url) link.href = url;
        if (framed) link.target = "_top";
      }
    },
    setText(id, content) {
      const element = document.getElementById(id);
      element.textContent = content;
      element.hidden = !content;
    },
    requestId(id) {
      document.getElementById("request-id").textContent = id || "";
      document.getElementById("request").hidden = !id;
    },
  };
};
