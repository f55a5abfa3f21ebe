// From the click to the result, beside what the PSP itself takes for the same payment in the same run.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { CARDS, start } from '../browser/harness.mjs';

const TIMEOUT = 60_000;
const PAYMENTS = 5;
const PSP_LATENCY_MS = 400;
/** OnCharge and the browser together may take as long again as the PSP. */
const MOST = 2;

describe('speed', { timeout: 4 * TIMEOUT }, () => {
  let harness;

  before(async () => (harness = await start()));
  after(() => harness?.close());

  /** Milliseconds of the PSP's two calls for one payment: the card becomes a token, the token pays. */
  const atThePsp = async (n) => {
    const { simulatorUrl } = harness.service;
    const post = async (path, body, headers) => {
      const response = await fetch(simulatorUrl + path, {
        method: 'POST',
        headers: { 'Content-Type': 'application/json', ...headers },
        body: JSON.stringify(body),
      });
      assert.equal(response.status, 201, path);
      return response.json();
    };
    const number = CARDS.approved.replaceAll(' ', '');
    const begun = performance.now();
    const { token } = await post('/v1/tokens', { number, exp_month: 12, exp_year: 2034, cvc: '123' });
    const { result } = await post(
      '/v1/payments',
      {
        token,
        amount: 9999,
        currency: 'USD',
        capture: false,
        reference: `speed-${n}`,
        notification_url: `${harness.service.baseUrl}/psp/speed`,
      },
      { Authorization: `Bearer ${harness.service.pspBearer()}`, 'Idempotency-Key': `speed-${PSP_LATENCY_MS}-${n}` },
    );
    const taken = performance.now() - begun;
    assert.equal(result, 'authorised');
    return taken;
  };

  /** Milliseconds from the click on the button until the page has painted the success. */
  const atThePage = async () => {
    const session = await harness.createSession();
    const { visitor, checkout } = await harness.embed(session, { intercepting: false });
    await checkout.frame.locator('.fields:not(.loading)').waitFor();
    await checkout.enter(CARDS.approved);
    await checkout.frame.evaluate(() => {
      const success = document.querySelector('[data-view="success"]');
      window.taken = new Promise((done) => {
        let begun;
        document.getElementById('pay').addEventListener('click', () => (begun = performance.now()), { capture: true });
        new MutationObserver(() => {
          if (success.hidden) return;
          // Two frames: the first is drawn after this, the second when it has been.
          requestAnimationFrame(() => requestAnimationFrame(() => done(performance.now() - begun)));
        }).observe(success, { attributes: true });
      });
    });
    await checkout.payButton.click();
    const taken = await checkout.frame.evaluate(() => window.taken);
    await checkout.heading('success.heading');
    await visitor.close();
    return taken;
  };

  /** Both in turn, so that both meet the same machine; the first of each warms up. */
  const measure = async (name) => {
    const psp = [];
    const page = [];
    for (let n = 0; n <= PAYMENTS; n += 1) {
      psp.push(await atThePsp(`${name}-${n}`));
      page.push(await atThePage());
    }
    return { psp: median(psp.slice(1)), page: median(page.slice(1)) };
  };
  const report = (context, { psp, page }) => {
    const [ms, ratio] = [(value) => `${value.toFixed(0)} ms`, (page / psp).toFixed(2)];
    const both = `click to result ${ms(page)}, the PSP itself ${ms(psp)}`;
    context.diagnostic(`medians of ${PAYMENTS}: ${both}, ratio ${ratio}`);
  };

  test(`takes at most ${MOST} times what a PSP of ${PSP_LATENCY_MS} ms does`, { timeout: TIMEOUT }, async (context) => {
    // Against a PSP that takes no time the ratio says nothing: it is OnCharge's and the browser's own time.
    report(context, await measure('quick'));
    await harness.service.faults({ latency_ms: [PSP_LATENCY_MS, PSP_LATENCY_MS] });
    const measured = await measure('slow');
    report(context, measured);
    assert.ok(measured.psp >= PSP_LATENCY_MS, `the PSP takes its time: ${measured.psp} ms`);
    assert.ok(measured.page <= MOST * measured.psp, `${measured.page} ms at the page, ${measured.psp} ms at the PSP`);
  });
});

const median = (values) => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)];
