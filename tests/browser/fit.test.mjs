// The frame in the shop's page: as high as its content, with the next step visible.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { CARDS, PROFILES, checkoutOf, start } from './harness.mjs';
import { untilFits } from './support/fit.mjs';
import { admit, mounting, stage } from './support/test_pages.mjs';
import { STATES } from './support/states.mjs';
import { until } from './support/until.mjs';

const TIMEOUT = 180_000;

describe('the frame', { timeout: 5 * TIMEOUT }, () => {
  let harness;

  before(async () => (harness = await start()));
  after(() => harness?.close());

  for (const { name, options } of [PROFILES.find(({ phone }) => !phone), PROFILES.find(({ phone }) => phone)]) {
    test(`is as high as its content: ${name}`, { timeout: 2 * TIMEOUT }, async () => {
      const heights = new Map();
      for (const state of STATES.filter(({ alone }) => !alone)) {
        const { visitor, page, checkout } = await state.show(harness, { ...options, embedded: true });
        await untilFits(page, checkout, state.name);
        const { height } = await page.locator('iframe').boundingBox();
        heights.set(state.name, height);
        await visitor.close();
      }
      assert.ok(heights.get('challenge') > heights.get('ready'), 'it does not grow');
      assert.ok(heights.get('success') < heights.get('ready'), 'it does not shrink');
    });
  }

  test('scrolls to the next step, whatever the scroll position', { timeout: TIMEOUT }, async () => {
    const session = await harness.createSession();
    const visitor = await harness.visit(null, { viewport: { width: 320, height: 480 } });
    await admit(visitor);
    const { page } = visitor;
    const address = `${harness.shop.origin}/tall`;
    const tall = '<div style="height: 900px">much</div>';
    await stage(page, address, tall + mounting(harness.service, [session]) + tall);
    await page.goto(address, { waitUntil: 'domcontentloaded' });
    const checkout = await checkoutOf(visitor, harness.service, session);
    await checkout.enter(CARDS.challenged);
    await checkout.payButton.scrollIntoViewIfNeeded();
    // The frame's top is not visible, its button is.
    await page.evaluate(() => window.scrollBy(0, document.querySelector('iframe').getBoundingClientRect().top + 250));
    await checkout.payButton.click();

    await checkout.heading('challenge.heading');
    const top = async () => (await checkout.headingOf('challenge.heading').boundingBox()).y;
    // The frame grows first, then the page scrolls.
    await until(async () => (await top()) >= 0 && (await top()) < 480, 'the heading is visible');
    await visitor.close();
  });
});
