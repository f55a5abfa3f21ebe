// Queries the payment's state and renders it. Messages of frames only trigger a query.
(() => {
  const config = JSON.parse(document.getElementById("session").textContent);
  const api = Api(config);
  const views = Views(config);
  const shop = Shop(config);
  const frames = Frames(config, {
    ready: fieldsReady,
    submit,
    challengeDone: challengeEnded,
  });
  const otp = Otp(views, {
    code: (code) => sendCode({ code }, { wrong: true }),
    again: () => sendCode({ resend: true }, { sent: true }),
  });
  const payButton = document.getElementById("pay");

  // Each payment or query of the state starts a generation, which supersedes the older ones.
  let generation = 0;
  let status = config.state.status;
  // Whether the state allows a payment; the fields may not have loaded yet.
  let payable = false;
  let paying = false;
  let submittedEarly = false;
  let tried = false;
  let abandoned = false;
  // A challenge that has ended in the browser but not yet in the service: {url, until}.
  let ended = null;
  let challengeUrl = null;
  // The notice of the one-time code's view, if it is rendered again.
  let codeNotice = {};
  let wake = () => {};
  let redirect = 0;
  let fieldsTimer = 0;

  const startGeneration = () => {
    generation += 1;
    wake();
    return generation;
  };

  // Waits for this time, or until `wake` is called because the state may have changed.
  const pause = (milliseconds) =>
    new Promise((resolve) => {
      const timer = setTimeout(resolve, milliseconds);
      wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  const backOff = (n, most) => Math.min(400 * 1.6 ** n, most);

  // Retries the call until it gets a final response; null if superseded.
  async function retryUntilResponse(call, started) {
    let lost = 0;
    let busy = 0;
    for (;;) {
      const result = await call();
      if (started !== generation) return null;
      if (result.state) return result;
      if (result.lost) {
        lost += 1;
        if (lost > 1 || !navigator.onLine) views.show("offline");
        await pause(backOff(lost, 8000));
      } else {
        const { status: code, retryAfter } = result.problem;
        const passing = code === 408 || code === 429 || code >= 500;
        busy += 1;
        if (!passing || busy > 6) return result;
        views.announce(views.text("busy"));
        await pause(Math.max(Math.min(retryAfter, 60) * 1000, backOff(busy, 8000)));
      }
      if (started !== generation) return null;
    }
  }

  // Renders the state, and queries it again until it is final or waits for the shopper.
  async function follow(state, started, fallback) {
    for (let n = 0; ; n += 1) {
      status = state.status;
      const wait = render(state, n, fallback);
      if (!wait) return;
      const view = views.current();
      await pause(wait);
      const result = started === generation ? await retryUntilResponse(api.status, started) : null;
      if (!result) return;
      if (!result.state) {
        broken(result.problem.requestId);
        return;
      }
      // After a change the intervals start again from the shortest.
      const changed =
        result.state.status !== state.status || result.state.next.type !== state.next.type;
      if (changed || views.current() !== view) n = 0;
      state = result.state;
    }
  }

  // Returns the milliseconds until the next query; 0 for none.
  function render(state, n, fallback) {
    const { next } = state;
    setPaying(false);
    payable = next.type === "retry" || (state.status === "created" && next.type === "none");
    if (next.type === "otp") return renderCode(next.destination);
    codeNotice = {};
    if (state.status === "pending") {
      tried = true;
      if (next.type === "challenge" && !hasEnded(next.url)) return renderChallenge(next.url);
      frames.closeChallenge();
      views.show("wait");
      if (n === 10) views.setText("wait-slow", views.text("slow"));
      if (n < 10) views.setText("wait-slow", "");
      return backOff(n, 5000);
    }
    frames.closeChallenge();
    ended = null;
    if (state.status === "created") renderForm(fallback);
    else if (next.type === "retry") renderForm(next.reason, next.last_try);
    else renderFinal(state.status);
    return 0;
  }

  function hasEnded(url) {
    if (ended && (ended.url !== url || Date.now() > ended.until)) ended = null;
    return Boolean(ended);
  }

  function renderChallenge(url) {
    challengeUrl = url;
    abandoned = false;
    if (!frames.openChallenge(url)) {
      broken(null);
      return 0;
    }
    views.show("challenge");
    return 5000;
  }

  function renderCode(destination) {
    tried = true;
    frames.closeChallenge();
    otp.show(destination, codeNotice);
    codeNotice = {};
    return 0;
  }

  function renderForm(reason, lastTry) {
    submittedEarly = false;
    const textOf = (key) => views.text(key) + (lastTry ? " " + views.text("last_try") : "");
    frames.openFields(false);
    watchFields();
    if (abandoned) {
      abandoned = false;
      frames.resetFields();
      views.form(null, textOf("abandoned"), true);
    } else if (reason === "technical") {
      views.form(views.text("technical.heading"), textOf("technical"), true);
    } else if (reason) {
      views.form(views.text("declined.heading"), textOf(reason), true);
    } else {
      views.form(null, null, false);
    }
  }

  function renderFinal(final) {
    const paid = final === "authorized" || final === "captured";
    const back = shop.backLink(final);
    const leave = paid && tried && !shop.framed && Boolean(back);
    // In the shop's own page a paid order needs no link back: the shop is notified and continues.
    views.backLink(paid && shop.framed ? null : back, shop.framed);
    const closing = leave ? "redirect" : "close";
    views.setText("redirect", views.text(closing, { seconds: 3 }));
    const known = { expired: "expired", cancelled: "cancelled" }[final] || "refused";
    views.show(paid ? (tried ? "success" : "paid") : known);
    shop.result(final);
    // Replaced, not pushed: "back" from the shop does not come here again.
    if (leave) redirect = setTimeout(() => location.replace(back), 3000);
  }

  function broken(requestId) {
    setPaying(false);
    views.requestId(requestId);
    views.backLink(shop.backLink(status), shop.framed);
    views.show("broken", true);
  }

  // ---- the form

  function setPaying(now) {
    paying = now;
    views.busy(payButton, now);
    if (!now) frames.lockFields(false);
  }

  function watchFields() {
    clearTimeout(fieldsTimer);
    if (frames.fieldsReady()) return;
    fieldsTimer = setTimeout(() => {
      if (views.current() !== "form") return;
      if (navigator.onLine) broken(null);
      else views.show("offline");
    }, 15000);
  }

  function fieldsReady() {
    clearTimeout(fieldsTimer);
    if (submittedEarly) submit();
    // The fields loaded after the page had given up.
    if (["broken", "offline"].includes(views.current()) && payable) resume();
  }

  async function submit() {
    if (paying || views.current() !== "form") return;
    // Fields that are still loading are submitted once they have loaded.
    submittedEarly = !frames.fieldsReady();
    if (submittedEarly) return;
    setPaying(true);
    views.say("");
    const result = await frames.submitFields();
    if (!paying) return;
    if (result.type === "token") {
      frames.lockFields(true);
      pay(result.token);
      return;
    }
    setPaying(false);
    if (result.type === "invalid") {
      views.say(views.text("invalid", { fields: fieldNames(result.fields) }));
      frames.focusFields();
    } else {
      views.say(views.text("fields_failed"));
    }
  }

  function fieldNames(fields) {
    const short = { exp: "expiry", exp_month: "expiry", exp_year: "expiry" };
    const known = (Array.isArray(fields) ? fields : [])
      .map((field) => short[field] || field)
      .filter((field) => ["number", "expiry", "cvc"].includes(field));
    const names = [...new Set(known)].map((field) => views.text("invalid." + field));
    return names.length
      ? new Intl.ListFormat(config.language).format(names)
      : views.text("invalid.other");
  }

  // ---- the calls

  async function pay(token) {
    const started = startGeneration();
    tried = true;
    const result = await retryUntilResponse(() => api.pay(token), started);
    if (!result) return;
    if (result.state) follow(result.state, started);
    else if ([403, 409, 422].includes(result.problem.status)) {
      // This attempt was not accepted: another one is open or has completed the payment, the session has
      // expired, or the merchant takes no more payments. The state tells which.
      tried = false;
      resume("technical");
    } else broken(result.problem.requestId);
  }

  // A code counts as one try: without a response it is not sent again, the state is queried instead.
  async function sendCode(body, notice) {
    const started = startGeneration();
    paying = true;
    let result = await api.otp(body);
    if (started !== generation) return;
    codeNotice = result.state ? notice : { failed: true };
    if (!result.state) result = await retryUntilResponse(api.status, started);
    if (!result) return;
    if (result.state) follow(result.state, started);
    else broken(result.problem.requestId);
  }

  async function resume(fallback) {
    const started = startGeneration();
    const result = await retryUntilResponse(api.status, started);
    if (!result) return;
    if (result.state) follow(result.state, started, fallback);
    else broken(result.problem.requestId);
  }

  function challengeEnded() {
    ended = { url: challengeUrl, until: Date.now() + 20000 };
    frames.closeChallenge();
    views.show("wait");
    wake();
  }

  async function abandon() {
    if (views.current() !== "challenge") return;
    const started = startGeneration();
    abandoned = true;
    challengeEnded();
    const result = await retryUntilResponse(api.abandon, started);
    if (!result) return;
    if (result.state) follow(result.state, started);
    else if (result.problem.status === 409) resume();
    else broken(result.problem.requestId);
  }

  // ---- the page

  // Timers take 31 bits of milliseconds: a session that lives longer needs none.
  function after(seconds, act) {
    if (seconds * 1000 < 2 ** 31) setTimeout(act, Math.max(seconds, 0) * 1000);
  }

  function again() {
    if (!frames.fieldsReady() && payable) frames.openFields(true);
    resume();
  }

  function start() {
    payButton.addEventListener("click", submit);
    document.getElementById("abandon").addEventListener("click", abandon);
    document.getElementById("again").addEventListener("click", again);
    window.addEventListener("online", () => {
      wake();
      if (views.current() === "offline" && !paying && payable) again();
    });
    // Restored by "back": the rendered state may be stale.
    window.addEventListener("pageshow", (event) => {
      if (!event.persisted) return;
      clearTimeout(redirect);
      tried = false;
      resume();
    });
    // The service decides what expiry means; the page only queries the state then.
    after(config.expires_in + 1, () => {
      if (["form", "otp"].includes(views.current()) && !paying) resume();
    });
    // An open challenge may outlive the expiry, but no other card can be used then.
    after(config.expires_in, () => document.getElementById("abandon").remove());
    after(config.expires_in - 120, views.expiresSoon);
    follow(config.state, startGeneration());
    shop.ready();
  }

  start();
})();
