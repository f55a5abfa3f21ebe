// Visits the product's pages in a browser and writes images to docs/images (see scripts/screenshots).
import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { CARDS, checkoutOf, start } from '../../tests/browser/harness.mjs';
import { untilFits } from '../../tests/browser/support/fit.mjs';
import { STATES } from '../../tests/browser/support/states.mjs';

const IMAGES = fileURLToPath(new URL('../../docs/images/', import.meta.url));
const QUALITY = 70;

// Without motion a spinner always has the same position.
const STILL = { reducedMotion: 'reduce' };
const FRAME = { ...STILL, viewport: { width: 436, height: 900 }, deviceScaleFactor: 1.5, locale: 'en-US' };
const PHONE = { ...STILL, viewport: { width: 360, height: 560 }, deviceScaleFactor: 1.5, colorScheme: 'dark' };
const DESKTOP = { ...STILL, viewport: { width: 1200, height: 720 }, deviceScaleFactor: 1 };

/** On a phone, in dark mode, in the other languages. */
const ON_A_PHONE = [
  ['ready', 'de-DE'],
  ['challenge', 'fr-FR'],
  ['refused', 'es-ES'],
  ['success', 'de-DE'],
];

/** Writes the part of the page in `box`, or from its top, at most `most` pixels high. */
async function picture(page, name, { box, most = 1200 } = {}) {
  await settle(page, box);
  const whole = await page.evaluate(() => {
    return { x: 0, y: 0, width: window.innerWidth, height: document.documentElement.scrollHeight };
  });
  const clip = { ...(box ?? whole), scale: 1 };
  clip.height = Math.min(clip.height, most);
  const session = await page.context().newCDPSession(page);
  const { data } = await session.send('Page.captureScreenshot', {
    format: 'webp',
    quality: QUALITY,
    clip,
    // Only if necessary: the page is laid out again for it, and frames may be late.
    captureBeyondViewport: clip.y + clip.height > page.viewportSize().height,
  });
  writeFileSync(join(IMAGES, `${name}.webp`), Buffer.from(data, 'base64'));
}

/** Waits until nothing is hovered, no caret blinks, and every visible frame has been painted. */
async function settle(page, box = { x: 0, y: 0 }) {
  await page.mouse.move(box.x + 1, box.y + 1);
  for (const frame of page.frames()) {
    if (!(await isSeen(page, frame))) continue;
    await frame.evaluate(() => {
      document.documentElement.style.caretColor = 'transparent';
      return new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn)));
    });
  }
}

// A frame that is not visible is not painted.
async function isSeen(page, frame) {
  for (let inner = frame; inner !== page.mainFrame(); inner = inner.parentFrame()) {
    if (!inner.url().startsWith('http') || !(await (await inner.frameElement()).isVisible())) return false;
  }
  return true;
}

/** A state of the checkout, without its surroundings. */
async function checkoutPicture(harness, state, file, options) {
  const { visitor, page, checkout } = await state.show(harness, options);
  await untilFits(page, checkout, state.name);
  const seen = options.embedded ? page.locator('iframe') : page.locator('main');
  await picture(page, `checkout-${file}`, { box: await seen.boundingBox() });
  await visitor.close();
}

async function checkoutStates(harness) {
  for (const state of STATES) {
    await checkoutPicture(harness, state, state.name, { ...FRAME, embedded: !state.alone });
  }
  for (const [name, locale] of ON_A_PHONE) {
    const state = STATES.find((one) => one.name === name);
    await checkoutPicture(harness, state, `${name}-${locale.slice(0, 2)}`, { ...PHONE, locale });
  }
}

/** Uses the demo shop from the products to a partly refunded order; returns the order's number. */
async function shop(harness) {
  const visitor = await harness.visit(`${harness.service.demoShopUrl}/?mug=2&lamp=1`, DESKTOP);
  const { page } = visitor;
  await picture(page, 'shop-products');
  await page.getByRole('button', { name: 'Place order' }).click();
  await page.waitForURL(/\/orders\/\d+$/);
  const checkout = await checkoutOf(visitor, harness.service);
  await checkout.ready();
  await checkout.pay(CARDS.declined);
  await checkout.alert.waitFor();
  await checkout.pay(CARDS.approved);
  await page.getByRole('button', { name: /^Capture/ }).click();
  await page.getByLabel(/^Amount in/).fill('24');
  await page.getByRole('button', { name: 'Refund this amount' }).click();
  const eventShown = (event) => page.locator('#timeline').getByText(event, { exact: true }).waitFor();
  await eventShown('refund.succeeded');
  await page.evaluate(() => window.scrollTo(0, 0));
  await picture(page, 'shop-order', { most: 1400 });
  const number = new URL(page.url()).pathname.split('/').at(-1);
  await visitor.close();
  return number;
}

async function operatorsView(harness, number) {
  const visitor = await harness.visit(`${harness.service.opsUrl}/ops/`, DESKTOP);
  const { page } = visitor;
  await page.getByRole('heading', { name: 'Queues' }).waitFor();
  await picture(page, 'ops-overview', { most: 900 });
  const { body } = await harness.service.api('GET', `/v1/checkout/sessions?reference=${number}`);
  await page.goto(`${harness.service.opsUrl}/ops/sessions?q=${body.data[0].session_id}`);
  await page.getByRole('link', { name: body.data[0].session_id }).click();
  await page.getByRole('heading', { name: body.data[0].session_id }).waitFor();
  await picture(page, 'ops-session-history', { most: 1200 });
  await visitor.close();
}

async function reference(harness) {
  const visitor = await harness.visit(`${harness.service.baseUrl}/docs`, DESKTOP);
  await picture(visitor.page, 'docs', { most: 640 });
  await visitor.close();
}

const harness = await start();
try {
  mkdirSync(IMAGES, { recursive: true });
  for (const name of readdirSync(IMAGES)) rmSync(join(IMAGES, name));
  await checkoutStates(harness);
  const number = await shop(harness);
  await operatorsView(harness, number);
  await reference(harness);
} finally {
  await harness.close();
}
