// The API reference at /docs for a merchant's developer: on a desktop, on a small phone, in dark mode, by
// keyboard, and without JavaScript.
import assert from 'node:assert/strict';
import { after, afterEach, before, describe, test } from 'node:test';
import AxeBuilder from '@axe-core/playwright';
import { start } from './harness.mjs';
import { becomes, until } from './support/until.mjs';

const TIMEOUT = 180_000;
const PHONE = { viewport: { width: 320, height: 640 } };

describe('the API reference', { timeout: 6 * TIMEOUT }, () => {
  let harness;
  let visitors = [];

  before(async () => (harness = await start()));
  after(() => harness?.close());

  // In every test: no errors on the page, and no requests to other hosts.
  afterEach(async () => {
    const consoleErrors = visitors.flatMap((visitor) => visitor.consoleErrors);
    const elsewhere = visitors
      .flatMap(({ requests }) => requests.map(({ url }) => url))
      .filter((url) => !url.startsWith('data:') && new URL(url).origin !== harness.service.baseUrl);
    await Promise.all(visitors.map((visitor) => visitor.close()));
    visitors = [];
    assert.deepEqual(consoleErrors, [], 'errors in the browser’s console');
    assert.deepEqual(elsewhere, [], 'requests to others');
  });

  const read = async (options, path = '/docs') => {
    const visitor = await harness.visit(harness.service.baseUrl + path, options);
    visitors.push(visitor);
    return visitor.page;
  };
  /** Asserts that axe finds nothing in these parts of the page. */
  const assertAccessible = async (page, what, parts) => {
    // Without frames axe's quicker mode is sufficient.
    const axe = new AxeBuilder({ page }).setLegacyMode(true);
    for (const part of parts) axe.include(part);
    const { violations } = await axe.analyze();
    const found = violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ target }) => target).join(', ')}`);
    assert.deepEqual(found, [], what);
  };
  /** By how many pixels the page is wider than its window. */
  const excess = (page) => page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
  const search = (page) => page.getByRole('searchbox', { name: 'Search' });
  const contents = (page, name) => page.getByRole('navigation').getByRole('link', { name });
  const top = (page, selector) => page.locator(selector).evaluate((it) => it.getBoundingClientRect().top);

  const assertUnfolded = async (page, parts) => {
    // Axe checks only unfolded parts; one operation represents all of them.
    const folded = page.locator('.menu, #createSession details');
    await folded.evaluateAll((all) => all.forEach((it) => (it.open = true)));
    assert.ok((await excess(page)) <= 0, `${await excess(page)} px too wide`);
    await assertAccessible(page, 'with an operation unfolded', parts);
  };

  // Axe checks the whole long page each time, so every state is checked in two combinations that differ in
  // everything.
  for (const [where, options] of [
    ['on a desktop in light mode', { colorScheme: 'light' }],
    ['on a small phone in dark mode', { colorScheme: 'dark', ...PHONE }],
  ]) {
    test(`is accessible and no wider than its window in every state, ${where}`, { timeout: 2 * TIMEOUT }, async () => {
      const page = await read(options);
      await search(page).waitFor();
      const parts = ['nav', '#createSession'];
      for (const [typed, said, language] of [
        ['', '', 'curl'],
        ['refund', / found$/, 'Python'],
        ['no such thing anywhere', /^Nothing found$/, 'Node'],
      ]) {
        await search(page).fill(typed);
        await page.locator('#found', { hasText: said }).waitFor({ state: 'attached' });
        await page.locator('#createSession').getByText(language, { exact: true }).click();
        await assertAccessible(page, `“${typed}” typed, examples in ${language}`, parts);
      }
      await search(page).fill('');
      await page.locator('#createSession').getByText('PHP', { exact: true }).click();
      await assertUnfolded(page, ['html']);
    });
  }

  for (const [where, options] of [
    ['on a desktop in dark mode', { colorScheme: 'dark' }],
    ['on a small phone in light mode', PHONE],
  ]) {
    test(`is accessible ${where}, too`, { timeout: TIMEOUT }, async () => {
      const page = await read(options);
      await search(page).fill('refund');
      await page.getByText(/^\d+ found$/).waitFor();
      await assertUnfolded(page, ['header', 'nav', '#signing', '#createSession', '#errors']);
    });
  }

  test('keeps the search visible while the contents follow the scroll position', { timeout: TIMEOUT }, async () => {
    const page = await read({ viewport: { width: 1280, height: 800 } }, '/docs#listEvents');
    await page.locator('.menu a[aria-current]', { hasText: 'GET List' }).waitFor();
    const isInSight = async () => {
      const { y, height } = await search(page).boundingBox();
      const current = await page.locator('.menu a[aria-current]').boundingBox();
      const isBelow = current.y >= y + height && current.y + current.height <= 800;
      return y >= 0 && y + height < 200 && isBelow;
    };
    await until(isInSight, 'the search and the current entry are visible');
  });

  test('is sent compressed, and redirected to from alternative addresses', { timeout: TIMEOUT }, async () => {
    const page = await read({}, '/docs/#signing');
    assert.equal(page.url(), `${harness.service.baseUrl}/docs#signing`);
    await page.goto(harness.service.baseUrl);
    await page.getByRole('link', { name: 'API reference' }).click();
    await page.getByRole('heading', { level: 1, name: 'OnCharge API reference' }).waitFor();
    const response = await page.request.get(`${harness.service.baseUrl}/docs`);
    assert.equal(response.headers()['content-encoding'], 'gzip');
    const sent = await page.evaluate(() => performance.getEntriesByType('navigation')[0].encodedBodySize);
    assert.ok(sent < 60_000, `${sent} bytes`);
  });

  test('finds what is typed, and navigates to it', { timeout: TIMEOUT }, async () => {
    for (const options of [{}, PHONE]) {
      const page = await read(options);
      await page.keyboard.press('/');
      await page.keyboard.type('refund_exceeds_captured');
      await page.getByText(/^\d+ found$/).waitFor();
      await contents(page, 'POST Request a refund').waitFor();
      const others = () => contents(page, 'Retrieve the webhook endpoint').count();
      await becomes(others, 0, 'other entries are hidden');
      await search(page).fill('cancel authorized');
      await page.keyboard.press('Enter');
      await page.waitForURL(/#cancelSession$/);
      await until(async () => Math.abs(await top(page, '#cancelSession')) < 100, 'it is visible');
      await search(page).fill('no such thing anywhere');
      await page.getByText('Nothing found').waitFor();
      await page.keyboard.press('Escape');
      await becomes(() => search(page).inputValue(), '', 'the search is cleared');
    }
  });

  test('shows every example in the chosen language, also at the next visit', { timeout: TIMEOUT }, async () => {
    const page = await read();
    const example = (operation, language) => page.locator(`#${operation} pre[data-language=${language}]`);
    assert.ok(await example('createRefund', 'curl').isVisible());
    await page.locator('#createRefund').getByText('Python', { exact: true }).click();
    for (const operation of ['createRefund', 'createSession', 'setWebhookEndpoint']) {
      await example(operation, 'python').waitFor();
      await example(operation, 'curl').waitFor({ state: 'hidden' });
    }
    await page.reload();
    await example('listEvents', 'python').waitFor();
    await page.locator('#listEvents-python').focus();
    await page.keyboard.press('ArrowRight');
    // By keyboard.
    await example('listEvents', 'node').waitFor();
  });

  test('copies an example unchanged', { timeout: TIMEOUT }, async () => {
    const page = await read({ permissions: ['clipboard-read', 'clipboard-write'] });
    const example = page.locator('#createSession pre[data-language=curl]');
    await example.getByRole('button', { name: 'Copy' }).click();
    await example.getByRole('button', { name: 'Copied' }).waitFor();
    const copied = await page.evaluate(() => navigator.clipboard.readText());
    assert.equal(copied, await example.locator('code').textContent());
    assert.match(copied, /^#!\/bin\/sh\n/);
  });

  test('is complete without JavaScript', { timeout: TIMEOUT }, async () => {
    const page = await read({ javaScriptEnabled: false }, '/docs#error-invalid_state');
    assert.equal(await search(page).isVisible(), false, 'the search, which needs JavaScript, is visible');
    await contents(page, 'POST Create a checkout session').click();
    const example = page.locator('#createSession');
    await example.getByText('PHP', { exact: true }).click();
    await example.locator('pre[data-language=php]').waitFor();
    assert.equal(await page.getByRole('button', { name: 'Copy' }).count(), 0);
  });
});
