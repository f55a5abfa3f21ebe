// The hosted card fields: formats while typing, checks on submit, exchanges the card for a token.
"use strict";
(() => {
  const form = document.getElementById("card");
  const parentOrigin = form.dataset.parentOrigin;
  const session = form.dataset.session;
  const number = document.getElementById("number");
  const expiry = document.getElementById("expiry");
  const cvc = document.getElementById("cvc");
  const brandMark = document.getElementById("brand");
  const inputs = { number, expiry, cvc };
  const digitsOf = (text) => text.replace(/\D/g, "");
  let busy = false;

  const send = (type, more) =>
    window.parent.postMessage({ source: "psp-simulator", session, type, ...more }, parentOrigin);

  // ---- formatting ------------------------------------------------------------------------------

  const brandOf = (digits) => {
    if (/^4/.test(digits)) return "Visa";
    if (/^(5[1-5]|222[1-9]|22[3-9]|2[3-6]|27[01]|2720)/.test(digits)) return "Mastercard";
    if (/^3[47]/.test(digits)) return "Amex";
    if (/^(6011|65)/.test(digits)) return "Discover";
    if (/^35(2[89]|[3-8])/.test(digits)) return "JCB";
    if (/^3(0[0-5]|[689])/.test(digits)) return "Diners";
    return "";
  };

  const group = (digits) =>
    /^3[47]/.test(digits)
      ? [digits.slice(0, 4), digits.slice(4, 10), digits.slice(10, 15)].filter(Boolean).join(" ")
      : (digits.match(/.{1,4}/g) || []).join(" ");

  // "0430", "430", "04/30", "04/2030", "4/30" and what autofill writes, such as "2030-04". Text
  // is not reformatted while it is erased, so that the month can be corrected.
  const formatExpiry = (text, erasing) => {
    const clean = text.replace(/[^\d/-]/g, "");
    if (erasing) return clean.replace(/\/$/, "");
    const iso = /^(\d{4})-(\d{1,2})$/.exec(clean);
    if (iso) return iso[2].padStart(2, "0") + "/" + iso[1].slice(2);
    const parts = /^(\d{1,2})\/(\d*)/.exec(clean);
    const digits = digitsOf(clean);
    // A first digit above 1, or a number above 12, is a month of one digit.
    const short = /^[2-9]/.test(digits) || Number(digits.slice(0, 2)) > 12;
    let month = parts ? parts[1] : digits.slice(0, short ? 1 : 2);
    let year = parts ? parts[2] : digits.slice(short ? 1 : 2);
    if (parts || short) month = month.padStart(2, "0");
    // "20" may yet become "2030": four digits are let through while they are typed.
    if (/^20\d\d/.test(year)) year = year.slice(2, 4);
    year = year.slice(0, year.startsWith("20") ? 4 : 2);
    return month.length === 2 ? month + "/" + year : month;
  };

  // Rewrites the value and keeps the caret behind the same digit.
  const rewrite = (input, text) => {
    if (text === input.value) return;
    const atEnd = input.selectionStart === input.value.length;
    const digitsBefore = digitsOf(input.value.slice(0, input.selectionStart)).length;
    input.value = text;
    if (atEnd || document.activeElement !== input) return;
    let caret = 0;
    for (let seen = 0; caret < text.length && seen < digitsBefore; caret += 1) {
      if (/\d/.test(text[caret])) seen += 1;
    }
    input.setSelectionRange(caret, caret);
  };

  number.addEventListener("input", () => {
    const digits = digitsOf(number.value).slice(0, 19);
    rewrite(number, group(digits));
    brandMark.textContent = brandOf(digits);
    cleared(number);
  });
  expiry.addEventListener("input", (event) => {
    const erasing = (event.inputType || "").startsWith("delete");
    rewrite(expiry, formatExpiry(expiry.value, erasing));
    cleared(expiry);
  });
  cvc.addEventListener("input", () => {
    rewrite(cvc, digitsOf(cvc.value).slice(0, 4));
    cleared(cvc);
  });

  // ---- errors beside the fields ----------------------------------------------------------------

  const errorOf = (input) => document.getElementById(input.id + "-error");
  const cleared = (input) => {
    input.removeAttribute("aria-invalid");
    errorOf(input).hidden = true;
    errorOf(input).textContent = "";
  };
  const wrong = (input, text) => {
    input.setAttribute("aria-invalid", "true");
    errorOf(input).textContent = text;
    errorOf(input).hidden = false;
  };
  // `found` maps field names to texts; the first wrong field gets the focus.
  const showErrors = (found) => {
    const fields = Object.keys(inputs).filter((name) => found[name]);
    for (const name of Object.keys(inputs)) {
      if (found[name]) wrong(inputs[name], found[name]);
      else cleared(inputs[name]);
    }
    if (fields.length) {
      inputs[fields[0]].focus();
      send("invalid", { fields });
    }
    return fields.length > 0;
  };

  // ---- checks ----------------------------------------------------------------------------------

  const passesLuhn = (digits) => {
    let sum = 0;
    [...digits].reverse().forEach((digit, place) => {
      const doubled = place % 2 ? Number(digit) * 2 : Number(digit);
      sum += doubled > 9 ? doubled - 9 : doubled;
    });
    return sum % 10 === 0;
  };

  const readCard = () => {
    const digits = digitsOf(number.value);
    const [, month, year] = /^(\d{1,2})\/(\d{2}|20\d{2})$/.exec(expiry.value) || [];
    return {
      number: digits,
      exp_month: Number(month || 0),
      exp_year: year ? 2000 + (Number(year) % 100) : 0,
      cvc: digitsOf(cvc.value),
    };
  };

  const check = (card) => {
    const found = {};
    if (card.number.length < 12 || !passesLuhn(card.number)) found.number = number.dataset.invalid;
    const now = new Date();
    const thisMonth = now.getUTCFullYear() * 12 + now.getUTCMonth();
    if (card.exp_month < 1 || card.exp_month > 12 || !card.exp_year) {
      found.expiry = expiry.dataset.invalid;
    } else if (card.exp_year * 12 + card.exp_month - 1 < thisMonth) {
      found.expiry = expiry.dataset.past;
    }
    if (!/^\d{3,4}$/.test(card.cvc)) found.cvc = cvc.dataset.invalid;
    return found;
  };

  // The server's errors by the field that the shopper sees.
  const fromServer = (details) => {
    const found = {};
    for (const { field } of details) {
      if (field === "number") found.number = number.dataset.invalid;
      if (field.startsWith("exp_")) found.expiry = expiry.dataset.invalid;
      if (field === "cvc") found.cvc = cvc.dataset.invalid;
    }
    return found;
  };

  const tokenize = async () => {
    if (busy) return;
    const card = readCard();
    if (showErrors(check(card))) return;
    busy = true;
    try {
      const response = await fetch("/v1/tokens", {
        method: "POST",
        headers: { "Content-Type": "application/json" },
        body: JSON.stringify(card),
        credentials: "omit",
      });
      const content = await response.json();
      if (response.status === 201) {
        send("token", { token: content.token, brand: content.brand, last4: content.last4 });
      } else if (response.status !== 422 || !showErrors(fromServer(content.details || []))) {
        send("error");
      }
    } catch {
      send("error");
    } finally {
      busy = false;
    }
  };

  const reset = () => {
    form.reset();
    brandMark.textContent = "";
    Object.values(inputs).forEach(cleared);
  };

  // ---- the embedding page ----------------------------------------------------------------------

  window.addEventListener("message", (event) => {
    if (event.origin !== parentOrigin || event.source !== window.parent) return;
    if (!event.data || event.data.target !== "psp-simulator") return;
    if (event.data.type === "submit") tokenize();
    if (event.data.type === "reset") reset();
  });

  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && !event.isComposing) {
      event.preventDefault();
      send("submit");
    }
  });

  let lastHeight = 0;
  const resize = () => {
    const height = Math.ceil(document.body.getBoundingClientRect().height);
    if (height !== lastHeight) {
      lastHeight = height;
      send("resize", { height });
    }
  };
  new ResizeObserver(resize).observe(document.body);

  send("ready");
  resize();
})();
