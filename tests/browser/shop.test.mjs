// The demo shop, from the view of a shopper and of the merchant.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { CARDS } from './harness.mjs';
import { button, demoShop, entry, looks } from './support/demo_shop.mjs';
import { becomes, until } from './support/until.mjs';

const TIMEOUT = 180_000;

describe('the demo shop', { timeout: 10 * TIMEOUT }, () => {
  const shop = demoShop();

  test('an order goes from the cart to an authorized payment', { timeout: TIMEOUT }, async () => {
    const { page, checkout } = await shop.order();
    const frame = page.locator('#pay iframe');
    assert.match(await frame.getAttribute('title'), /^Payment for order \d+$/);
    await checkout.pay(CARDS.approved);
    await page.getByRole('heading', { name: 'Thank you' }).waitFor();
    const focused = () => page.evaluate(() => document.activeElement.textContent);
    await becomes(focused, 'Thank you', 'the focus moves to the change');
    await becomes(() => frame.count(), 0, 'the checkout is removed');

    const session = await shop.sessionOf(page);
    assert.equal(session.amount, 4800);
    assert.deepEqual(session.customer, { email: 'shopper@example.com', phone: '+15551234567' });
    for (const title of ['Order placed', 'Created', 'Authorized']) await entry(page, title).waitFor();
    assert.equal(await page.getByRole('button', { name: /Refund/ }).count(), 0, 'an impossible action is offered');
    await shop.harness.assertMoney(session, 'authorized', ['authorise 4800']);
  });

  test('shows the payment’s ids and links to its views', { timeout: TIMEOUT }, async () => {
    const { page, session } = await shop.paid();
    assert.ok(session.psp_reference);
    for (const name of [session.session_id, session.psp_reference]) {
      await page.locator('#details').getByText(name, { exact: true }).waitFor();
    }
    await page.locator('h1 + #status-label').getByText('Payment: authorized').waitFor();
    const reference = await page.getByRole('link', { name: 'API reference' }).getAttribute('href');
    assert.equal((await fetch(reference)).status, 200);
    await page.getByRole('link', { name: 'Operators’ view' }).click();
    await page.getByRole('heading', { name: session.session_id }).waitFor();
  });

  test('captures, refunds a part, and then the rest', { timeout: TIMEOUT }, async () => {
    const { page, session } = await shop.paid();

    await button(page, 'Capture $48.00').click();
    await entry(page, 'Captured').waitFor();
    await page.getByLabel('Amount in USD').fill('10.5');
    await looks(page, 2);
    assert.equal(await page.getByLabel('Amount in USD').inputValue(), '10.5', 'the input is lost');
    await button(page, 'Refund this amount').click();
    await entry(page, 'Refund of $10.50 succeeded').waitFor();
    await page.locator('#status-label').getByText('partially refunded').waitFor();
    await shop.harness.assertMoney(session, 'captured', ['authorise 4800', 'capture 4800', 'refund 1050']);

    await button(page, 'Refund all $37.50').click();
    await page.getByRole('heading', { name: 'Refunded', exact: true }).waitFor();
    await becomes(() => page.locator('#actions button').count(), 0, 'no action is left');
    const ledger = ['authorise 4800', 'capture 4800', 'refund 1050', 'refund 3750'];
    await shop.harness.assertMoney(session, 'captured', ledger);
  });

  test('cancels, and nothing is captured', { timeout: TIMEOUT }, async () => {
    const { page, session } = await shop.paid();

    await button(page, 'Cancel the order').click();
    await page.getByRole('heading', { name: 'The order is cancelled' }).waitFor();
    await entry(page, 'Cancelled').waitFor();
    await becomes(() => page.locator('#actions button').count(), 0, 'no action is left');
    await shop.harness.assertMoney(session, 'cancelled', ['authorise 4800', 'void 4800']);
  });

  test('shows what the API refused, and continues', { timeout: TIMEOUT }, async () => {
    const { page, session } = await shop.paid();
    await button(page, 'Capture $48.00').click();

    await page.getByLabel('Amount in USD').fill('48.01');
    await button(page, 'Refund this amount').click();
    const alert = page.getByRole('alert').filter({ hasText: 'The refund of $48.01 failed.' });
    await alert.getByText('refund_exceeds_captured').waitFor();

    await page.getByLabel('Amount in USD').fill('48');
    await button(page, 'Refund this amount').click();
    await entry(page, 'Refund of $48.00 succeeded').waitFor();
    await shop.harness.assertMoney(session, 'captured', ['authorise 4800', 'capture 4800', 'refund 4800']);
  });

  test('an action that was not executed is retried under its key', { timeout: TIMEOUT }, async () => {
    const { page, session } = await shop.paid();
    const faults = (method, body) =>
      fetch(`${shop.service.simulatorUrl}/v1/faults`, {
        method,
        headers: { 'Content-Type': 'application/json' },
        body: body && JSON.stringify(body),
      });

    // Long enough to press a button on a busy machine.
    await faults('PUT', { refuse_connections_ms: 6000 });
    await button(page, 'Cancel the order').click();
    await page.getByRole('alert').getByText('psp_unavailable').waitFor();
    await faults('DELETE').catch(() => {});
    // The simulator refuses connections for a while; the merchant retries.
    const cancelled = page.getByRole('heading', { name: 'The order is cancelled' });
    const tryAgain = async () => {
      await button(page, 'Try again').or(cancelled).waitFor();
      if (await cancelled.isVisible()) return true;
      await button(page, 'Try again').click();
      await page.waitForLoadState();
      return false;
    };
    await until(tryAgain, 'the cancel');
    await shop.harness.assertMoney(session, 'cancelled', ['authorise 4800', 'void 4800']);
    const keys = await page.locator('#calls').getByText(/^Idempotency-Key: order-\d+-\d+-1$/).count();
    assert.ok(keys >= 2, 'a retry has another key');
  });

  test('a button that is pressed twice has one effect', { timeout: TIMEOUT }, async () => {
    const { page, session } = await shop.paid();
    await button(page, 'Capture $48.00').click();
    await page.getByLabel('Amount in USD').fill('10');
    const fields = await page.locator('form[action$="/refund"]').filter({ has: page.getByLabel('Amount in USD') }).evaluate((form) => {
      return Array.from(new FormData(form));
    });

    const send = () =>
      fetch(`${page.url().replace(/#.*/, '')}/refund`, {
        method: 'POST',
        redirect: 'manual',
        body: new URLSearchParams(fields),
      });
    const responses = [...(await Promise.all([send(), send()])), await send()];
    assert.deepEqual(responses.map(({ status }) => status), [303, 303, 303]);
    await entry(page, 'Refund of $10.00 succeeded').waitFor();
    await shop.harness.assertMoney(session, 'captured', ['authorise 4800', 'capture 4800', 'refund 1000']);
  });

  test('another site can neither submit its forms nor frame it', { timeout: TIMEOUT }, async () => {
    const forged = (headers) =>
      fetch(`${shop.url}/orders`, { method: 'POST', redirect: 'manual', headers, body: new URLSearchParams({ mug: 1 }) });
    assert.equal((await forged({ Origin: 'https://evil.example' })).status, 403);
    assert.equal((await forged({ 'Sec-Fetch-Site': 'cross-site' })).status, 403);

    const policy = (await fetch(shop.url)).headers.get('content-security-policy');
    assert.match(policy, /frame-ancestors 'none'/);
    assert.doesNotMatch(policy, /unsafe/);
  });
});
