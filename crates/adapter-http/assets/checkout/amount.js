// Writes the amount as the shopper's locale does. This script stands directly after the amount, so that
// the first paint already has it. Intl formats the exact decimal text; no number is involved.
(() => {
  const element = document.getElementById("amount");
  const { value, currency, decimals, locale } = element.dataset;
  try {
    element.textContent = new Intl.NumberFormat(locale, {
      style: "currency",
      currency,
      minimumFractionDigits: decimals,
      maximumFractionDigits: decimals,
    }).format(value);
  } catch {
    // A currency that this browser does not know stays as the page was sent.
  }
})();
