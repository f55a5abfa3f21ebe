// Reports the height of the challenge and its end to the embedding page. The messages contain nothing
// secret, and the bank does not know which page embeds it, hence any origin.
"use strict";
if (window.parent !== window) {
  const send = (type, more) =>
    window.parent.postMessage({ source: "psp-simulator", type, ...more }, "*");
  const resize = () =>
    send("resize", { height: Math.ceil(document.body.getBoundingClientRect().height) });
  new ResizeObserver(resize).observe(document.body);
  if (!document.querySelector("form")) send("challenge_done");
}
