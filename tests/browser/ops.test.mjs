// The operators' view: the overview, the search, a session's story; on a desktop and on a phone.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import AxeBuilder from '@axe-core/playwright';
import { CARDS, start } from './harness.mjs';

const TIMEOUT = 60_000;
const SCREENS = {
  'a desktop': { viewport: { width: 1280, height: 800 } },
  'a phone of 320 px': { viewport: { width: 320, height: 640 } },
  'a phone of 320 px, dark': { viewport: { width: 320, height: 640 }, colorScheme: 'dark' },
};
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
  });
  after(() => harness?.close());

  /** No violation of axe, no complaint of the browser, no sideways scrolling of the page, nothing secret. */
  const check = async (visitor, where) => {
    const { page } = visitor;
    const { violations } = await new AxeBuilder({ page }).analyze();
    const found = violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ target }) => target).join(', ')}`);
    assert.deepEqual(found, [], `${where}: axe`);
    assert.deepEqual(visitor.complaints, [], `${where}: the console`);
    const wider = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
    assert.ok(wider <= 0, `${where}: the page is ${wider} px wider than the screen`);
    const html = await page.content();
    const secrets = [session.pay_token, harness.service.secret, 'shopper@example.com', '15551234567'];
    for (const secret of secrets) assert.ok(!html.includes(secret), `${where} shows ${secret}`);
    assert.equal(await page.locator('img').count(), 0, `${where}: nobody's words become elements`);
  };

  for (const [screen, options] of Object.entries(SCREENS)) {
    test(`shows all of a session on ${screen}`, { timeout: TIMEOUT }, async () => {
      const visitor = await harness.visit(`${ops}/ops/`, options);
      const { page } = visitor;
      await page.getByRole('heading', { name: 'Queues' }).waitFor();
      await page.getByRole('rowheader', { name: /^deliveries/ }).waitFor();
      await check(visitor, 'the overview');

      await page.getByRole('link', { name: 'Sessions', exact: true }).click();
      await page.getByLabel('Session id, reference, order or PSP reference').fill('find-me');
      await page.getByRole('button', { name: 'Search' }).press('Enter');
      await page.getByRole('cell', { name: HOSTILE }).waitFor();
      assert.equal(new URL(page.url()).searchParams.get('q'), 'find-me', 'the search is in the address');
      assert.equal(await page.getByRole('row').count(), 2, 'its heading and the session');
      await check(visitor, 'the list');

      await page.getByRole('link', { name: session.session_id }).click();
      await page.getByRole('heading', { name: session.session_id }).waitFor();
      const line = await page.locator('.timeline').innerText();
      for (const told of ['payment.refused', 'payment.authorized', 'card_declined', 'attempt 1', 'Created']) {
        assert.ok(line.includes(told), `the time line tells ${told}: ${line}`);
      }
      await page.getByRole('table', { name: /^Attempts to deliver/ }).waitFor();
      await check(visitor, 'the story');
      await visitor.close();
    });
  }

  test('says in place what of a search cannot be read', { timeout: TIMEOUT }, async () => {
    const visitor = await harness.visit(undefined, SCREENS['a phone of 320 px']);
    const answer = await visitor.page.goto(`${ops}/ops/sessions?merchant=me&status=captured`);
    assert.equal(answer.status(), 400);
    await visitor.page.getByRole('alert').waitFor();
    const field = visitor.page.getByLabel('Merchant');
    assert.equal(await field.getAttribute('aria-invalid'), 'true');
    assert.equal(await field.inputValue(), 'me', 'what was written stays');
    const { violations } = await new AxeBuilder({ page: visitor.page }).analyze();
    assert.deepEqual(violations.map(({ id }) => id), []);
    await visitor.close();
  });

  test('is framed by nobody, and answers to no other name', { timeout: TIMEOUT }, async () => {
    const answer = await fetch(`${ops}/ops/`);
    const policy = answer.headers.get('content-security-policy');
    assert.ok(policy.includes("default-src 'none'") && policy.includes("frame-ancestors 'none'"), policy);
    assert.ok(!policy.includes('unsafe-inline'), policy);
    assert.equal(answer.headers.get('x-frame-options'), 'DENY');
    assert.equal(answer.headers.get('cache-control'), 'no-store');
  });
});
