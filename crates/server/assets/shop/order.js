// The order's page: puts the checkout into it and follows the order's life.
(() => {
  "use strict";
  const INTERVAL_MS = 1000;
  const order = document.getElementById("order");
  let timer;
  let checkout = null;

  // Times come in UTC; people read their own.
  function localise(within) {
    for (const time of within.querySelectorAll("time")) {
      const at = new Date(time.dateTime);
      if (Number.isNaN(at.getTime())) continue;
      time.title = at.toLocaleString();
      time.textContent = at.toLocaleTimeString();
    }
  }

  // The server renders each part. One that looks the same is left alone, and with it what is being
  // typed into it; in one that has changed, focus stays where it was.
  function replace(id, html) {
    const part = document.getElementById(id);
    const fresh = document.createElement("template");
    fresh.innerHTML = html;
    localise(fresh.content);
    if (fresh.innerHTML === part.innerHTML) return;
    const focused = part.contains(document.activeElement) ? document.activeElement.id : "";
    part.replaceChildren(fresh.content);
    const again = focused && document.getElementById(focused);
    if (again) again.focus();
  }

  function settle(payable) {
    if (payable || !checkout) return;
    checkout.unmount();
    checkout = null;
    for (const id of ["paying", "cards"]) document.getElementById(id).hidden = true;
    const heading = document.querySelector("#outcome h2");
    if (heading) heading.focus();
  }

  async function look(when = "") {
    clearTimeout(timer);
    try {
      const response = await fetch(order.dataset.state + when, { headers: { Accept: "application/json" } });
      if (response.ok) {
        const state = await response.json();
        for (const [id, html] of Object.entries(state.parts)) replace(id, html);
        settle(state.payable);
      }
    } catch {
      // The shop does not answer: what was seen last stays, and the next look comes in a second.
    }
    clearTimeout(timer);
    if (!document.hidden) timer = setTimeout(() => look(), INTERVAL_MS);
  }

  document.addEventListener("visibilitychange", () => {
    clearTimeout(timer);
    if (!document.hidden) look();
  });

  const pay = document.getElementById("pay");
  if (pay) {
    // What the checkout reports is a hint: the shop's server asks OnCharge at once and believes that.
    checkout = window.OnCharge.mount("#pay", { iframeUrl: pay.dataset.iframeUrl, onResult: () => look("?now") });
  }
  localise(document);
  look();
})();
