// Puts the checkout into the order's page, which has loaded `/oncharge.js` from OnCharge before this and
// may frame it, because its origin is the session's `return_url`'s.
const embedCheckout = (host, { onResult, onError }) =>
  window.OnCharge.mount(host, {
    // From the response to POST /v1/checkout/sessions; contains the pay token: never log it.
    iframeUrl: host.dataset.iframeUrl,
    // The frame's name for screen readers.
    title: host.dataset.title,
    // A hint only: the page then queries the shop's server, which queries OnCharge.
    onResult,
    // Called if the checkout did not load.
    onError,
  });
