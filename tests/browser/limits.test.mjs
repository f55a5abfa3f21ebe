// What the hosted checkout must never do, and where it ends: card numbers, foreign frames, expiry.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import AxeBuilder from '@axe-core/playwright';
import { CARDS, start } from './harness.mjs';

const TIMEOUT = 60_000;

/** Whether the text holds the card number, however its digits are parted. */
const holds = (text, card) => {
  const digits = [...card.replaceAll(' ', '')];
  return new RegExp(digits.join('(?:%20|[\\s+-])?')).test(text);
};

// Approved as well, and unlike the card that the sandbox's greeting names, it is written nowhere.
const ANOTHER_CARD = '4012 8888 8888 1881';

describe('card numbers', { timeout: 3 * TIMEOUT }, () => {
  let harness;

  before(async () => (harness = await start()));
  after(() => harness?.close());

  test('never reach OnCharge: no request, no log line, no file', { timeout: 2 * TIMEOUT }, async () => {
    const session = await harness.createSession({ reference: 'find-me-in-the-database' });
    const { visitor, checkout } = await harness.embed(session);
    await checkout.pay(CARDS.declined);
    await checkout.heading('Payment declined');
    await checkout.pay(ANOTHER_CARD);
    await checkout.heading('Payment successful');

    const { service } = harness;
    const toUs = visitor.requestsTo(service.baseUrl);
    const toThePsp = visitor.requestsTo(service.simulatorUrl);
    assert.equal(await service.stop(), 0, 'the service ends in order');
    const files = service.files();

    for (const card of [CARDS.declined, ANOTHER_CARD]) {
      // The search itself is seen to work: where the number may be, it is found.
      assert.ok(toThePsp.some(({ text }) => holds(text, card)), 'the PSP did get the card');
      for (const { method, url, text } of toUs) assert.ok(!holds(text, card), `${method} ${url} carries the card`);
      assert.ok(!holds(service.output, card), 'the log holds the card');
      for (const { name, bytes } of files) assert.ok(!holds(bytes.toString('latin1'), card), `${name} holds the card`);
    }
    assert.ok(toUs.some(({ url }) => url.endsWith('/pay')), 'the page did pay');
    const found = files.some(({ bytes }) => bytes.includes('find-me-in-the-database'));
    assert.ok(found, 'the database is among the files that were searched');
  });
});

describe('the page', { timeout: 3 * TIMEOUT }, () => {
  let harness;

  before(async () => (harness = await start()));
  after(() => harness?.close());

  test('cannot be framed by an origin that is not the merchant’s', { timeout: TIMEOUT }, async () => {
    const session = await harness.createSession();
    const foreign = await harness.createSession({ return_url: 'https://shop.example.com/thanks' });

    const allowed = await harness.visit(harness.shop.framing(session));
    const frame = await allowed.frame(`${harness.service.baseUrl}/checkout/`);
    await frame.getByRole('heading', { name: 'Card details' }).waitFor();

    const refused = await harness.visit(harness.shop.framing(foreign));
    const addresses = refused.page.frames().map((it) => it.url());
    assert.ok(!addresses.some((it) => it.startsWith(harness.service.baseUrl)), `it was framed: ${addresses}`);
    assert.ok(
      refused.complaints.some((it) => it.includes('frame-ancestors')),
      `the browser says why: ${refused.complaints}`,
    );
    await Promise.all([allowed.close(), refused.close()]);
  });

  test('keeps to what axe asks for: the form, a refusal, the end', { timeout: TIMEOUT }, async () => {
    const session = await harness.createSession();
    const { visitor, page, checkout } = await harness.embed(session);
    const check = async (where) => {
      const { violations } = await new AxeBuilder({ page }).analyze();
      const found = violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ target }) => target).join(', ')}`);
      assert.deepEqual(found, [], where);
    };

    await checkout.enter(CARDS.declined);
    await check('the form');
    await checkout.payButton.click();
    await checkout.heading('Payment declined');
    await check('a refusal');
    await checkout.pay(CARDS.approved);
    await checkout.heading('Payment successful');
    await check('the end');
    await visitor.close();
  });
});

describe('time', { timeout: 3 * TIMEOUT }, () => {
  let harness;

  before(async () => (harness = await start({ flags: ['--session-ttl', '3'] })));
  after(() => harness?.close());

  test('runs out while the page is open: it says so and offers the way back', { timeout: TIMEOUT }, async () => {
    const session = await harness.createSession();
    const { visitor, page, checkout } = await harness.open(session);

    await checkout.heading('This checkout has expired');
    assert.equal(await checkout.payButton.isVisible(), false);
    await harness.assertMoney(session, 'expired', []);
    await page.getByRole('link', { name: /^Back to/ }).click();
    await page.waitForURL(`${harness.shop.origin}/thanks*`);
    assert.equal(new URL(page.url()).searchParams.get('status'), 'expired');
    assert.deepEqual(visitor.complaints, []);
    await visitor.close();
  });
});
