// Communication with the embedding shop, or its return_url without a frame.
const Shop = (config) => {
  const framed = window.parent !== window;
  const hash = new URLSearchParams(location.hash.slice(1));
  const origin = hash.get("o");
  const nonce = hash.get("n");
  // Only an origin that may frame this page receives messages, and only with the nonce that it chose.
  const known = framed && Boolean(nonce) && config.parents.includes(origin);
  let reported = false;

  function post(message) {
    if (!known) return;
    const about = { source: "oncharge", session_id: config.session_id, nonce };
    window.parent.postMessage({ ...about, ...message }, origin);
  }

  if (framed) document.documentElement.classList.add("framed");
  if (known) {
    const page = document.getElementById("checkout");
    const report = () =>
      post({ type: "resize", height: Math.ceil(page.getBoundingClientRect().height) });
    new ResizeObserver(report).observe(page);
  }

  return {
    framed,
    ready: () => post({ type: "ready" }),
    result(status) {
      if (!reported) post({ type: "result", status });
      reported = true;
    },
    // The return_url with the session and its status appended to its own query. A hint, unsigned.
    backLink(status) {
      const url = new URL(config.return_url);
      if (url.protocol !== "https:" && url.protocol !== "http:") return null;
      const added = new URLSearchParams({ session_id: config.session_id, status }).toString();
      url.search = url.search ? url.search + "&" + added : added;
      return url.href;
    },
  };
};
