// The demo shop, as its visitor and as the person behind its counter.
import assert from 'node:assert/strict';
import { after, afterEach, before, describe, test } from 'node:test';
import AxeBuilder from '@axe-core/playwright';
import { CARDS, checkoutOf, start } from './harness.mjs';

const TIMEOUT = 60_000;

describe('the demo shop', { timeout: 10 * TIMEOUT }, () => {
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

  const enter = async (path = '/', options) => {
    const visitor = await harness.visit(harness.service.demoShopUrl + path, options);
    visitors.push(visitor);
    return visitor;
  };
  const button = (page, name) => page.getByRole('button', { name });
  const add = (page, product) => button(page, `Add to cart: ${product}`).click();

  /** Orders two mugs ($48.00); resolves with the order's page. */
  const order = async () => {
    const visitor = await enter();
    const { page } = visitor;
    await add(page, 'Stoneware mug');
    await add(page, 'Stoneware mug');
    await button(page, 'Place order').click();
    await page.waitForURL(/\/orders\/\d+$/);
    return { visitor, page };
  };
  /** … and pays it. */
  const paid = async () => {
    const { visitor, page } = await order();
    await (await checkoutOf(visitor, harness.service)).pay(CARDS.approved);
    await page.getByRole('heading', { name: 'Thank you' }).waitFor();
    return { visitor, page, session: await sessionOf(page) };
  };
  const sessionOf = async (page) => {
    const number = new URL(page.url()).pathname.split('/').at(-1);
    const path = `/v1/checkout/sessions?reference=${number}`;
    return (await harness.service.api('GET', path)).body.data[0];
  };
  const event = (page, title) => page.locator('#timeline').getByText(title, { exact: true }).waitFor();
  const assertAccessible = async (page) => {
    const { violations } = await new AxeBuilder({ page }).analyze();
    assert.deepEqual(violations.map(({ id, nodes }) => `${id}: ${nodes[0].target}`), []);
  };

  test('an order goes from the cart to an authorized payment', { timeout: TIMEOUT }, async () => {
    const { page, session } = await paid();

    assert.equal(session.amount, 4800);
    assert.deepEqual(session.customer, { email: 'shopper@example.com', phone: '+15551234567' });
    const focused = await page.evaluate(() => document.activeElement.textContent);
    assert.equal(focused, 'Thank you', 'who cannot see the change is taken to it');
    for (const title of ['Order placed', 'Created', 'Authorized', 'payment.authorized']) await event(page, title);
    assert.equal(await button(page, 'Refund').count(), 0, 'what is not possible is not there');
    await harness.assertMoney(session, 'authorized', ['authorise 4800']);
    await assertAccessible(page);
  });

  test('captures, and refunds a part and then the rest', { timeout: TIMEOUT }, async () => {
    const { page, session } = await paid();

    await button(page, 'Capture $48.00').click();
    await event(page, 'Captured');
    await page.getByLabel('Amount in USD').fill('10.5');
    for (let looks = 0; looks < 2; looks += 1) await page.waitForResponse(/\/state$/);
    assert.equal(await page.getByLabel('Amount in USD').inputValue(), '10.5', 'what is typed stays');
    await button(page, 'Refund').click();
    await event(page, 'Refund of $10.50 succeeded');
    for (const name of ['payment.captured', 'refund.requested', 'refund.succeeded']) await event(page, name);
    await harness.assertMoney(session, 'captured', ['authorise 4800', 'capture 4800', 'refund 1050']);
    assert.equal(await page.getByLabel('Amount in USD').inputValue(), '37.50', 'the rest is proposed');
    await assertAccessible(page);

    await button(page, 'Refund').click();
    await page.getByRole('heading', { name: 'Refunded', exact: true }).waitFor();
    assert.equal(await button(page, 'Refund').count(), 0);
    const ledger = ['authorise 4800', 'capture 4800', 'refund 1050', 'refund 3750'];
    await harness.assertMoney(session, 'captured', ledger);
  });

  test('shows each webhook as it arrives, and how often it came', { timeout: TIMEOUT }, async () => {
    const { page, session } = await paid();
    const told = (text) => page.locator('#timeline li').filter({ hasText: 'told by webhook' }).filter({ hasText: text });
    await told('Event 1 of this payment, delivered once. Its webhook-signature verified.').waitFor();
    // Another program of the merchant's captures: the open page follows without being touched.
    const { status } = await harness.service.api('POST', `/v1/checkout/sessions/${session.session_id}/capture`, {});
    assert.equal(status, 200);
    await event(page, 'Captured');
    await told('Event 2 of this payment').getByText('payment.captured').waitFor();
    await assertAccessible(page);

    const events = await harness.service.api('GET', `/v1/events?session_id=${session.session_id}`);
    const names = events.body.data.map(({ event, sequence }) => `${sequence} ${event}`).sort();
    assert.deepEqual(names, ['1 payment.authorized', '2 payment.captured']);
    const first = events.body.data.find(({ sequence }) => sequence === 1);
    await harness.service.api('POST', `/v1/events/${first.id}/redeliver`, {});
    await told('Event 1 of this payment, delivered 2 times.').waitFor();
    assert.equal(await told('payment.').count(), 2, 'the same event again is no other event');
  });

  test('believes no webhook without its signature', { timeout: TIMEOUT }, async () => {
    const { page, session } = await paid();
    await event(page, 'payment.authorized');
    const { body } = await harness.service.api('GET', `/v1/events?session_id=${session.session_id}`);
    const forged = { ...body.data[0], id: 'evt_forged', sequence: 2, event: 'payment.captured', status: 'captured' };
    const post = (headers) =>
      fetch(`${harness.service.demoShopUrl}/webhooks/oncharge`, {
        method: 'POST',
        headers: { 'Content-Type': 'application/json', ...headers },
        body: JSON.stringify(forged),
      });
    const standard = {
      'webhook-id': forged.id,
      'webhook-timestamp': String(Math.floor(Date.now() / 1000)),
      'webhook-signature': `v1,${Buffer.alloc(32).toString('base64')}`,
    };
    for (const headers of [{}, { 'X-Oncharge-Signature': '0'.repeat(64) }, standard]) {
      assert.equal((await post(headers)).status, 401);
    }
    for (let looks = 0; looks < 2; looks += 1) await page.waitForResponse(/\/state$/);
    assert.equal(await page.locator('#timeline').getByText('payment.captured').count(), 0);
    await harness.assertMoney(session, 'authorized', ['authorise 4800']);
  });

  test('goes on by looking where no webhook comes', { timeout: TIMEOUT }, async () => {
    const endpoint = (url) => harness.service.api('PUT', '/v1/webhook_endpoint', { url });
    const { url } = (await harness.service.api('GET', '/v1/webhook_endpoint')).body;
    assert.equal(url, `${harness.service.demoShopUrl}/webhooks/oncharge`, 'the sandbox has set it');
    assert.equal((await endpoint('http://127.0.0.1:9/nobody')).status, 200);
    try {
      const { page, session } = await paid();
      await event(page, 'Authorized');
      await harness.service.api('POST', `/v1/checkout/sessions/${session.session_id}/capture`, {});
      await event(page, 'Captured');
      assert.equal(await page.locator('#timeline').getByText('told by webhook').count(), 0);
    } finally {
      await endpoint(url);
    }
  });

  test('cancels, and nothing is taken', { timeout: TIMEOUT }, async () => {
    const { page, session } = await paid();

    await button(page, 'Cancel the order').click();
    await page.getByRole('heading', { name: 'The order is cancelled' }).waitFor();
    await event(page, 'Cancelled');
    assert.equal(await page.locator('#acts button').count(), 0);
    await harness.assertMoney(session, 'cancelled', ['authorise 4800', 'void 4800']);
  });

  test('says in words what the API refused, and goes on', { timeout: TIMEOUT }, async () => {
    const { page, session } = await paid();
    await button(page, 'Capture $48.00').click();

    await page.getByLabel('Amount in USD').fill('48.01');
    await button(page, 'Refund').click();
    const alert = page.getByRole('alert').filter({ hasText: 'The refund of $48.01 did not succeed.' });
    await alert.getByText('refund_exceeds_captured').waitFor();

    await page.getByLabel('Amount in USD').fill('48');
    await button(page, 'Refund').click();
    await event(page, 'Refund of $48.00 succeeded');
    await harness.assertMoney(session, 'captured', ['authorise 4800', 'capture 4800', 'refund 4800']);
  });

  test('an act that was not carried out is tried again under its key', { timeout: TIMEOUT }, async () => {
    const { page, session } = await paid();
    const faults = (method, body) =>
      fetch(`${harness.service.simulatorUrl}/v1/faults`, {
        method,
        headers: { 'Content-Type': 'application/json' },
        body: body && JSON.stringify(body),
      });

    await faults('PUT', { refuse_connections_ms: 2000 });
    await button(page, 'Cancel the order').click();
    await page.getByRole('alert').getByText('psp_unavailable').waitFor();
    await faults('DELETE').catch(() => {});
    // The simulator's port stays closed for a while; the person behind the counter goes on trying.
    for (let tries = 0; tries < 20 && (await button(page, 'Try again').count()) > 0; tries += 1) {
      await button(page, 'Try again').click();
      await page.waitForLoadState();
    }
    await page.getByRole('heading', { name: 'The order is cancelled' }).waitFor();
    await harness.assertMoney(session, 'cancelled', ['authorise 4800', 'void 4800']);
    const keys = await page.locator('#calls').getByText(/^Idempotency-Key: order-\d+-\d+-1$/).count();
    assert.ok(keys >= 2, 'each try carries the key of the first');
  });

  test('a button that is pressed twice acts once', { timeout: TIMEOUT }, async () => {
    const { page, session } = await paid();
    await button(page, 'Capture $48.00').click();
    await page.getByLabel('Amount in USD').fill('10');
    const fields = await page.locator('form[action$="/refund"]').evaluate((form) => {
      return Array.from(new FormData(form));
    });

    const send = () =>
      fetch(`${page.url().replace(/#.*/, '')}/refund`, {
        method: 'POST',
        redirect: 'manual',
        body: new URLSearchParams(fields),
      });
    const answers = [...(await Promise.all([send(), send()])), await send()];
    assert.deepEqual(answers.map(({ status }) => status), [303, 303, 303]);
    await event(page, 'Refund of $10.00 succeeded');
    await harness.assertMoney(session, 'captured', ['authorise 4800', 'capture 4800', 'refund 1000']);
  });

  test('the cart is in the address and needs no script', { timeout: TIMEOUT }, async () => {
    const { page } = await enter('/', { javaScriptEnabled: false });
    await add(page, 'Desk lamp');
    await add(page, 'Fern in a pot');
    await add(page, 'Fern in a pot');
    assert.equal(await page.locator('#total').innerText(), '$154.50');

    const scripted = await enter('/?lamp=1&fern=2');
    await scripted.page.getByLabel('Quantity: Fern in a pot').fill('1');
    await scripted.page.getByLabel('Quantity: Fern in a pot').press('Tab');
    assert.equal(await scripted.page.locator('#total').innerText(), '$121.75');
    assert.equal(new URL(scripted.page.url()).search, '?lamp=1&fern=1');
  });

  test('another site can neither press its buttons nor frame it', { timeout: TIMEOUT }, async () => {
    const shop = harness.service.demoShopUrl;
    const forged = (headers) =>
      fetch(`${shop}/orders`, { method: 'POST', redirect: 'manual', headers, body: new URLSearchParams({ mug: 1 }) });
    assert.equal((await forged({ Origin: 'https://evil.example' })).status, 403);
    assert.equal((await forged({ 'Sec-Fetch-Site': 'cross-site' })).status, 403);

    const policy = (await fetch(shop)).headers.get('content-security-policy');
    assert.match(policy, /frame-ancestors 'none'/);
    assert.doesNotMatch(policy, /unsafe/);
  });

  test('fits a small phone, light and dark', { timeout: TIMEOUT }, async () => {
    const { page: paidPage } = await paid();
    const path = new URL(paidPage.url()).pathname;
    for (const colorScheme of ['light', 'dark']) {
      const { page } = await enter('/?mug=1', { viewport: { width: 320, height: 640 }, colorScheme });
      for (const address of ['/?mug=1', path, '/orders']) {
        await page.goto(harness.service.demoShopUrl + address);
        const over = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
        assert.ok(over <= 0, `${address} is ${over} px too wide`);
        await assertAccessible(page);
      }
    }
  });
});
