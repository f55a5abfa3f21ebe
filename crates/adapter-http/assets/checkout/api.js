// The shopper's API calls; they never throw.
//   {state}                                      the payment's state
//   {problem: {status, requestId, retryAfter}}   an error response
//   {lost: true}                                 no response; the call may be repeated
const Api = (config) => {
  const base = "/checkout/" + encodeURIComponent(config.session_id) + "/";

  async function exchange(method, path, body, seconds) {
    const stop = new AbortController();
    const timer = setTimeout(() => stop.abort(), seconds * 1000);
    try {
      const response = await fetch(base + path, {
        method,
        headers: {
          Authorization: "Bearer " + config.pay_token,
          Accept: "application/json",
          ...(body && { "Content-Type": "application/json" }),
        },
        body: body && JSON.stringify(body),
        cache: "no-store",
        credentials: "omit",
        redirect: "error",
        signal: stop.signal,
      });
      const content = await response.json().catch(() => null);
      if (response.ok && content && content.status && content.next) return { state: content };
      if (response.ok) return { lost: true };
      return {
        problem: {
          status: response.status,
          requestId: (content && content.request_id) || response.headers.get("X-Request-Id"),
          retryAfter: Number(response.headers.get("Retry-After")) || 0,
        },
      };
    } catch {
      return { lost: true };
    } finally {
      clearTimeout(timer);
    }
  }

  return {
    // The token identifies the attempt: repeating it pays once.
    pay: (token) => exchange("POST", "pay", { payment_method: token }, 40),
    status: () => exchange("GET", "status", null, 15),
    abandon: () => exchange("POST", "abandon", {}, 40),
    // Submits a one-time code, {code}, or requests another, {resend: true}. Each call counts as a try.
    otp: (body) => exchange("POST", "otp", body, 40),
  };
};
