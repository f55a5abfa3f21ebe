// A shopper at the hosted checkout, in a real browser: every way that a payment can go.
import assert from 'node:assert/strict';
import { after, afterEach, before, describe, test } from 'node:test';
import { CARDS, checkoutOf, start } from './harness.mjs';

const TIMEOUT = 60_000;

describe('the hosted checkout', { timeout: 10 * TIMEOUT }, () => {
  let harness;
  let visitors = [];

  before(async () => (harness = await start()));
  after(() => harness?.close());

  // Whatever a test was about: no page may have complained.
  afterEach(async () => {
    const complaints = visitors.flatMap((visitor) => visitor.complaints);
    await Promise.all(visitors.map((visitor) => visitor.close()));
    visitors = [];
    assert.deepEqual(complaints, [], 'errors in the browser’s console');
  });

  const opened = async (session) => remember(await harness.open(session));
  const embedded = async (session) => remember(await harness.embed(session));
  const remember = (opening) => {
    visitors.push(opening.visitor);
    return opening;
  };

  test('pays, opened by itself, and goes back to the shop', { timeout: TIMEOUT }, async () => {
    const session = await harness.createSession();
    const { page, checkout } = await opened(session);

    await checkout.heading('Card details');
    await checkout.frame.getByRole('button', { name: 'Pay $99.99', exact: true }).waitFor();
    await checkout.pay(CARDS.approved);
    await checkout.heading('Payment successful');
    await page.waitForURL(`${harness.shop.origin}/thanks*`);

    const query = new URL(page.url()).searchParams;
    assert.equal(query.get('from'), 'oncharge', 'the shop’s own query stays');
    assert.equal(query.get('session_id'), session.session_id);
    assert.equal(query.get('status'), 'authorized');
    await harness.assertMoney(session, 'authorized', ['authorise 9999']);
  });

  test('pays, embedded in the shop, and tells it', { timeout: TIMEOUT }, async () => {
    const session = await harness.createSession();
    const { page, checkout } = await embedded(session);

    await checkout.pay(CARDS.approved);
    await checkout.heading('Payment successful');
    await page.waitForFunction(() => window.results.length > 0);

    const results = await page.evaluate(() => window.results);
    assert.deepEqual(results, [{ sessionId: session.session_id, status: 'authorized' }]);
    assert.ok(page.url().startsWith(harness.shop.origin), 'the shop’s page stays where it is');
    await harness.assertMoney(session, 'authorized', ['authorise 9999']);
  });

  test('is told of a decline in plain words, and pays with another card', { timeout: TIMEOUT }, async () => {
    const session = await harness.createSession();
    const { checkout, page } = await embedded(session);

    await checkout.pay(CARDS.declined);
    await checkout.heading('Payment declined');
    assert.match(await checkout.alert.innerText(), /declined this card/);
    await harness.assertMoney(session, 'refused', []);

    await checkout.pay(CARDS.insufficientFunds);
    await checkout.alert.filter({ hasText: 'not enough money' }).waitFor();

    await checkout.pay(CARDS.approved);
    await checkout.heading('Payment successful');
    await page.waitForFunction(() => window.results.length > 0);
    assert.equal((await page.evaluate(() => window.results)).length, 1, 'one result: how it ended');
    await harness.assertMoney(session, 'authorized', ['authorise 9999']);
  });

  test('passes 3-D Secure', { timeout: TIMEOUT }, async () => {
    const session = await harness.createSession();
    const { checkout } = await embedded(session);

    await checkout.pay(CARDS.challenged);
    await checkout.heading('Confirm with your bank');
    await harness.assertMoney(session, 'pending', []);
    await checkout.answerChallenge('pass');
    await checkout.heading('Payment successful');
    await harness.assertMoney(session, 'authorized', ['authorise 9999']);
  });

  test('fails 3-D Secure, and pays with another card', { timeout: TIMEOUT }, async () => {
    const session = await harness.createSession();
    const { checkout } = await embedded(session);

    await checkout.pay(CARDS.challenged);
    await checkout.answerChallenge('fail');
    await checkout.heading('Payment declined');
    assert.match(await checkout.alert.innerText(), /could not confirm that it was you/);
    const refused = await harness.service.session(session.session_id);
    assert.equal(refused.failure.code, 'authentication_failed');

    await checkout.pay(CARDS.approved);
    await checkout.heading('Payment successful');
    await harness.assertMoney(session, 'authorized', ['authorise 9999']);
  });

  test('gives up 3-D Secure, and pays with another card', { timeout: TIMEOUT }, async () => {
    const session = await harness.createSession();
    const { checkout } = await embedded(session);

    await checkout.pay(CARDS.challenged);
    await checkout.heading('Confirm with your bank');
    await checkout.anotherCardButton.click();
    await checkout.heading('Card details');
    const refused = await harness.service.session(session.session_id);
    assert.equal(refused.failure.code, 'authentication_abandoned');

    await checkout.pay(CARDS.approved);
    await checkout.heading('Payment successful');
    await harness.assertMoney(session, 'authorized', ['authorise 9999']);
  });

  test('reloads in the middle of 3-D Secure, and goes on where it was', { timeout: TIMEOUT }, async () => {
    const session = await harness.createSession();
    const { visitor, page, checkout } = await opened(session);

    await checkout.pay(CARDS.challenged);
    await checkout.heading('Confirm with your bank');
    await page.reload();

    const again = await checkoutOf(visitor, harness.service);
    await again.answerChallenge('pass');
    await again.heading('Payment successful');
    await harness.assertMoney(session, 'authorized', ['authorise 9999']);
  });

  test('double-clicks, and pays once', { timeout: TIMEOUT }, async () => {
    const session = await harness.createSession();
    const { visitor, checkout } = await embedded(session);

    await checkout.enter(CARDS.approved);
    await checkout.payButton.dblclick();
    await checkout.heading('Payment successful');

    const pays = visitor.requests.filter(({ url }) => url.endsWith(`/checkout/${session.session_id}/pay`));
    assert.equal(pays.length, 1, 'one call to pay');
    await harness.assertMoney(session, 'authorized', ['authorise 9999']);
  });

  test('opens a paid session again, and cannot pay twice', { timeout: TIMEOUT }, async () => {
    const session = await harness.createSession();
    const first = await embedded(session);
    await first.checkout.pay(CARDS.approved);
    await first.checkout.heading('Payment successful');

    const second = await opened(session);
    await second.checkout.heading('Already paid');
    assert.equal(await second.checkout.payButton.isVisible(), false);
    await harness.assertMoney(session, 'authorized', ['authorise 9999']);
  });
});
