// The size of the checkout in a shopper's browser, and the servers that it is loaded from.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { CARDS, start } from './harness.mjs';

const TIMEOUT = 180_000;
const PAGE_BYTES = 60_000;
const SCRIPT_BYTES = 5_000;
const LOCALES = ['en-US', 'de-DE', 'fr-FR', 'es-ES'];

describe('weight', { timeout: 6 * TIMEOUT }, () => {
  let harness;

  before(async () => (harness = await start()));
  after(() => harness?.close());

  /** A visitor whose responses are recorded: `{url, own, bytes}`, uncompressed; `own` marks those of the page itself. */
  const weighing = (responses) => (visitor) => {
    const { page } = visitor;
    page.on('response', (response) => {
      const { url, frame } = { url: response.url(), frame: response.frame() };
      const measured = response.body().then((body) => ({ url, own: frame === page.mainFrame(), bytes: body.length }));
      // A response after the last assertion is not awaited, and its page may be closed by then.
      measured.catch(() => {});
      responses.push(measured);
    });
  };
  const sum = (responses) => responses.reduce((total, { bytes }) => total + bytes, 0);

  for (const locale of LOCALES) {
    test(`the page in ${locale} is under ${PAGE_BYTES} bytes`, { timeout: TIMEOUT }, async (context) => {
      const responses = [];
      const session = await harness.createSession();
      const { visitor, checkout } = await harness.open(session, { locale, prepare: weighing(responses) });
      await checkout.ready();
      assert.equal(await checkout.frame.locator('html').getAttribute('lang'), locale.slice(0, 2));

      const measured = await Promise.all(responses);
      const own = measured.filter((response) => response.own);
      const psp = measured.filter((response) => !response.own);
      context.diagnostic(`the page ${sum(own)} bytes in ${own.length} request(s), the PSP's fields ${sum(psp)}`);
      assert.ok(own.some(({ url }) => url === harness.service.checkoutUrl(session)), 'the page itself is not counted');
      assert.ok(sum(own) < PAGE_BYTES, own.map(({ url, bytes }) => `${new URL(url).pathname}: ${bytes}`).join(', '));
      await visitor.close();
    });
  }

  test('what a shop loads to embed it is under 5 KB', { timeout: TIMEOUT }, async (context) => {
    const responses = [];
    const session = await harness.createSession();
    const { visitor, checkout } = await harness.embed(session, { prepare: weighing(responses) });
    await checkout.heading('form.heading');
    const measured = await Promise.all(responses);
    const fromUs = measured.filter(({ url, own }) => own && url.startsWith(harness.service.baseUrl));
    assert.deepEqual(fromUs.map(({ url }) => new URL(url).pathname), ['/oncharge.js']);
    context.diagnostic(`oncharge.js ${sum(fromUs)} bytes`);
    assert.ok(sum(fromUs) < SCRIPT_BYTES, `oncharge.js has ${sum(fromUs)} bytes`);
    await visitor.close();
  });

  test('a complete payment sends requests only to OnCharge and the PSP', { timeout: TIMEOUT }, async () => {
    const session = await harness.createSession();
    const { visitor, page, checkout } = await harness.embed(session);
    await checkout.pay(CARDS.challenged);
    await checkout.answerChallenge('pass');
    await checkout.heading('success.heading');
    await page.waitForFunction(() => window.results.length > 0);

    const origins = new Set(visitor.requests.map(({ url }) => new URL(url)).filter(isNet).map(({ origin }) => origin));
    const { baseUrl, simulatorUrl } = harness.service;
    assert.deepEqual([...origins].sort(), [harness.shop.origin, baseUrl, simulatorUrl].sort());
    await visitor.close();
  });
});

const isNet = ({ protocol }) => protocol !== 'data:' && protocol !== 'blob:' && protocol !== 'about:';
