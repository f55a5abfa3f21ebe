// The cart without reloading. It lives in the page's query (?mug=2&lamp=1), so that it survives a reload
// and the back button; without this script the same buttons ask the server for the same addresses.
(() => {
  "use strict";
  const lines = Array.from(document.querySelectorAll("[data-line]"));
  const dollars = new Intl.NumberFormat("en-US", { style: "currency", currency: "USD" });
  const quantity = (line) => line.querySelector("input");

  function show() {
    const query = new URLSearchParams();
    let total = 0;
    for (const line of lines) {
      const count = Number(quantity(line).value);
      const sum = count * Number(line.dataset.price);
      line.hidden = count === 0;
      line.querySelector("[data-quantity]").textContent = count;
      line.querySelector("[data-sum]").textContent = dollars.format(sum / 100);
      const card = document.querySelector(`[data-count="${line.dataset.line}"]`);
      card.textContent = count > 0 ? count + " in your cart" : "";
      total += sum;
      if (count > 0) query.set(line.dataset.line, count);
    }
    for (const id of ["total", "cart-total"]) {
      document.getElementById(id).textContent = dollars.format(total / 100);
    }
    for (const id of ["filled", "to-cart"]) document.getElementById(id).hidden = total === 0;
    document.getElementById("empty").hidden = total > 0;
    history.replaceState(null, "", (String(query) ? "?" + query : location.pathname) + location.hash);
  }

  // All buttons of quantities belong to this form, those in the cart as well.
  document.getElementById("products").addEventListener("submit", (event) => {
    const { name, value } = event.submitter || {};
    const line = lines.find((line) => line.dataset.line === value);
    if (!line) return;
    event.preventDefault();
    const [before, most] = [Number(quantity(line).value), Number(line.dataset.most)];
    const after = Math.min(Math.max(before + (name === "less" ? -1 : 1), 0), most);
    quantity(line).value = after;
    show();
    const said = after === before ? after + " is the maximum quantity" : after + " in your cart";
    document.getElementById("said").textContent = line.dataset.name + ": " + said;
    // The button that was pressed has gone with its line.
    if (line.hidden) document.getElementById("cart-heading").focus();
  });
})();
