// The operators' view: the overview, the search, a session's history; each state on a desktop and on a phone,
// in light and dark mode.
import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { after, before, describe, test } from 'node:test';
import AxeBuilder from '@axe-core/playwright';
import { CARDS, start } from './harness.mjs';
import { becomes, until } from './support/until.mjs';
import { startWithoutDatabase } from './support/without_database.mjs';

const TIMEOUT = 180_000;
const LOOKS = {
  'a desktop, light': { width: 1280, height: 800, colorScheme: 'light' },
  'a phone, dark': { width: 320, height: 640, colorScheme: 'dark' },
  'a desktop, dark': { width: 1280, height: 800, colorScheme: 'dark' },
  'a phone, light': { width: 320, height: 640, colorScheme: 'light' },
  'a desktop at 200 %': { width: 640, height: 400, colorScheme: 'light' },
};
/** Both widths and both schemes, for short pages. */
const TWO_LOOKS = Object.keys(LOOKS).slice(0, 2);
const PHONE = { viewport: { width: 320, height: 640 } };
const HOSTILE = '<img src=x onerror=alert(1)>"\'&';

describe('the operators’ view', { timeout: 4 * TIMEOUT }, () => {
  let harness;
  let session;
  let ops;

  before(async () => {
    harness = await start();
    ops = harness.service.opsUrl;
    session = await harness.createSession({
      reference: `order ${HOSTILE}`,
      order_id: 'find-me',
      metadata: { note: HOSTILE },
      customer_email: 'shopper@example.com',
      customer_phone: '+15551234567',
    });
    const { visitor, checkout } = await harness.embed(session);
    await checkout.pay(CARDS.declined);
    await checkout.heading('Payment declined');
    await checkout.pay(CARDS.approved);
    await checkout.heading('Payment successful');
    await visitor.close();
    await notifyOfAnotherAmount();
  });
  after(() => harness?.close());

  /** A mismatched notification: it is stuck until a person dismisses it. */
  const notifyOfAnotherAmount = async () => {
    const { simulatorUrl, baseUrl } = harness.service;
    const ledger = await fetch(`${simulatorUrl}/v1/ledger?reference=${session.session_id}`);
    const [entry] = (await ledger.json()).entries;
    const body = JSON.stringify({
      id: 'evt_of_another_amount',
      type: 'authorisation',
      psp_reference: entry.psp_reference,
      reference: session.session_id,
      idempotency_key: entry.idempotency_key,
      success: false,
      amount: 1,
      currency: 'USD',
      reason: 'card_declined',
      created_at: entry.at,
    });
    const signature = createHmac('sha256', harness.service.notificationKey()).update(body).digest('hex');
    const headers = { 'X-Psp-Signature': signature };
    const accepted = await fetch(`${baseUrl}/webhooks/psp/simulator/default`, { method: 'POST', body, headers });
    assert.equal(accepted.status, 200);
  };

  /** Axe finds nothing, nothing is wider than the screen, and nothing is cut off, in any layout. */
  const lookAt = async (page, what, names = Object.keys(LOOKS)) => {
    for (const name of names) {
      const { width, height, colorScheme } = LOOKS[name];
      await page.setViewportSize({ width, height });
      await page.emulateMedia({ colorScheme });
      // Without frames axe's quicker mode is sufficient.
      const { violations } = await new AxeBuilder({ page }).setLegacyMode(true).analyze();
      const found = violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ target }) => target).join(', ')}`);
      assert.deepEqual(found, [], `${what} on ${name}: axe`);
      const cut = await page.evaluate(() =>
        [document.documentElement, ...document.querySelectorAll('.scroll')]
          .filter((it) => it.scrollWidth > it.clientWidth)
          .map((it) => `${it.textContent.trim().slice(0, 40)}: ${it.scrollWidth - it.clientWidth} px`),
      );
      assert.deepEqual(cut, [], `${what} on ${name} scrolls sideways`);
    }
  };

  /** The page contains no secrets, and external texts create no elements. */
  const assertDiscreet = async (page, what) => {
    const html = await page.content();
    const secrets = [session.pay_token, harness.service.secret, 'shopper@example.com', '15551234567'];
    for (const secret of secrets) assert.ok(!html.includes(secret), `${what} shows ${secret}`);
    assert.equal(await page.locator('img').count(), 0, `${what}: external text has created an element`);
  };

  /** Asserts the status of an address; the browser reports only that status as an error. */
  const assertState = async (visitor, address, status, heading) => {
    const response = await visitor.page.goto(address);
    assert.equal(response.status(), status, address);
    await visitor.page.getByRole('heading', { level: 1, name: heading }).waitFor();
    await lookAt(visitor.page, address, TWO_LOOKS);
    const consoleErrors = visitor.consoleErrors.splice(0).filter((text) => !text.includes(`status of ${status}`));
    assert.deepEqual(consoleErrors, [], `${address}: the console`);
  };

  test('leads from stuck work to the session’s complete history', { timeout: TIMEOUT }, async () => {
    const visitor = await harness.visit();
    const { page } = visitor;
    // The inbox's worker processes the notification asynchronously.
    const stuck = page.getByRole('table', { name: /^Work that needs attention/ });
    const isListed = async () => {
      await page.goto(`${ops}/ops/`);
      return stuck.isVisible();
    };
    await until(isListed, 'the notification is listed');
    const command = await stuck.locator('.command').innerText();
    assert.match(command, /^oncharge stuck --dismiss ntf_[0-9a-f]{32}$/, 'the command to dismiss it');
    await assertDiscreet(page, 'the overview');
    await lookAt(page, 'the overview');

    await stuck.getByRole('link', { name: /^ntf_/ }).click();
    await page.getByRole('heading', { level: 1, name: session.session_id }).waitFor();
    assert.equal(new URL(page.url()).hash, `#${command.split(' ').at(-1)}`, 'the link leads to the notification');
    const expected = ['payment.refused', 'payment.authorized', 'card_declined', 'attempt 1', 'Created', 'mismatched'];
    // The page is a snapshot, and the webhooks are delivered asynchronously.
    const missing = async () => {
      const line = await page.locator('.timeline').innerText();
      const missing = expected.filter((word) => !line.includes(word));
      if (missing.length > 0) await page.reload();
      return missing;
    };
    await becomes(missing, [], 'entries missing from the time line');
    await page.getByRole('table', { name: /^Delivery attempts/ }).waitFor();
    await page.locator('details').evaluateAll((all) => all.forEach((it) => (it.open = true)));
    await assertDiscreet(page, 'the story');
    await lookAt(page, 'the story');
    assert.deepEqual(visitor.consoleErrors, []);
    await visitor.close();
  });

  test('draws the last hours of each queue, with a text alternative', { timeout: TIMEOUT }, async () => {
    const visitor = await harness.visit(`${ops}/ops/`, PHONE);
    const lines = visitor.page.getByRole('img', { name: /since \d\d:\d\d UTC: now .+, highest / });
    assert.equal(await lines.count(), 8, 'depth and age of four queues');
    const deliveries = visitor.page.getByRole('img', { name: /^Depth of deliveries since/ });
    assert.match(await deliveries.getAttribute('aria-label'), /: now \d+, highest \d+$/);
    const { width, height } = await deliveries.boundingBox();
    assert.ok(width >= 60 && height >= 20, `${width} × ${height} px`);
    const drawn = await deliveries.locator('path').evaluate((path) => {
      const { stroke, fill } = getComputedStyle(path);
      return { stroke, fill, path: path.getAttribute('d') };
    });
    assert.equal(drawn.fill, 'none');
    assert.notEqual(drawn.stroke, 'none');
    assert.match(drawn.path, /10800 \d+(h0)?$/, 'the line ends now');
    await visitor.close();
  });

  test('finds a session, and keeps the search in its address', { timeout: TIMEOUT }, async () => {
    const visitor = await harness.visit(`${ops}/ops/`);
    const { page } = visitor;
    await page.getByRole('link', { name: 'Sessions', exact: true }).click();
    await page.getByLabel('Session id, reference, order or PSP reference').fill('find-me');
    await page.getByRole('button', { name: 'Search' }).press('Enter');
    await page.getByRole('cell', { name: HOSTILE }).waitFor();
    assert.equal(new URL(page.url()).searchParams.get('q'), 'find-me');
    assert.equal(await page.getByRole('row').count(), 2, 'the header row and the session');
    await assertDiscreet(page, 'the list');
    await lookAt(page, 'the list');

    // On a phone a row is a block of cells, each with its label, and still has the role of a row.
    await page.setViewportSize(PHONE.viewport);
    const cell = page.getByRole('cell', { name: HOSTILE });
    const label = await cell.evaluate((it) => getComputedStyle(it, '::before').content);
    assert.match(label, /Reference/);
    const [id, reference] = [await page.getByRole('rowheader').boundingBox(), await cell.boundingBox()];
    assert.ok(reference.y > id.y + id.height - 1, 'the cells are below each other');
    assert.deepEqual(visitor.consoleErrors, []);
    await visitor.close();
  });

  test('explains missing objects and invalid parameters', { timeout: TIMEOUT }, async () => {
    const visitor = await harness.visit();
    for (const [path, status, heading] of [
      ['sessions?q=nobody', 200, 'Sessions'],
      ['sessions?merchant=me&status=paid&from=x&to=y', 400, 'Sessions'],
      ['sessions?cursor=AAAA', 400, 'Invalid page link'],
      ['sessions/cs_1', 404, 'Not found'],
      ['nowhere', 404, 'Not found'],
    ]) {
      await assertState(visitor, `${ops}/ops/${path}`, status, heading);
    }
    await visitor.page.goto(`${ops}/ops/sessions?merchant=me`);
    await visitor.page.getByRole('alert').waitFor();
    const field = visitor.page.getByLabel('Merchant');
    assert.equal(await field.getAttribute('aria-invalid'), 'true');
    assert.equal(await field.inputValue(), 'me', 'the input is kept');
    await visitor.close();
  });

  test('shows that the database is unreachable', { timeout: TIMEOUT }, async () => {
    const waiting = await startWithoutDatabase();
    try {
      const visitor = await harness.visit();
      await assertState(visitor, `${waiting.opsUrl}/ops/`, 503, 'Waiting for the database');
      await visitor.close();
    } finally {
      await waiting.stop();
    }
  });

  test('cannot be framed, is not cached, and loads only its style sheet', { timeout: TIMEOUT }, async () => {
    const response = await fetch(`${ops}/ops/`);
    const policy = response.headers.get('content-security-policy');
    assert.ok(policy.includes("default-src 'none'") && policy.includes("frame-ancestors 'none'"), policy);
    assert.ok(!policy.includes('unsafe-inline'), policy);
    assert.equal(response.headers.get('x-frame-options'), 'DENY');
    assert.equal(response.headers.get('cache-control'), 'no-store');
    const visitor = await harness.visit(`${ops}/`);
    assert.equal(visitor.page.url(), `${ops}/ops/`, 'the root does not redirect to the view');
    const loaded = new Set(visitor.requests.map(({ url }) => url));
    assert.deepEqual([...loaded], [`${ops}/`, `${ops}/ops/`, `${ops}/ops/style.css`]);
    await visitor.close();
  });
});
