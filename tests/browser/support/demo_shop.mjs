// The demo shop as its visitor and the person behind its counter use it.
import assert from 'node:assert/strict';
import { after, afterEach, before } from 'node:test';
import AxeBuilder from '@axe-core/playwright';
import { CARDS, checkoutOf, start } from '../harness.mjs';

/** The shop, for the tests of one `describe`: started before them, stopped after. No page may complain. */
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

  /** Sends everybody home; the pages of none may have complained. */
  async leave() {
    const complaints = this.#visitors.flatMap((visitor) => visitor.complaints);
    await Promise.all(this.#visitors.map((visitor) => visitor.close()));
    this.#visitors = [];
    assert.deepEqual(complaints, [], 'errors in the browser’s console');
  }

  /** Orders two mugs ($48.00); `page` is the order's, `checkout` the one in it. */
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

  /** The session of the order that is shown, as the API says it. */
  async sessionOf(page) {
    const number = new URL(page.url()).pathname.split('/').at(-1);
    const { body } = await this.service.api('GET', `/v1/checkout/sessions?reference=${number}`);
    return body.data[0];
  }

  /** What the session's act of this name answered, called by another program of the merchant's. */
  async act(session, name) {
    const { status, body } = await this.service.api('POST', `/v1/checkout/sessions/${session.session_id}/${name}`, {});
    assert.equal(status, 200, JSON.stringify(body));
  }

  /** The session's events, by their sequence. */
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

/** Resolves when the page has looked so many more times. */
export async function looks(page, times) {
  for (let looked = 0; looked < times; looked += 1) await page.waitForResponse(/\/state$/);
}

/** Asserts that axe finds nothing on the page (the checkout in its frame has tests of its own). */
export async function assertAccessible(page, where, rules) {
  // Without frames axe needs no page of its own to put its findings together: much quicker.
  const axe = new AxeBuilder({ page }).exclude('iframe').setLegacyMode(true);
  const { violations } = await (rules ? axe.withRules(rules) : axe).analyze();
  const found = violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ target }) => target).join(', ')}`);
  assert.deepEqual(found, [], where);
}
