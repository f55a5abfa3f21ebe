// Everything that a browser test needs in one import: service, browser, shop, checkout.
import assert from 'node:assert/strict';
import { launchBrowser, visit } from './support/browser.mjs';
import { checkoutOf } from './support/checkout.mjs';
import { startService } from './support/service.mjs';
import { startShop } from './support/shop.mjs';

export { PROFILES } from './support/browser.mjs';
export { CARDS, checkoutOf } from './support/checkout.mjs';

const ORDER = { amount: 9999, currency: 'USD', reference: 'order-42' };

/** Starts the service (with these additional flags), a shop and Chromium. Does not build anything. */
export async function start({ flags = [] } = {}) {
  const service = await startService(flags);
  try {
    const shop = await startShop(service);
    return new Harness(service, shop, await launchBrowser());
  } catch (error) {
    await service.stop();
    service.removeFiles();
    throw error;
  }
}

class Harness {
  constructor(service, shop, browser) {
    this.service = service;
    this.shop = shop;
    this.browser = browser;
  }

  /** A session of the shop's merchant that returns to the shop, with its order. */
  async createSession(fields = {}) {
    const order = { ...ORDER, ...fields };
    const made = await this.service.createSession({ return_url: this.shop.returnUrl, ...order });
    const { amount, currency, reference } = order;
    return { amount, currency, reference, ...made };
  }

  /** A new visitor; with `address`, the page is loaded. `prepare` receives the visitor before that. */
  async visit(address, { prepare, waitUntil = 'load', ...options } = {}) {
    const visitor = await visit(this.browser, options);
    await prepare?.(visitor);
    if (address) await visitor.page.goto(address, { waitUntil });
    return visitor;
  }

  /** A visitor at the session's standalone page, and its checkout. */
  open(session, options) {
    return this.#atCheckout(this.service.checkoutUrl(session), session, options);
  }

  /** A visitor at the shop's page that embeds the session, and its checkout. */
  embed(session, options) {
    return this.#atCheckout(this.shop.embedding(session), session, options);
  }

  async #atCheckout(address, session, options) {
    // Not `load`: that waits for the card fields, which a test may hold back.
    const visitor = await this.visit(address, { waitUntil: 'domcontentloaded', ...options });
    return { visitor, page: visitor.page, checkout: await checkoutOf(visitor, this.service, session) };
  }

  /** Pays without a browser, as the page does: `{status, next}`. */
  async payByCall(session, number) {
    const { simulatorUrl, baseUrl } = this.service;
    const post = async (url, body, headers) => {
      const init = { method: 'POST', headers: { 'Content-Type': 'application/json', ...headers } };
      const response = await fetch(url, { ...init, body: JSON.stringify(body) });
      assert.ok(response.ok, `${url}: ${response.status}`);
      return response.json();
    };
    const card = { number: number.replaceAll(' ', ''), exp_month: 12, exp_year: 2034, cvc: '123' };
    const { token } = await post(`${simulatorUrl}/v1/tokens`, card);
    const bearer = { Authorization: `Bearer ${session.pay_token}` };
    return post(`${baseUrl}/checkout/${session.session_id}/pay`, { payment_method: token }, bearer);
  }

  /** Cancels the session as the merchant. */
  async cancel(session) {
    const { status, body } = await this.service.api('POST', `/v1/checkout/sessions/${session.session_id}/cancel`, {});
    assert.equal(status, 200, JSON.stringify(body));
  }

  /** Asserts the status in the merchant API and the ledger of the PSP. */
  async assertMoney(session, status, ledger) {
    assert.equal((await this.service.session(session.session_id)).status, status);
    assert.deepEqual(await this.service.ledger(session.session_id), ledger);
  }

  /** Stops everything and removes the service's files. */
  async close() {
    await this.browser.close();
    await this.shop.close();
    await this.service.stop();
    this.service.removeFiles();
  }
}
