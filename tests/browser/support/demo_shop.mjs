// The demo shop as its shoppers and its merchant use it.
import assert from 'node:assert/strict';
import { after, afterEach, before } from 'node:test';
import AxeBuilder from '@axe-core/playwright';
import { CARDS, checkoutOf, start } from '../harness.mjs';

/** The shop for the tests of one `describe`: started before them, stopped afterwards. No page may have errors. */
export function demoShop() {
  const shop = new DemoShop();
  before(async () => (shop.harness = await start()));
  after(() => shop.harness?.close());
  afterEach(() => shop.leave());
  return shop;
}

class DemoShop {
  #visitors = [];

  get service() {
    return this.harness.service;
  }

  get url() {
    return this.service.demoShopUrl;
  }

  /** A visitor at this path. */
  async enter(path = '/', options) {
    const visitor = await this.harness.visit(this.url + path, options);
    this.#visitors.push(visitor);
    return visitor;
  }

  /** Closes all visitors; asserts that no page had errors. */
  async leave() {
    const consoleErrors = this.#visitors.flatMap((visitor) => visitor.consoleErrors);
    await Promise.all(this.#visitors.map((visitor) => visitor.close()));
    this.#visitors = [];
    assert.deepEqual(consoleErrors, [], 'errors in the browser’s console');
  }

  /** Orders two mugs ($48.00); `page` is the order's page, `checkout` the embedded one. */
  async order(options) {
    const visitor = await this.enter('/?mug=2', options);
    const { page } = visitor;
    await button(page, 'Place order').click();
    await page.waitForURL(/\/orders\/\d+$/);
    return { visitor, page, checkout: await checkoutOf(visitor, this.service) };
  }

  /** … and pays it. */
  async paid(options) {
    const { visitor, page, checkout } = await this.order(options);
    await checkout.pay(CARDS.approved);
    await page.getByRole('heading', { name: 'Thank you' }).waitFor();
    return { visitor, page, session: await this.sessionOf(page) };
  }

  /** The session of the shown order, from the API. */
  async sessionOf(page) {
    const number = new URL(page.url()).pathname.split('/').at(-1);
    const { body } = await this.service.api('GET', `/v1/checkout/sessions?reference=${number}`);
    return body.data[0];
  }

  /** Calls an action of the session as another program of the merchant; returns the response. */
  async act(session, name) {
    const { status, body } = await this.service.api('POST', `/v1/checkout/sessions/${session.session_id}/${name}`, {});
    assert.equal(status, 200, JSON.stringify(body));
  }

  /** The session's events, by sequence number. */
  async events(session) {
    const { body } = await this.service.api('GET', `/v1/events?session_id=${session.session_id}`);
    return body.data.sort((one, other) => one.sequence - other.sequence);
  }
}

/** A button, by its name. */
export const button = (page, name) => page.getByRole('button', { name, exact: true });

/** The entry of the timeline that has this title. */
export const entry = (page, title) =>
  page.locator('.timeline > li').filter({ has: page.getByText(title, { exact: true }) });

/** Resolves after this many further polls of the page. */
export async function looks(page, times) {
  for (let looked = 0; looked < times; looked += 1) await page.waitForResponse(/\/state$/);
}

/** Asserts that axe finds nothing on the page (the embedded checkout has its own tests). */
export async function assertAccessible(page, where, rules) {
  // Without frames axe does not need a separate page to combine its findings, which is much quicker.
  const axe = new AxeBuilder({ page }).exclude('iframe').setLegacyMode(true);
  const { violations } = await (rules ? axe.withRules(rules) : axe).analyze();
  const found = violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ target }) => target).join(', ')}`);
  assert.deepEqual(found, [], where);
}
