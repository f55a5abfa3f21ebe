// The one-time code: one field, checked here for its shape and by the service for the rest.
const Otp = (views, on) => {
  const AGAIN_AFTER_SECONDS = 30;
  const input = document.getElementById("otp-code");
  const error = document.getElementById("otp-error");
  const confirm = document.getElementById("otp-confirm");
  const again = document.getElementById("otp-again");
  let busy = false;
  let timer = 0;

  function complain(words) {
    error.textContent = words;
    error.hidden = !words;
    input.setAttribute("aria-invalid", String(Boolean(words)));
  }

  function setBusy(now) {
    busy = now;
    views.busy(confirm, now);
  }

  // Codes are pasted with spaces and hyphens in them.
  function press() {
    if (busy) return;
    const code = input.value.replace(/[\s-]/g, "");
    if (!/^\d{6}$/.test(code)) {
      complain(views.text("otp.invalid"));
      input.focus();
      return;
    }
    complain("");
    setBusy(true);
    on.code(code);
  }

  function offerAgain() {
    again.hidden = true;
    clearTimeout(timer);
    timer = setTimeout(() => (again.hidden = false), AGAIN_AFTER_SECONDS * 1000);
  }

  document.getElementById("otp-form").addEventListener("submit", (event) => {
    event.preventDefault();
    press();
  });
  again.addEventListener("click", () => {
    if (busy) return;
    setBusy(true);
    on.again();
  });

  return {
    // `news`: {wrong}, {sent} or {failed}, where the view is shown again after something was tried.
    show(destination, news = {}) {
      const known = views.current() === "otp";
      setBusy(false);
      const sent = news.sent ? views.text("otp.sent") + " " : "";
      views.words("otp-text", sent + views.text("otp.text", { destination }));
      views.show("otp");
      if (!known || news.sent) offerAgain();
      complain(news.wrong ? views.text("otp.wrong") : "");
      if (!known || news.wrong || news.sent) input.value = "";
      if (news.sent) views.announce(views.text("otp.sent"));
      if (news.failed) complain(views.text("otp.failed"));
      if (known) input.focus();
    },
  };
};
