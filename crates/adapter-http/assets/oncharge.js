// OnCharge for shops: OnCharge.mount("#pay", { iframeUrl, onResult }) puts the hosted checkout into the
// page. What it reports is a hint for the shopper's eyes; the shop's server confirms by webhook or GET.
(() => {
  "use strict";
  const script = document.currentScript || document.querySelector('script[src*="/oncharge.js"]');
  const home = script ? script.src : location.href;

  function nonce() {
    const bytes = crypto.getRandomValues(new Uint8Array(16));
    return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  }

  function mount(target, options) {
    const host = typeof target === "string" ? document.querySelector(target) : target;
    if (!(host instanceof Element)) throw new TypeError("OnCharge.mount: no such element");
    if (!options || typeof options.iframeUrl !== "string") {
      throw new TypeError("OnCharge.mount: iframeUrl is missing");
    }
    // A relative address belongs to the service that this script came from.
    const url = new URL(options.iframeUrl, home);
    const path = /^\/checkout\/([^/]+)$/.exec(url.pathname);
    if (!path || !/^https?:$/.test(url.protocol)) {
      throw new TypeError("OnCharge.mount: iframeUrl is not the address of a checkout");
    }
    const sessionId = decodeURIComponent(path[1]);
    const secret = nonce();
    url.hash = new URLSearchParams({ o: location.origin, n: secret }).toString();

    const frame = document.createElement("iframe");
    frame.title = options.title || "Payment";
    frame.style.cssText = "display:block;width:100%;border:0;height:520px";
    frame.src = url.href;

    function listen(event) {
      const message = event.data;
      if (event.origin !== url.origin || event.source !== frame.contentWindow || !message) return;
      if (message.source !== "oncharge" || message.session_id !== sessionId) return;
      if (message.nonce !== secret) return;
      if (message.type === "ready" && options.onReady) options.onReady();
      if (message.type === "resize" && Number.isFinite(message.height)) {
        frame.style.height = Math.min(Math.max(message.height, 120), 4000) + "px";
      }
      if (message.type === "result" && options.onResult) {
        options.onResult({ sessionId, status: String(message.status) });
      }
    }

    window.addEventListener("message", listen);
    host.append(frame);
    return {
      unmount() {
        window.removeEventListener("message", listen);
        frame.remove();
      },
    };
  }

  window.OnCharge = { mount };
})();
