// Puts the checkout into the order's page, which has loaded `/oncharge.js` from OnCharge before this and
// may frame it, because its origin is the session's `return_url`'s.
const embedCheckout = (host, { onResult, onError }) =>
  window.OnCharge.mount(host, {
    // As POST /v1/checkout/sessions answered it to the shop's server. It holds the pay token: it is for
    // this shopper's browser, and for no log.
    iframeUrl: host.dataset.iframeUrl,
    // What a screen reader calls the frame.
    title: host.dataset.title,
    // A hint for the shopper's eyes: the page now asks the shop's server, which asks OnCharge.
    onResult,
    // The checkout did not come up: the shopper is told, and not left with an empty frame.
    onError,
  });
