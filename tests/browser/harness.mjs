// All that a browser test needs, in one import: the service, the browser, a shop, the checkout.
import assert from 'node:assert/strict';
import { launchBrowser, visit } from './support/browser.mjs';
import { checkoutOf } from './support/checkout.mjs';
import { startService } from './support/service.mjs';
import { startShop } from './support/shop.mjs';

export { CARDS, checkoutOf } from './support/checkout.mjs';

/** Starts the service (with these flags added), a shop and Chromium. Builds nothing. */
export async function start({ flags = [] } = {}) {
  const service = await startService(flags);
  try {
    const shop = await startShop(service);
    return new Harness(service, shop, await launchBrowser());
  } catch (error) {
    await service.stop();
    service.sweep();
    throw error;
  }
}

class Harness {
  constructor(service, shop, browser) {
    this.service = service;
    this.shop = shop;
    this.browser = browser;
  }

  /** A session of the shop's merchant that comes back to the shop. */
  createSession(fields = {}) {
    return this.service.createSession({ return_url: this.shop.returnUrl, ...fields });
  }

  /** A new visitor; with `address`, already there. */
  async visit(address, options) {
    const visitor = await visit(this.browser, options);
    if (address) await visitor.page.goto(address);
    return visitor;
  }

  /** A visitor at the session's page opened by itself, and its checkout. */
  async open(session, options) {
    const visitor = await this.visit(this.service.checkoutUrl(session), options);
    return { visitor, page: visitor.page, checkout: await checkoutOf(visitor, this.service) };
  }

  /** A visitor at the shop's page in which the session is embedded, and its checkout. */
  async embed(session, options) {
    const visitor = await this.visit(this.shop.embedding(session), options);
    return { visitor, page: visitor.page, checkout: await checkoutOf(visitor, this.service) };
  }

  /** Asserts what the merchant and the PSP say of a session. */
  async assertMoney(session, status, ledger) {
    assert.equal((await this.service.session(session.session_id)).status, status);
    assert.deepEqual(await this.service.ledger(session.session_id), ledger);
  }

  /** Stops everything and removes what the service wrote. */
  async close() {
    await this.browser.close();
    await this.shop.close();
    await this.service.stop();
    this.service.sweep();
  }
}
