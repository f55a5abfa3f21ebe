// The one-time code: one field, whose format is checked here and its value by the service.
const Otp = (views, on) => {
  const AGAIN_AFTER_SECONDS = 30;
  const input = document.getElementById("otp-code");
  const error = document.getElementById("otp-error");
  const confirm = document.getElementById("otp-confirm");
  const again = document.getElementById("otp-again");
  let busy = false;
  let timer = 0;

  function showError(text) {
    error.textContent = text;
    error.hidden = !text;
    input.setAttribute("aria-invalid", String(Boolean(text)));
  }

  function setBusy(now) {
    busy = now;
    views.busy(confirm, now);
  }

  // Codes are pasted with spaces and hyphens in them.
  function submit() {
    if (busy) return;
    const code = input.value.replace(/[\s-]/g, "");
    if (!/^\d{6}$/.test(code)) {
      showError(views.text("otp.invalid"));
      input.focus();
      return;
    }
    showError("");
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
    submit();
  });
  again.addEventListener("click", () => {
    if (busy) return;
    setBusy(true);
    on.again();
  });

  return {
    // `notice`: {wrong}, {sent} or {failed}, if the view is shown again after a call.
    show(destination, notice = {}) {
      const known = views.current() === "otp";
      setBusy(false);
      const sent = notice.sent ? views.text("otp.sent") + " " : "";
      views.setText("otp-text", sent + views.text("otp.text", { destination }));
      views.show("otp");
      if (!known || notice.sent) offerAgain();
      showError(notice.wrong ? views.text("otp.wrong") : "");
      if (!known || notice.wrong || notice.sent) input.value = "";
      if (notice.sent) views.announce(views.text("otp.sent"));
      if (notice.failed) showError(views.text("otp.failed"));
      if (known) input.focus();
    },
  };
};
