// The checkout's course: asks the service how the payment stands and draws that, nothing else. The PSP's
// frames and the shop's page are only ever a reason to ask.
(() => {
  const config = JSON.parse(document.getElementById("session").textContent);
  const api = Api(config);
  const views = Views(config);
  const shop = Shop(config);
  const frames = Frames(config, {
    ready: fieldsReady,
    submit: press,
    challengeDone: challengeEnded,
  });
  const otp = Otp(views, {
    code: (code) => sendCode({ code }, { wrong: true }),
    again: () => sendCode({ resend: true }, { sent: true }),
  });
  const payButton = document.getElementById("pay");

  // A run is one course of events (a payment, a look at the status). A newer run ends the older ones.
  let run = 0;
  let status = config.state.status;
  // The form is what is due, whether or not its fields have loaded yet.
  let payable = false;
  let paying = false;
  let pressedEarly = false;
  let tried = false;
  let abandoned = false;
  // A challenge that is over for us but not yet for the service: {url, until}.
  let ended = null;
  let challengeUrl = null;
  // What the shopper is told with the one-time code's view when it stays.
  let codeNews = {};
  let wake = () => {};
  let redirect = 0;
  let fieldsTimer = 0;

  const begin = () => {
    run += 1;
    wake();
    return run;
  };

  // Waits, but no longer than until something happens that is worth another look.
  const pause = (milliseconds) =>
    new Promise((resolve) => {
      const timer = setTimeout(resolve, milliseconds);
      wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  const backOff = (n, most) => Math.min(400 * 1.6 ** n, most);

  // Makes the same call again until the service has answered it. Null: a newer run has taken over.
  async function insist(call, mine) {
    let lost = 0;
    let busy = 0;
    for (;;) {
      const answer = await call();
      if (mine !== run) return null;
      if (answer.state) return answer;
      if (answer.lost) {
        lost += 1;
        if (lost > 1 || !navigator.onLine) views.show("offline");
        await pause(backOff(lost, 8000));
      } else {
        const { status: code, retryAfter } = answer.problem;
        const passing = code === 408 || code === 429 || code >= 500;
        busy += 1;
        if (!passing || busy > 6) return answer;
        views.announce(views.text("busy"));
        await pause(Math.max(Math.min(retryAfter, 60) * 1000, backOff(busy, 8000)));
      }
      if (mine !== run) return null;
    }
  }

  // Draws the state and, while there is more to come, asks again.
  async function follow(state, mine, fallback) {
    for (let n = 0; ; n += 1) {
      status = state.status;
      const wait = draw(state, n, fallback);
      if (!wait) return;
      const shown = views.current();
      await pause(wait);
      const answer = mine === run ? await insist(api.status, mine) : null;
      if (!answer) return;
      if (!answer.state) {
        broken(answer.problem.requestId);
        return;
      }
      // What is new is waited for anew, quickly at first.
      const changed =
        answer.state.status !== state.status || answer.state.next.type !== state.next.type;
      if (changed || views.current() !== shown) n = 0;
      state = answer.state;
    }
  }

  // Returns after how many milliseconds to ask again; 0 when there is nothing to wait for.
  function draw(state, n, fallback) {
    const { next } = state;
    setPaying(false);
    payable = next.type === "retry" || (state.status === "created" && next.type === "none");
    if (next.type === "otp") return drawCode(next.destination);
    codeNews = {};
    if (state.status === "pending") {
      tried = true;
      if (next.type === "challenge" && !over(next.url)) return drawChallenge(next.url);
      frames.closeChallenge();
      views.show("wait");
      if (n === 10) views.words("wait-slow", views.text("slow"));
      if (n < 10) views.words("wait-slow", "");
      return backOff(n, 5000);
    }
    frames.closeChallenge();
    ended = null;
    if (state.status === "created") drawForm(fallback);
    else if (next.type === "retry") drawForm(next.reason, next.last_try);
    else drawFinal(state.status);
    return 0;
  }

  function over(url) {
    if (ended && (ended.url !== url || Date.now() > ended.until)) ended = null;
    return Boolean(ended);
  }

  function drawChallenge(url) {
    challengeUrl = url;
    abandoned = false;
    if (!frames.openChallenge(url)) {
      broken(null);
      return 0;
    }
    views.show("challenge");
    return 5000;
  }

  function drawCode(destination) {
    tried = true;
    frames.closeChallenge();
    otp.show(destination, codeNews);
    codeNews = {};
    return 0;
  }

  function drawForm(reason, lastTry) {
    pressedEarly = false;
    const words = (key) => views.text(key) + (lastTry ? " " + views.text("last_try") : "");
    frames.openFields(false);
    watchFields();
    if (abandoned) {
      abandoned = false;
      frames.resetFields();
      views.form(null, words("abandoned"), true);
    } else if (reason === "technical") {
      views.form(views.text("technical.heading"), words("technical"), true);
    } else if (reason) {
      views.form(views.text("declined.heading"), words(reason), true);
    } else {
      views.form(null, null, false);
    }
  }

  function drawFinal(final) {
    const paid = final === "authorized" || final === "captured";
    const back = shop.wayBack(final);
    const leave = paid && tried && !shop.framed && Boolean(back);
    // In the shop's own page a paid order needs no way back: the shop is told and goes on.
    views.wayBack(paid && shop.framed ? null : back, shop.framed);
    const goodbye = leave ? "redirect" : "close";
    views.words("redirect", views.text(goodbye, { seconds: 3 }));
    const known = { expired: "expired", cancelled: "cancelled" }[final] || "refused";
    views.show(paid ? (tried ? "success" : "paid") : known);
    shop.result(final);
    // Replaced, not pushed: "back" from the shop does not come here again.
    if (leave) redirect = setTimeout(() => location.replace(back), 3000);
  }

  function broken(requestId) {
    setPaying(false);
    views.requestId(requestId);
    views.wayBack(shop.wayBack(status), shop.framed);
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
    if (pressedEarly) press();
    // They came after all, when the page had already given them up.
    if (["broken", "offline"].includes(views.current()) && payable) resume();
  }

  async function press() {
    if (paying || views.current() !== "form") return;
    // Fields that are still on their way are asked as soon as they are there.
    pressedEarly = !frames.fieldsReady();
    if (pressedEarly) return;
    setPaying(true);
    views.say("");
    const answer = await frames.submitFields();
    if (!paying) return;
    if (answer.type === "token") {
      frames.lockFields(true);
      pay(answer.token);
      return;
    }
    setPaying(false);
    if (answer.type === "invalid") {
      views.say(views.text("invalid", { fields: named(answer.fields) }));
      frames.focusFields();
    } else {
      views.say(views.text("fields_failed"));
    }
  }

  function named(fields) {
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
    const mine = begin();
    tried = true;
    const answer = await insist(() => api.pay(token), mine);
    if (!answer) return;
    if (answer.state) follow(answer.state, mine);
    else if ([403, 409, 422].includes(answer.problem.status)) {
      // Not this try: another one is open or has ended it all, time is up, or the merchant takes no
      // payments any more. The status tells which.
      tried = false;
      resume("technical");
    } else broken(answer.problem.requestId);
  }

  // A code counts as one try: where no answer comes it is not sent again, the status tells the rest.
  async function sendCode(wish, news) {
    const mine = begin();
    paying = true;
    let answer = await api.otp(wish);
    if (mine !== run) return;
    codeNews = answer.state ? news : { failed: true };
    if (!answer.state) answer = await insist(api.status, mine);
    if (!answer) return;
    if (answer.state) follow(answer.state, mine);
    else broken(answer.problem.requestId);
  }

  async function resume(fallback) {
    const mine = begin();
    const answer = await insist(api.status, mine);
    if (!answer) return;
    if (answer.state) follow(answer.state, mine, fallback);
    else broken(answer.problem.requestId);
  }

  function challengeEnded() {
    ended = { url: challengeUrl, until: Date.now() + 20000 };
    frames.closeChallenge();
    views.show("wait");
    wake();
  }

  async function abandon() {
    if (views.current() !== "challenge") return;
    const mine = begin();
    abandoned = true;
    challengeEnded();
    const answer = await insist(api.abandon, mine);
    if (!answer) return;
    if (answer.state) follow(answer.state, mine);
    else if (answer.problem.status === 409) resume();
    else broken(answer.problem.requestId);
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
    payButton.addEventListener("click", press);
    document.getElementById("abandon").addEventListener("click", abandon);
    document.getElementById("again").addEventListener("click", again);
    window.addEventListener("online", () => {
      wake();
      if (views.current() === "offline" && !paying && payable) again();
    });
    // Shown again by "back": nothing that was on the screen counts any more.
    window.addEventListener("pageshow", (event) => {
      if (!event.persisted) return;
      clearTimeout(redirect);
      tried = false;
      resume();
    });
    // The service decides what expiry means; the page only asks at the right moment.
    after(config.expires_in + 1, () => {
      if (["form", "otp"].includes(views.current()) && !paying) resume();
    });
    // An open challenge may outlive the expiry, but no other card can be used then.
    after(config.expires_in, () => document.getElementById("abandon").remove());
    after(config.expires_in - 120, views.expiresSoon);
    follow(config.state, begin());
    shop.ready();
  }

  start();
})();
