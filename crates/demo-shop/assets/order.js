// The order's page: polls the order's state, and shows the checkout while there is something to pay.
(() => {
  "use strict";
  const INTERVAL_MS = 1000;
  const order = document.getElementById("order");
  let timer;
  let checkout = null;

  // Times are sent in UTC and shown in the local time zone.
  function localize(within) {
    for (const time of within.querySelectorAll("time")) {
      const at = new Date(time.dateTime);
      if (Number.isNaN(at.getTime())) continue;
      time.title = at.toLocaleString();
      time.textContent = at.toLocaleTimeString();
    }
  }

  // Unchanged entries keep their elements, and with them the selection in them.
  function update(list, fresh) {
    const items = Array.from(fresh.children);
    const ids = new Set(items.map((item) => item.id));
    for (const old of Array.from(list.children)) if (!ids.has(old.id)) old.remove();
    items.forEach((item, place) => {
      const old = document.getElementById(item.id);
      if (old && old.isEqualNode(item)) item = old;
      else if (old) old.replaceWith(item);
      if (list.children[place] !== item) list.insertBefore(item, list.children[place] || null);
    });
  }

  // The server renders each part. An unchanged part is not replaced, so its input is kept; a changed
  // part keeps its focus and its open details.
  function replace(id, html) {
    const part = document.getElementById(id);
    const template = document.createElement("template");
    template.innerHTML = html;
    const fresh = template.content;
    localize(fresh);
    for (const open of part.querySelectorAll("details[open] > summary")) {
      const again = fresh.getElementById(open.id);
      if (again) again.parentElement.open = true;
    }
    if (template.innerHTML === part.innerHTML) return;
    const focused = part.contains(document.activeElement) ? document.activeElement.id : "";
    const lists = [part.querySelector(".keyed"), fresh.querySelector(".keyed")];
    if (lists.every(Boolean)) update(...lists);
    else part.replaceChildren(fresh);
    const again = focused && document.getElementById(focused);
    if (again) again.focus();
  }

  function settle(payable) {
    if (payable || !checkout) return;
    checkout.unmount();
    checkout = null;
    for (const id of ["paying", "cards"]) document.getElementById(id).hidden = true;
    // The address contains the pay token.
    delete document.getElementById("pay").dataset.iframeUrl;
    const heading = document.querySelector("#outcome h2");
    if (heading) heading.focus();
  }

  async function poll(when = "") {
    clearTimeout(timer);
    try {
      const response = await fetch(order.dataset.state + when, { headers: { Accept: "application/json" } });
      if (response.ok) {
        const state = await response.json();
        for (const [id, html] of Object.entries(state.parts)) replace(id, html);
        settle(state.payable);
      }
    } catch {
      // The shop does not respond: keep the last state, poll again in a second.
    }
    clearTimeout(timer);
    if (!document.hidden) timer = setTimeout(() => poll(), INTERVAL_MS);
  }

  document.addEventListener("visibilitychange", () => {
    clearTimeout(timer);
    if (!document.hidden) poll();
  });

  const pay = document.getElementById("pay");
  const unpayable = () => (document.getElementById("unpayable").hidden = false);
  if (pay && window.OnCharge) {
    checkout = embedCheckout(pay, { onResult: () => poll("?now"), onError: unpayable });
  } else if (pay) unpayable();

  for (const button of document.querySelectorAll("[data-copy]")) {
    button.hidden = !navigator.clipboard;
    button.addEventListener("click", async () => {
      await navigator.clipboard.writeText(button.dataset.copy);
      document.getElementById("copied").textContent = button.dataset.copy + " copied";
      for (const other of document.querySelectorAll("[data-copy]")) {
        other.textContent = other === button ? "Copied" : "Copy";
      }
    });
  }

  localize(document);
  poll();
})();
