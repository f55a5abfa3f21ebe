// A shopper at the hosted checkout in a real browser: payments and declines.
import assert from 'node:assert/strict';
import { CARDS } from './harness.mjs';
import { describeScenes } from './support/scenes.mjs';
import { becomes, until } from './support/until.mjs';

/** Records in `window.painted` the amount in every frame that the page paints. */
const recordPaintedAmounts = ({ page }) =>
  page.addInitScript(() => {
    window.painted = [];
    const record = () => {
      const amount = document.getElementById('amount')?.textContent;
      if (amount !== undefined && amount !== window.painted.at(-1)) window.painted.push(amount);
      requestAnimationFrame(record);
    };
    requestAnimationFrame(record);
  });

describeScenes('paying', {}, ({ scenario, pair, once }) => {
  scenario('pays on the standalone page, and returns to the shop', async (scene) => {
    const session = await scene.createSession();
    const { page, checkout } = await scene.open(session);

    await checkout.heading('form.heading');
    await checkout.pay(CARDS.approved);
    await checkout.heading('success.heading');
    await checkout.says('live.success');
    await page.waitForURL(`${scene.shop.origin}/thanks*`);

    const query = new URL(page.url()).searchParams;
    assert.equal(query.get('from'), 'oncharge', 'the shop’s own query is kept');
    assert.equal(query.get('session_id'), session.session_id);
    assert.equal(query.get('status'), 'authorized');
    await scene.assertPaidOnce(session);
  });

  pair('pays on the embedded page, and the shop gets the result', async (scene) => {
    const session = await scene.createSession();
    const { page, checkout } = await scene.embed(session);

    await checkout.pay(CARDS.approved);
    await checkout.heading('success.heading');
    await page.waitForFunction(() => window.results.length > 0);

    const results = await page.evaluate(() => window.results);
    assert.deepEqual(results, [{ sessionId: session.session_id, status: 'authorized' }]);
    assert.ok(page.url().startsWith(scene.shop.origin), 'the shop’s page was left');
    await scene.assertPaidOnce(session);
  });

  pair('sees a decline in plain words, and pays with another card', async (scene) => {
    const session = await scene.createSession();
    const { checkout, page } = await scene.embed(session);

    await checkout.pay(CARDS.declined);
    await checkout.heading('live.declined.heading');
    await checkout.alerts('live.card_declined');
    await scene.assertMoney(session, 'refused', []);
    assert.deepEqual(await page.evaluate(() => window.results), [], 'there is no result yet');

    await checkout.pay(CARDS.approved);
    await checkout.heading('success.heading');
    await page.waitForFunction(() => window.results.length > 0);
    assert.equal((await page.evaluate(() => window.results)).length, 1, 'there is one result, the final one');
    await scene.assertPaidOnce(session);
  });

  pair('sees what is wrong with a card: insufficient funds, expired', async (scene) => {
    const session = await scene.createSession();
    const { checkout } = await scene.embed(session);

    await checkout.pay(CARDS.insufficientFunds);
    await checkout.alerts('live.insufficient_funds');
    await checkout.pay(CARDS.expired);
    await checkout.alerts('live.expired_card', {}, { lastTry: true });
    await scene.assertMoney(session, 'refused', []);

    await checkout.pay(CARDS.approved);
    await checkout.heading('success.heading');
    await scene.assertPaidOnce(session);
  });

  once('is refused permanently after the third decline, with the way back', async (scene) => {
    const session = await scene.createSession();
    const { checkout, page } = await scene.open(session);

    await checkout.pay(CARDS.declined);
    await checkout.alerts('live.card_declined');
    await checkout.pay(CARDS.insufficientFunds);
    await checkout.alerts('live.insufficient_funds', {}, { lastTry: true });
    await checkout.pay(CARDS.declined);
    await checkout.heading('refused.heading');
    assert.equal(await checkout.payButton.isVisible(), false, 'the button is still visible');
    await checkout.backLink.click();
    await page.waitForURL(`${scene.shop.origin}/thanks*`);
    assert.equal(new URL(page.url()).searchParams.get('status'), 'refused');
    await scene.assertMoney(session, 'refused', []);
  });

  pair('sees errors next to the fields, and no payment is sent', async (scene) => {
    const session = await scene.createSession();
    const { visitor, checkout } = await scene.embed(session);
    const fields = await checkout.fields();

    await checkout.enter('4242 4242 4242 4241');
    await checkout.payButton.click();
    await checkout.alerts('live.invalid', { fields: checkout.texts.text('live.invalid.number') });
    const number = fields.locator('#number');
    await becomes(() => number.getAttribute('aria-invalid'), 'true', 'the field is marked');
    await fields.locator('#number-error').filter({ hasText: /\S/ }).waitFor();
    const inFields = () => checkout.frame.evaluate(() => document.activeElement.matches('#fields iframe'));
    const onNumber = () => number.evaluate((it) => it === document.activeElement);
    await until(async () => (await inFields()) && (await onNumber()), 'the invalid field has the focus');
    assert.equal(visitor.requests.filter(({ url }) => url.endsWith('/pay')).length, 0);

    await checkout.pay(CARDS.approved);
    await checkout.heading('success.heading');
    await scene.assertPaidOnce(session);
  });

  // Written by hand instead of with Intl, which the page uses itself: each language with each number of
  // decimals.
  const AMOUNTS = {
    'en-US': { USD: '$99.99', JPY: '¥9,999', KWD: 'KWD 9.999' },
    'de-DE': { USD: '99,99 $', JPY: '9.999 ¥', KWD: '9,999 KWD' },
    'fr-FR': { USD: '99,99 $US', JPY: '9 999 JPY', KWD: '9,999 KWD' },
    'es-ES': { USD: '99,99 US$', JPY: '9999 JPY', KWD: '9,999 KWD' },
  };
  const PAY = { 'en-US': 'Pay @', 'de-DE': '@ bezahlen', 'fr-FR': 'Payer @', 'es-ES': 'Pagar @' };

  scenario('sees amounts in the local format, and is charged exactly that', async (scene) => {
    const { locale } = scene.profile.options;
    for (const [currency, written] of Object.entries(AMOUNTS[locale])) {
      const session = await scene.createSession({ currency });
      const { checkout } = await scene.embed(session, { prepare: recordPaintedAmounts });
      await checkout.shows(written);
      const painted = await checkout.frame.evaluate(() => window.painted);
      const other = painted.map((text) => text.replace(/\s/gu, ' ')).filter((text) => text !== written);
      assert.deepEqual(other, [], `${currency} in ${locale} is correct in the first paint`);
      await checkout.frame.getByRole('button', { name: PAY[locale].replace('@', written), exact: true }).waitFor();
      if (currency !== 'KWD') continue;
      await checkout.pay(CARDS.approved);
      await checkout.says('live.success');
      await scene.assertMoney(session, 'authorized', ['authorise 9999']);
    }
  });

  once('opens a paid session again, and cannot pay twice', async (scene) => {
    const session = await scene.createSession();
    const first = await scene.embed(session);
    await first.checkout.pay(CARDS.approved);
    await first.checkout.heading('success.heading');

    const second = await scene.open(session);
    await second.checkout.heading('paid.heading');
    assert.equal(await second.checkout.payButton.isVisible(), false);
    await scene.assertPaidOnce(session);
  });
});
