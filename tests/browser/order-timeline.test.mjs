// The demo shop's order page as documentation: each event with its source, each call as it was sent.
import assert from 'node:assert/strict';
import { createHash, createHmac } from 'node:crypto';
import { describe, test } from 'node:test';
import { CARDS } from './harness.mjs';
import { button, demoShop, entry, looks } from './support/demo_shop.mjs';
import { becomes } from './support/until.mjs';

const TIMEOUT = 180_000;

describe('the order page', { timeout: 10 * TIMEOUT }, () => {
  const shop = demoShop();

  test('has one entry per event, with the webhook that reported it', { timeout: TIMEOUT }, async () => {
    const { page, checkout } = await shop.order();
    await checkout.pay(CARDS.declined);
    await checkout.heading('Payment declined');
    await checkout.pay(CARDS.approved);
    await page.getByRole('heading', { name: 'Thank you' }).waitFor();
    const session = await shop.sessionOf(page);
    // Another program of the merchant captures: the open page updates itself.
    await shop.act(session, 'capture');
    await entry(page, 'Captured').waitFor();
    await page.getByLabel('Amount in USD').fill('8');
    await button(page, 'Refund this amount').click();

    const facts = {
      Refused: ['payment.refused'],
      Authorized: ['payment.authorized'],
      Captured: ['payment.captured'],
      'Refund of $8.00 succeeded': ['refund.requested', 'refund.succeeded'],
    };
    let sequence = 0;
    for (const [title, names] of Object.entries(facts)) {
      const webhooks = entry(page, title).locator('.deliveries > li');
      for (const [place, name] of names.entries()) {
        sequence += 1;
        await webhooks.nth(place).getByText(`${name} webhook, event ${sequence}`).waitFor();
        await webhooks.nth(place).getByText(/^Delivered once at .+, signature verified$/).waitFor();
      }
      await becomes(() => webhooks.count(), names.length, title);
    }
    const titles = page.locator('.timeline > li strong');
    const expected = ['Order placed', 'Created', ...Object.keys(facts)];
    const shown = async () => (await titles.allInnerTexts()).filter((title) => title !== 'Pending');
    await becomes(shown, expected, 'the entries');
    const events = await shop.events(session);
    assert.equal(events.length, 5);
    for (const { id } of events) await becomes(() => page.locator('#timeline').getByText(id).count(), 1, id);
  });

  test('counts redeliveries', { timeout: TIMEOUT }, async () => {
    const { page, session } = await shop.paid();
    const webhooks = entry(page, 'Authorized').locator('.deliveries > li');
    await webhooks.getByText(/^Delivered once at /).waitFor();
    const [event] = await shop.events(session);
    await shop.service.api('POST', `/v1/events/${event.id}/redeliver`, {});
    await webhooks.getByText(/^Delivered 2 times, first at /).waitFor();
    assert.equal(await webhooks.count(), 1, 'a redelivery added an entry');
  });

  test('rejects webhooks without a valid signature', { timeout: TIMEOUT }, async () => {
    const { page, session } = await shop.paid();
    await entry(page, 'Authorized').locator('.deliveries').waitFor();
    const [event] = await shop.events(session);
    const forged = { ...event, id: 'evt_forged', sequence: 2, event: 'payment.captured', status: 'captured' };
    const post = (headers) =>
      fetch(`${shop.url}/webhooks/oncharge`, {
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
    await looks(page, 2);
    assert.equal(await page.locator('#timeline').getByText('payment.captured').count(), 0);
    await shop.harness.assertMoney(session, 'authorized', ['authorise 4800']);
  });

  test('polls if no webhook arrives', { timeout: TIMEOUT }, async () => {
    const endpoint = (url) => shop.service.api('PUT', '/v1/webhook_endpoint', { url });
    const { url } = (await shop.service.api('GET', '/v1/webhook_endpoint')).body;
    assert.equal(url, `${shop.url}/webhooks/oncharge`, 'the sandbox has set the endpoint');
    assert.equal((await endpoint('http://127.0.0.1:9/nobody')).status, 200);
    try {
      const { page, session } = await shop.paid();
      await shop.act(session, 'capture');
      for (const title of ['Authorized', 'Captured']) {
        await entry(page, title).getByText('Read by GET; no webhook received yet').waitFor();
      }
      assert.equal(await page.locator('.deliveries').count(), 0);
    } finally {
      await endpoint(url);
    }
  });

  test('shows each call with its signature, request and response', { timeout: TIMEOUT }, async () => {
    const { page, session } = await shop.paid();
    const call = page.locator('#calls details').filter({ hasText: 'POST /v1/checkout/sessions' });
    await call.locator('summary').focus();
    await page.keyboard.press('Enter');
    const [request, response] = await call.locator('pre').allInnerTexts();
    await looks(page, 6);
    assert.equal(await call.getAttribute('open'), '', 'what was opened stays open');
    const focused = await page.evaluate(() => document.activeElement.tagName);
    assert.equal(focused, 'SUMMARY', 'the focus is kept');

    const [head, body] = request.split('\n\n');
    const [line, ...lines] = head.split('\n');
    const headers = Object.fromEntries(lines.map((line) => line.split(': ')));
    assert.equal(line, 'POST /v1/checkout/sessions');
    assert.equal(headers['X-Oncharge-Key'], shop.service.key);
    assert.match(headers['Idempotency-Key'], /^order-\d+-\d+-0$/);
    assert.equal(JSON.parse(body).amount, 4800);
    const sha256 = (text) => createHash('sha256').update(text).digest('hex');
    const signed = `${headers['X-Oncharge-Timestamp']}.POST./v1/checkout/sessions.${sha256(body)}`;
    const signature = createHmac('sha256', sha256(shop.service.secret)).update(signed).digest('hex');
    assert.equal(headers['X-Oncharge-Signature'], signature, 'it is the actual request');

    assert.match(response, /^201 Created\nX-Request-Id: req_[0-9a-f]+\n\n\{\n {2}"session_id": /);
    const made = JSON.parse(response.split('\n\n')[1]);
    assert.equal(made.session_id, session.session_id);
    assert.equal(made.pay_token, 'pt_…');
    assert.equal(made.iframe_url, `/checkout/${session.session_id}?token=pt_…`);
  });

  test('neither shows nor stores the API secret or a pay token', { timeout: TIMEOUT }, async () => {
    const { page, checkout } = await shop.order();
    const token = new URL(checkout.frame.url()).searchParams.get('token');
    assert.match(token, /^pt_.{20}/);
    const times = (text, secret) => text.split(secret).length - 1;
    const shown = async () => {
      const texts = [page.url(), `${page.url()}/state`, `${shop.url}/orders`].map(async (url) => {
        const text = await (await fetch(url)).text();
        assert.equal(times(text, shop.service.secret), 0, url);
        return times(text, token);
      });
      return Promise.all(texts);
    };
    const kept = () => {
      const files = shop.service.files().filter(({ name }) => name.startsWith('shop'));
      assert.ok(files.length >= 2, 'orders and webhooks');
      for (const { name, bytes } of files) {
        for (const secret of ['pt_', shop.service.secret]) assert.ok(!bytes.includes(secret), name);
      }
      assert.equal(times(shop.service.output, token), 0, 'the log');
    };

    assert.deepEqual(await shown(), [1, 0, 0], 'only for the frame, while there is something to pay');
    kept();
    await checkout.pay(CARDS.approved);
    await page.getByRole('heading', { name: 'Thank you' }).waitFor();
    await button(page, 'Capture $48.00').click();
    await entry(page, 'Captured').waitFor();
    assert.deepEqual(await shown(), [0, 0, 0]);
    kept();
  });
});
