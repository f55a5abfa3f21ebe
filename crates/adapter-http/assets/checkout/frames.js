// The PSP's two frames: card fields and challenge. Messages are accepted only if they come from the PSP's
// origin and from the window of a frame that was opened here.
const Frames = (config, on) => {
  const SOURCE = "psp-simulator";
  const fieldsHost = document.getElementById("fields");
  const challengeHost = document.getElementById("challenge-frame");
  let fields = null;
  let fieldsReady = false;
  let settleSubmit = null;
  let challenge = null;

  // Without "allow-top-navigation" a frame cannot take the shopper anywhere else.
  function open(host, url, title) {
    const frame = document.createElement("iframe");
    frame.title = title;
    frame.setAttribute("sandbox", "allow-scripts allow-same-origin allow-forms");
    frame.referrerPolicy = "no-referrer";
    frame.src = url;
    host.append(frame);
    return frame;
  }

  // A hidden frame reports no height: such messages are ignored.
  function resize(frame, height, most) {
    if (Number.isFinite(height) && height >= 40) {
      frame.style.height = Math.min(Math.ceil(height), most) + "px";
    }
  }

  function onFieldsMessage(message) {
    if (message.session !== config.session_id) return;
    if (message.type === "ready") {
      fieldsReady = true;
      fieldsHost.classList.remove("loading");
      on.ready();
    } else if (message.type === "resize") {
      resize(fields, message.height, 1200);
    } else if (message.type === "submit") {
      on.submit();
    } else if (settleSubmit && ["token", "invalid", "error"].includes(message.type)) {
      settleSubmit(message);
    }
  }

  function onChallengeMessage(message) {
    if (message.type === "resize") resize(challenge, message.height, 1200);
    if (message.type === "challenge_done") on.challengeDone();
  }

  window.addEventListener("message", (event) => {
    const message = event.data;
    if (event.origin !== config.psp_origin || !message || message.source !== SOURCE) return;
    if (fields && event.source === fields.contentWindow) onFieldsMessage(message);
    else if (challenge && event.source === challenge.contentWindow) onChallengeMessage(message);
  });

  const send = (type) =>
    fields.contentWindow.postMessage({ target: SOURCE, type }, config.psp_origin);

  return {
    // Opens the fields once; `again` replaces a frame that did not load.
    openFields(again) {
      if (fields && !again) return;
      if (fields) fields.remove();
      const url = new URL(config.fields_url);
      url.searchParams.set("session", config.session_id);
      url.searchParams.set("parent_origin", location.origin);
      url.searchParams.set("lang", config.language);
      fieldsReady = false;
      fieldsHost.classList.add("loading");
      fields = open(fieldsHost, url.href, fieldsHost.dataset.title);
    },
    fieldsReady: () => fieldsReady,
    focusFields() {
      if (document.activeElement !== fields) fields.focus();
    },
    lockFields(locked) {
      fieldsHost.inert = locked;
    },
    resetFields() {
      if (fieldsReady) send("reset");
    },
    // Validates and tokenizes: {type: "token" | "invalid" | "error", …}.
    submitFields() {
      return new Promise((resolve) => {
        const settle = (message) => {
          clearTimeout(timer);
          if (settleSubmit === settle) settleSubmit = null;
          resolve(message);
        };
        const timer = setTimeout(() => settle({ type: "error" }), 20000);
        settleSubmit = settle;
        send("submit");
      });
    },
    openChallenge(url) {
      if (challenge && challenge.dataset.url === url) return true;
      this.closeChallenge();
      if (!url.startsWith(config.psp_origin + "/")) return false;
      challenge = open(challengeHost, url, challengeHost.dataset.title);
      challenge.dataset.url = url;
      challengeHost.classList.add("loading");
      challenge.addEventListener("load", () => challengeHost.classList.remove("loading"));
      return true;
    },
    closeChallenge() {
      if (challenge) challenge.remove();
      challenge = null;
    },
  };
};
