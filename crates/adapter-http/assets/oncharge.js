// OnCharge for shops: OnCharge.mount("#pay", { iframeUrl, onResult }) puts the hosted checkout into the
// page. What it reports is a hint for the shopper's eyes; the shop's server confirms by webhook or GET.
(() => {
  "use strict";
  // The page posts `ready` before its load event: a loaded page without it is another page.
  const AFTER_LOAD_MS = 1500;
  const LOAD_TIMEOUT_MS = 20000;

  // Only a script element counts: other markup named `currentScript` would shadow the property.
  const script =
    document.currentScript instanceof HTMLScriptElement
      ? document.currentScript
      : document.querySelector('script[src*="/oncharge.js"]');
  const home = (script instanceof HTMLScriptElement && script.src) || undefined;

  const wrong = (/** @type {string} */ what) => new TypeError("OnCharge.mount: " + what);

  function nonce() {
    const bytes = crypto.getRandomValues(new Uint8Array(16));
    return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  }

  /** @param {string | Element} target */
  function elementOf(target) {
    const host = typeof target === "string" ? document.querySelector(target) : target;
    if (!(host instanceof Element)) throw wrong("no element matches " + target);
    return host;
  }

  // A relative address belongs to the service that this script came from.
  /** @param {string} iframeUrl */
  function checkoutAt(iframeUrl) {
    if (typeof iframeUrl !== "string") throw wrong("iframeUrl is missing");
    let url;
    try {
      url = new URL(iframeUrl, home);
    } catch {
      throw wrong("iframeUrl must be a URL");
    }
    const path = /^\/checkout\/([\w-]+)$/.exec(url.pathname);
    if (!path || !/^https?:$/.test(url.protocol)) throw wrong("iframeUrl must be the URL of a checkout");
    return { url, sessionId: String(path[1]) };
  }

  /** @param {URL} url @param {string} [title] */
  function frameOf(url, title) {
    const frame = document.createElement("iframe");
    frame.title = title || "Payment";
    // The shop's address may contain private data.
    frame.referrerPolicy = "no-referrer";
    // About the height of the form, until the page reports its own.
    frame.style.cssText = "display:block;width:100%;border:0;height:490px";
    frame.src = url.href;
    return frame;
  }

  /** @type {Window["OnCharge"]["mount"]} */
  function mount(target, options) {
    const host = elementOf(target);
    const { iframeUrl, title, onReady, onResult, onError } = options || {};
    const { url, sessionId } = checkoutAt(iframeUrl);
    const secret = nonce();
    url.hash = new URLSearchParams({ o: location.origin, n: secret }).toString();
    const frame = frameOf(url, title);
    let ready = false;
    let failed = false;
    let ended = false;

    function fail() {
      if (ready || failed) return;
      failed = true;
      console.warn(
        "OnCharge: the checkout did not load. Check that its link has not expired and that " +
          location.origin +
          " may embed it.",
      );
      if (onError) onError({ sessionId });
    }
    let timer = setTimeout(fail, LOAD_TIMEOUT_MS);
    frame.addEventListener("load", () => {
      clearTimeout(timer);
      timer = setTimeout(fail, AFTER_LOAD_MS);
    });

    /** @param {MessageEvent} event */
    function listen(event) {
      const message = event.data;
      if (event.origin !== url.origin || event.source !== frame.contentWindow || !message) return;
      if (message.source !== "oncharge" || message.session_id !== sessionId) return;
      if (message.nonce !== secret) return;
      if (message.type === "resize" && Number.isFinite(message.height)) {
        frame.style.height = Math.min(Math.max(message.height, 120), 4000) + "px";
      }
      if (message.type === "ready" && !ready) {
        ready = true;
        if (onReady) onReady();
      }
      if (message.type === "result" && !ended) {
        ended = true;
        if (onResult) onResult({ sessionId, status: message.status });
      }
    }

    window.addEventListener("message", listen);
    host.append(frame);
    return {
      unmount() {
        clearTimeout(timer);
        window.removeEventListener("message", listen);
        frame.remove();
      },
    };
  }

  window.OnCharge = { mount };
})();
