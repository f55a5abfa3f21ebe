// The demo shop's pages in every state, on every screen: the cart, the order, the list of orders.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { CARDS } from './harness.mjs';
import { assertAccessible, button, demoShop, entry } from './support/demo_shop.mjs';
import { becomes, until } from './support/until.mjs';

const TIMEOUT = 180_000;
// axe checks each page four times.
const LONG = 2 * TIMEOUT;
const PHONE = { viewport: { width: 320, height: 640 } };

/** Resolves when the cart has this total. */
const totals = (page, expected) => becomes(() => page.locator('#total').innerText(), expected, 'the total');

describe('the pages of the demo shop', { timeout: 10 * TIMEOUT }, () => {
  const shop = demoShop();

  /** Runs axe and checks the page's width, on a desktop and a phone, in light and dark mode. */
  const look = async (page, state) => {
    for (const [width, scheme, other] of [[1280, 'light', 'dark'], [320, 'dark', 'light']]) {
      await page.setViewportSize({ width, height: 800 });
      await page.emulateMedia({ colorScheme: scheme });
      const over = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
      assert.ok(over <= 0, `${state} is ${over} px wider than ${width} px`);
      await assertAccessible(page, `${state}, ${width} px, ${scheme}`);
      // Only colors differ in the other scheme.
      await page.emulateMedia({ colorScheme: other });
      await assertAccessible(page, `${state}, ${width} px, ${other}`, ['color-contrast']);
    }
  };

  test('are accessible and fit before anything is ordered', { timeout: LONG }, async () => {
    const { page } = await shop.enter('/orders');
    await page.getByText('No orders yet.').waitFor();
    await look(page, 'no orders');
    for (const [path, state] of [['/', 'an empty cart'], ['/?mug=2&notebook=1&lamp=9&fern=1', 'a full cart']]) {
      await page.goto(shop.url + path);
      await look(page, state);
    }
    const visitor = await shop.enter('/orders');
    await visitor.page.goto(`${shop.url}/orders/7`);
    await look(visitor.page, 'nothing there');
    const [notFound] = visitor.consoleErrors.splice(0);
    assert.match(notFound, /404/, 'the browser’s own message about the page');
  });

  test('are accessible and fit while an order is paid', { timeout: LONG }, async () => {
    const { page, checkout } = await shop.order();
    await checkout.fields();
    await look(page, 'an order to be paid');
    await checkout.pay(CARDS.declined);
    await page.locator('#status-label').getByText('refused').waitFor();
    await look(page, 'refused, to be tried again');
    await checkout.pay(CARDS.approved);
    await page.getByRole('heading', { name: 'Thank you' }).waitFor();
    await look(page, 'paid');
  });

  test('are accessible and fit from the capture to the last refund', { timeout: LONG }, async () => {
    const { page, session } = await shop.paid();
    await shop.act(session, 'capture');
    await entry(page, 'Captured').waitFor();
    await look(page, 'captured');
    await page.getByLabel('Amount in USD').fill('99');
    await button(page, 'Refund this amount').click();
    await page.getByRole('alert').filter({ hasText: 'failed.' }).waitFor();
    await look(page, 'a refund that was refused');
    await page.getByLabel('Amount in USD').fill('10');
    await button(page, 'Refund this amount').click();
    await entry(page, 'Refund of $10.00 succeeded').waitFor();
    for (const summary of await page.locator('#calls summary').all()) await summary.click();
    await look(page, 'partly refunded, all calls open');
    await button(page, 'Refund all $38.00').click();
    await page.getByRole('heading', { name: 'Refunded', exact: true }).waitFor();
    await look(page, 'refunded');
  });

  test('are accessible and fit for an unpaid or cancelled order', { timeout: LONG }, async () => {
    const { page, session } = await shop.paid();
    await shop.act(session, 'cancel');
    await page.getByRole('heading', { name: 'The order is cancelled' }).waitFor();
    await look(page, 'cancelled');

    const { page: unpaid } = await shop.order();
    await shop.act(await shop.sessionOf(unpaid), 'expire');
    await unpaid.getByRole('heading', { name: 'The time to pay has run out' }).waitFor();
    await look(unpaid, 'expired');
    await unpaid.goto(`${shop.url}/orders`);
    await look(unpaid, 'some orders');
  });

  test('give the checkout the height that it needs, in each view', { timeout: TIMEOUT }, async () => {
    for (const options of [{}, { ...PHONE, locale: 'de-DE' }]) {
      const { page, checkout } = await shop.order(options);
      const frame = page.locator('#pay iframe');
      const fits = async (view) => {
        const needed = () =>
          checkout.frame.evaluate(() => Math.ceil(document.getElementById('checkout').getBoundingClientRect().height));
        const given = () => frame.evaluate((element) => element.getBoundingClientRect().height);
        await becomes(async () => (await given()) - (await needed()), 0, `the excess height of ${view}`);
      };
      await checkout.fields();
      await fits('the form');
      await checkout.payButton.click();
      await checkout.alert.filter({ hasText: /./ }).waitFor();
      await fits('the form with errors');
      await checkout.pay(CARDS.declined);
      await checkout.heading('live.declined.heading');
      await fits('the refusal');
      await checkout.pay(CARDS.challenged);
      await checkout.heading('challenge.heading');
      await fits('the challenge');
      await checkout.answerChallenge('pass');
      await page.getByRole('heading', { name: 'Thank you' }).waitFor();
    }
  });

  test('have a cart that works with the keyboard', { timeout: TIMEOUT }, async () => {
    const { page } = await shop.enter('/?lamp=1&fern=2');
    const press = async (name) => {
      await button(page, name).focus();
      await page.keyboard.press('Enter');
    };
    const focused = () => page.evaluate(() => document.activeElement.textContent);
    await press('One less: Fern in a pot');
    await totals(page, '$121.75');
    await becomes(() => new URL(page.url()).search, '?lamp=1&fern=1', 'the address');
    for (let more = 0; more < 9; more += 1) await press('One more: Desk lamp');
    await page.getByRole('status').filter({ hasText: /^Desk lamp: 9 is the maximum quantity$/ }).waitFor();
    assert.equal(new URL(page.url()).searchParams.get('lamp'), '9');
    await press('One less: Fern in a pot');
    await button(page, 'One less: Fern in a pot').waitFor({ state: 'detached' });
    await becomes(focused, 'Your cart', 'the focus');
    await page.reload();
    // The cart is stored in the address.
    await totals(page, '$801.00');
  });

  test('have a cart that works without scripts', { timeout: TIMEOUT }, async () => {
    const { page } = await shop.enter('/', { javaScriptEnabled: false });
    for (const product of ['Desk lamp', 'Fern in a pot', 'Fern in a pot']) {
      await button(page, `Add to cart: ${product}`).click();
    }
    await totals(page, '$154.50');
    await button(page, 'One more: Desk lamp').click();
    await button(page, 'One less: Fern in a pot').click();
    await totals(page, '$210.75');
    await button(page, 'Place order').click();
    await page.getByText('$210.75').first().waitFor();
  });

  test('link to the cart from any scroll position on a phone', { timeout: TIMEOUT }, async () => {
    const { page } = await shop.enter('/', PHONE);
    await button(page, 'Add to cart: Stoneware mug').click();
    const way = page.getByRole('link', { name: 'Go to cart: $24.00' });
    const inSight = (locator) =>
      locator.evaluate((element) => {
        const { top, bottom } = element.getBoundingClientRect();
        return top >= 0 && bottom <= window.innerHeight;
      });
    await until(() => inSight(way), 'the link is visible');
    await way.click();
    await until(() => inSight(page.getByRole('heading', { name: 'Your cart' })), 'the cart is visible');
  });

  test('copy a card’s number', { timeout: TIMEOUT }, async () => {
    const { visitor, page } = await shop.order();
    await visitor.context.grantPermissions(['clipboard-read', 'clipboard-write']);
    for (const number of Object.values(CARDS)) {
      await button(page, `Copy ${number}`).click();
      await page.locator('#copied').getByText(`${number} copied`).waitFor();
      assert.equal(await page.evaluate(() => navigator.clipboard.readText()), number);
    }
  });
});
