// Stripe's client library for Node against the simulator's Stripe face: it must understand the responses,
// and its `constructEvent` must verify the events.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import Stripe from 'stripe';
import { PUBLISHABLE_KEY, SECRET_KEY, WEBHOOK_SECRET, startSimulator } from './simulator.mjs';

const TIMEOUT = 60_000;
const CARDS = { approved: '4242424242424242', declined: '4000000000009995', challenge: '4000002500003155' };

/** The library with all its paths under the face's prefix. */
function library(simulator, key, options = {}) {
  const { hostname, port } = new URL(simulator.url);
  const httpClient = Stripe.createNodeHttpClient();
  const send = httpClient.makeRequest.bind(httpClient);
  httpClient.makeRequest = (host, hostPort, path, ...rest) => send(host, hostPort, `/stripe${path}`, ...rest);
  return new Stripe(key, { host: hostname, port, protocol: 'http', httpClient, telemetry: false, ...options });
}

describe("the Stripe face with Stripe's client library", { timeout: TIMEOUT }, () => {
  let simulator, stripe, browser;

  before(async () => {
    simulator = await startSimulator();
    stripe = library(simulator, SECRET_KEY);
    browser = library(simulator, PUBLISHABLE_KEY);
  });
  after(() => simulator?.stop());

  /** The next event, verified. */
  const nextEvent = async () => {
    const { body, signature } = await simulator.events.next();
    return stripe.webhooks.constructEvent(body, signature, WEBHOOK_SECRET);
  };

  const paymentMethod = async (number) => {
    const card = { number, exp_month: 12, exp_year: 2040, cvc: '123' };
    const { id } = await browser.paymentMethods.create({ type: 'card', card });
    return id;
  };

  /** Creates and confirms an intent as a server does. */
  const pay = async (number, key) =>
    stripe.paymentIntents.create(
      {
        amount: 1000,
        currency: 'eur',
        capture_method: 'manual',
        confirmation_method: 'manual',
        payment_method: await paymentMethod(number),
        payment_method_types: ['card'],
        confirm: true,
        use_stripe_sdk: true,
        return_url: 'https://shop.example/return',
        metadata: { operation: key },
      },
      { idempotencyKey: key },
    );

  test('an intent with 3-D Secure is captured in part and refunded twice', async () => {
    const opened = await pay(CARDS.challenge, 'create');
    assert.equal(opened.status, 'requires_action');
    const event = await nextEvent();
    assert.equal(event.type, 'payment_intent.requires_action');
    assert.equal(event.data.object.id, opened.id);

    const { stripe_js: page } = opened.next_action.use_stripe_sdk;
    const form = new URLSearchParams({ outcome: 'pass' });
    assert.equal((await fetch(page, { method: 'POST', body: form })).status, 200);
    const confirmed = await stripe.paymentIntents.confirm(
      opened.id,
      { expand: ['latest_charge'] },
      { idempotencyKey: 'confirm' },
    );
    assert.equal(confirmed.status, 'requires_capture');
    assert.equal(confirmed.latest_charge.payment_method_details.card.last4, '3155');
    assert.equal((await nextEvent()).type, 'payment_intent.amount_capturable_updated');

    const captured = await stripe.paymentIntents.capture(opened.id, { amount_to_capture: 600 });
    assert.equal(captured.status, 'succeeded');
    assert.equal(captured.amount_received, 600);
    assert.equal((await nextEvent()).type, 'payment_intent.succeeded');

    const refund = (operation) =>
      stripe.refunds.create(
        { payment_intent: opened.id, amount: 200, metadata: { operation } },
        { idempotencyKey: operation },
      );
    const made = [await refund('one'), await refund('two')];
    assert.notEqual(made[0].id, made[1].id);
    assert.deepEqual(
      made.map(({ status, amount }) => [status, amount]),
      [['succeeded', 200], ['succeeded', 200]],
    );
    const listed = [];
    for await (const { id, metadata } of stripe.refunds.list({ payment_intent: opened.id, limit: 1 })) {
      listed.push([id, metadata.operation]);
    }
    assert.deepEqual(listed, [[made[1].id, 'two'], [made[0].id, 'one']]);
    const types = [];
    for (let n = 0; n < 4; n += 1) types.push((await nextEvent()).type);
    assert.deepEqual(types, ['charge.refunded', 'refund.updated', 'charge.refunded', 'refund.updated']);
  });

  test('the same request under a key is replayed, another is an idempotency error', async () => {
    const first = await stripe.paymentIntents.create({ amount: 700, currency: 'eur' }, { idempotencyKey: 'same' });
    const again = await stripe.paymentIntents.create({ amount: 700, currency: 'eur' }, { idempotencyKey: 'same' });
    assert.equal(again.id, first.id);
    assert.equal(again.lastResponse.headers['idempotent-replayed'], 'true');
    await assert.rejects(
      stripe.paymentIntents.create({ amount: 701, currency: 'eur' }, { idempotencyKey: 'same' }),
      Stripe.errors.StripeIdempotencyError,
    );
  });

  test('errors have the classes and codes of the library', async () => {
    await assert.rejects(pay(CARDS.declined, 'declined'), (error) => {
      assert.ok(error instanceof Stripe.errors.StripeCardError);
      assert.deepEqual([error.code, error.decline_code], ['card_declined', 'insufficient_funds']);
      assert.equal(error.payment_intent.status, 'requires_payment_method');
      return true;
    });
    assert.equal((await nextEvent()).type, 'payment_intent.payment_failed');
    const intent = await pay(CARDS.approved, 'held');
    await nextEvent();
    await assert.rejects(stripe.paymentIntents.capture(intent.id, { amount_to_capture: 1001 }), {
      type: 'StripeInvalidRequestError',
      code: 'amount_too_large',
      param: 'amount_to_capture',
    });
    await assert.rejects(stripe.refunds.create({ payment_intent: intent.id }), {
      code: 'payment_intent_unexpected_state',
    });
    await assert.rejects(stripe.paymentIntents.retrieve('pi_unknown'), { statusCode: 404, code: 'resource_missing' });
    await assert.rejects(browser.paymentIntents.capture(intent.id), Stripe.errors.StripeAuthenticationError);
    const canceled = await stripe.paymentIntents.cancel(intent.id);
    assert.equal(canceled.status, 'canceled');
    assert.equal((await nextEvent()).type, 'payment_intent.canceled');
  });

  test('a lost response is repeated by the library under the same key', async () => {
    const faults = `${simulator.url}/v1/faults`;
    const body = JSON.stringify({ error_rate: 0.5, drop_after_work_rate: 0.5, seed: 36 });
    // With this seed the first request is executed without a response, the second gets 503.
    await fetch(faults, { method: 'PUT', body });
    const persistent = library(simulator, SECRET_KEY, { maxNetworkRetries: 8 });
    const made = await persistent.paymentIntents.create({ amount: 800, currency: 'eur' });
    await fetch(faults, { method: 'DELETE' });
    assert.equal(made.amount, 800);
    assert.equal(made.lastResponse.headers['idempotent-replayed'], 'true');
    const recent = await stripe.paymentIntents.list({ created: { gte: made.created }, limit: 100 });
    assert.equal(recent.data.filter(({ amount }) => amount === 800).length, 1);
  });

  test('a forged event is rejected by the library', async () => {
    await pay(CARDS.approved, 'forged');
    const { body, signature } = await simulator.events.next();
    const changed = body.toString().replace('"amount":1000', '"amount":1');
    assert.notEqual(changed, body.toString());
    const verify = (text, secret) => stripe.webhooks.constructEvent(text, signature, secret);
    assert.equal(verify(body, WEBHOOK_SECRET).type, 'payment_intent.amount_capturable_updated');
    assert.throws(() => verify(changed, WEBHOOK_SECRET), Stripe.errors.StripeSignatureVerificationError);
    assert.throws(() => verify(body, 'whsec_other'), Stripe.errors.StripeSignatureVerificationError);
  });
});
