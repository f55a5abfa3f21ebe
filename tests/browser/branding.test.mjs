// A merchant's branding on the hosted checkout: its accents, its logo, and nothing else.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, before, describe, test } from 'node:test';
import AxeBuilder from '@axe-core/playwright';
import { start } from './harness.mjs';
import { until } from './support/until.mjs';

const TIMEOUT = 180_000;
const ACCENT = { light: '#c2185b', dark: '#ff80ab' };
const HOVER = { light: '#9f134a', dark: '#ff97bb' };
const INK = { light: '#ffffff', dark: '#101317' };
const DEFAULT = { light: '#1f5fd6', dark: '#8ab4ff' };
const LARGEST_LOGO = 8192;
const LARGEST_PAGE = 60_000;

// It has styles, a script and links: only the styles are applied.
const LOGO = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 120 30">
<style>rect { fill: #c2185b }</style><rect width="120" height="30" style="stroke:#000"/>
<script>top.document.title = 'taken over'; fetch('https://thief.example/')</script>
<image href="https://thief.example/pixel.png" width="1" height="1"/></svg>`;


/** `rgb(194, 24, 91)` as `#c2185b`. */
const hex = (color) => `#${color.match(/\d+/g).slice(0, 3).map((it) => Number(it).toString(16).padStart(2, '0')).join('')}`;

describe('a merchant’s branding', { timeout: 4 * TIMEOUT }, () => {
  let harness;
  let directory;
  let visitors = [];

  before(async () => {
    directory = mkdtempSync(join(tmpdir(), 'oncharge-look-'));
    harness = await start();
  });
  after(async () => {
    await harness?.close();
    rmSync(directory, { recursive: true, force: true });
  });
  afterEach(async () => {
    const consoleErrors = visitors.flatMap((visitor) => visitor.consoleErrors);
    await Promise.all(visitors.map((visitor) => visitor.close()));
    visitors = [];
    assert.deepEqual(consoleErrors, [], 'errors in the browser’s console');
  });

  const logoFile = (text) => {
    const path = join(directory, 'logo.svg');
    writeFileSync(path, text);
    return path;
  };

  /** A new visitor at a new session's page, once it has this setting (nodes read settings every second). */
  async function opened(colorScheme, expected) {
    const session = await harness.createSession();
    await untilServed(harness.service.checkoutUrl(session), expected);
    const { visitor, page, checkout } = await harness.open(session, { colorScheme });
    visitors.push(visitor);
    await checkout.heading('Card details');
    return { visitor, page, checkout };
  }

  const untilServed = (address, expected) =>
    until(async () => (await (await fetch(address)).text()).includes(expected), `a page with ${expected}`);

  const styleOf = (locator, property) =>
    locator.evaluate((element, name) => getComputedStyle(element).getPropertyValue(name), property);

  for (const scheme of ['light', 'dark']) {
    test(`applies to ${scheme} mode: button, focus ring and logo`, { timeout: TIMEOUT }, async () => {
      const logo = logoFile(LOGO);
      await harness.service.setMerchant('--accent', ACCENT.light, '--accent-dark', ACCENT.dark, '--logo', logo);
      const { visitor, page, checkout } = await opened(scheme, `--accent:${ACCENT.light}`);

      const button = checkout.payButton;
      assert.equal(hex(await styleOf(button, 'background-color')), ACCENT[scheme]);
      assert.equal(hex(await styleOf(button, 'color')), INK[scheme]);
      await page.keyboard.press('Tab');
      await button.focus();
      assert.equal(hex(await styleOf(button, 'outline-color')), ACCENT[scheme]);
      await button.hover();
      await page.waitForFunction(
        (wanted) => getComputedStyle(document.querySelector('#pay')).backgroundColor === wanted,
        `rgb(${HOVER[scheme].match(/\w\w/g).map((it) => parseInt(it, 16)).join(', ')})`,
      );

      const image = checkout.frame.locator('.order img');
      await image.evaluate((it) => it.decode());
      const box = await image.boundingBox();
      assert.ok((await image.evaluate((it) => it.naturalWidth)) > 0, 'the logo is not loaded');
      assert.ok(box.height <= 40 && box.width <= 160, `it exceeds its area: ${JSON.stringify(box)}`);
      const ground = await styleOf(image, 'background-color');
      assert.equal(ground, scheme === 'dark' ? 'rgb(255, 255, 255)' : 'rgba(0, 0, 0, 0)', 'behind the logo');

      const { violations } = await new AxeBuilder({ page }).analyze();
      assert.deepEqual(violations.map(({ id, nodes }) => `${id}: ${nodes.map((it) => it.target)}`), []);
      assert.ok(!visitor.requests.some(({ url }) => url.includes('thief')), 'the logo loads an external resource');
      assert.notEqual(await page.title(), 'taken over', 'the logo runs a script');
    });
  }

  test('for one scheme does not change the other', { timeout: TIMEOUT }, async () => {
    await harness.service.setMerchant('--accent', '#00695c', '--accent-dark', '');
    const light = await opened('light', '--accent:#00695c');
    assert.equal(hex(await styleOf(light.checkout.payButton, 'background-color')), '#00695c');
    const dark = await opened('dark', '--accent:#00695c');
    assert.equal(hex(await styleOf(dark.checkout.payButton, 'background-color')), DEFAULT.dark);
  });

  test('fits a narrow screen, and the page stays small with the largest logo', { timeout: TIMEOUT }, async () => {
    // A wide logo that takes the maximum area.
    const head = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 400 40"><rect width="400" height="40"/><!--';
    const tail = '--></svg>';
    const filling = 'x'.repeat(LARGEST_LOGO - head.length - tail.length);
    await harness.service.setMerchant('--logo', logoFile(head + filling + tail));
    const encoded = Buffer.from(head + filling + tail).toString('base64');
    const { page } = await opened('light', encoded);
    const response = await page.reload();
    const size = (await response.body()).length;
    assert.ok(size < LARGEST_PAGE, `${size} bytes`);

    await page.setViewportSize({ width: 320, height: 640 });
    const { width, inner } = await page.evaluate(() => ({
      width: document.documentElement.scrollWidth,
      inner: window.innerWidth,
    }));
    assert.ok(width <= inner, `the page scrolls sideways: ${width} > ${inner}`);
    const image = await page.locator('.order img').boundingBox();
    const name = await page.locator('.merchant').boundingBox();
    assert.ok(image.width <= 160 && image.height <= 40, JSON.stringify(image));
    const apart = name.x >= image.x + image.width || name.y >= image.y + image.height;
    assert.ok(apart, 'name and logo overlap');
  });
});
