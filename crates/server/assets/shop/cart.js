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
      const count = Number(quantity(line).value) || 0;
      const sum = count * Number(line.dataset.price);
      line.hidden = count === 0;
      line.querySelector("[data-sum]").textContent = dollars.format(sum / 100);
      total += sum;
      if (count > 0) query.set(line.dataset.line, count);
    }
    for (const id of ["total", "cart-total"]) {
      document.getElementById(id).textContent = dollars.format(total / 100);
    }
    for (const id of ["filled", "to-cart"]) document.getElementById(id).hidden = total === 0;
    document.getElementById("empty").hidden = total > 0;
    history.replaceState(null, "", String(query) ? "?" + query : location.pathname);
  }

  document.getElementById("goods").addEventListener("submit", (event) => {
    const name = event.submitter && event.submitter.value;
    const line = lines.find((line) => line.dataset.line === name);
    if (!line) return;
    event.preventDefault();
    const input = quantity(line);
    input.value = Math.min(Number(input.value) + 1, Number(input.max));
    show();
    const said = line.dataset.name + ": " + input.value + " in your cart";
    document.getElementById("said").textContent = said;
  });

  // A line that is being typed into must not vanish under the cursor: only a finished value counts.
  document.getElementById("cart").addEventListener("change", show);
})();
