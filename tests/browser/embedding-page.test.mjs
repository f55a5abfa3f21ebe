// The messages between the page and its embedder: which it sends, and which it accepts.
import assert from 'node:assert/strict';
import { after, afterEach, before, beforeEach, describe, test } from 'node:test';
import { CARDS, checkoutOf, start } from './harness.mjs';
import { TestPages, addFrame, framing, listenIn, messagesFromOnCharge, post, reported } from './support/test_pages.mjs';

const TIMEOUT = 180_000;
const EVIL = 'https://evil.test';
const NONCE = 'f'.repeat(32);

describe('the page in the shop’s frame', { timeout: 10 * TIMEOUT }, () => {
  let harness;
  let testPages;

  before(async () => (harness = await start()));
  after(() => harness?.close());
  beforeEach(() => (testPages = new TestPages(harness)));
  afterEach(() => testPages.close());

  /** The messages that a page at `address` receives from the session, framed once with each of these fragments. */
  const received = async (address, session, ...fragments) => {
    const checkout = harness.service.checkoutUrl(session);
    const { page } = await testPages.at(address, framing(...fragments.map((fragment) => `${checkout}#${fragment}`)));
    for (let n = 0; n < fragments.length; n += 1) {
      await page.frameLocator('iframe').nth(n).locator('.fields:not(.loading)').waitFor();
      const frame = await (await page.locator('iframe').nth(n).elementHandle()).contentFrame();
      // The size is reported after layout, which is complete two frames later.
      await frame.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))));
      await post(page, frame, []);
    }
    return messagesFromOnCharge(page);
  };

  test('posts messages to its shop only, with the correct origin and a nonce', { timeout: TIMEOUT }, async () => {
    const session = await harness.createSession();
    const shop = harness.shop.origin;
    const messages = await received(testPages.address, session, `o=${shop}&n=${NONCE}`);
    assert.deepEqual([...new Set(messages.map(({ data }) => data.type))].sort(), ['ready', 'resize']);
    for (const { origin, data } of messages) {
      assert.equal(origin, harness.service.baseUrl);
      assert.deepEqual([data.session_id, data.nonce], [session.session_id, NONCE]);
    }
    const wrong = [
      '',
      `o=${shop}`,
      `o=${shop}&n=`,
      `n=${NONCE}`,
      ...['*', '/', 'null', EVIL, `${shop}/`, shop.toUpperCase(), harness.service.baseUrl].map((origin, n) => {
        return `o=${origin}&n=${NONCE}${n}`;
      }),
    ];
    const unexpected = await received(testPages.address, session, ...wrong);
    assert.deepEqual(unexpected, [], 'a page without a valid nonce received messages');
  });

  test('posts messages only to the named origin, of several that may frame it', { timeout: TIMEOUT }, async () => {
    const session = await harness.createSession();
    const [one, two] = ['https://one.test', 'https://two.test'];
    await harness.service.registerOrigins([one, two]);
    try {
      const named = await received(`${two}/`, session, `o=${two}&n=${NONCE}`);
      assert.ok(named.some(({ data }) => data.type === 'ready'));
      assert.deepEqual(await received(`${two}/`, session, `o=${one}&n=${NONCE}`), []);
    } finally {
      await harness.service.registerOrigins([]);
    }
  });

  test('accepts the PSP’s messages only from the frame that it opened', { timeout: TIMEOUT }, async () => {
    const { service } = harness;
    const session = await harness.createSession();
    const visitor = await testPages.mounted(session);
    const { page } = visitor;
    const checkout = await checkoutOf(visitor, service, session);
    await checkout.ready();
    await checkout.enter(CARDS.approved);
    const own = await checkout.fields();

    const twin = new URL(own.url());
    await addFrame(page, twin.href);
    const frames = () => page.frames().filter((frame) => frame !== own && frame.url() === twin.href);
    while (frames().length === 0) await page.waitForEvent('framenavigated');
    const [foreign] = frames();
    const said = { source: 'psp-simulator', session: session.session_id };
    const forged = ['submit', 'ready', 'resize', 'token', 'challenge_done'].map((type) => {
      return { ...said, type, token: 'tok_forged', height: 999 };
    });
    await listenIn(checkout.frame);
    // From another window of the PSP's origin, and from the shop's.
    await post(checkout.frame, foreign, forged, { toFirstFrame: true });
    await post(checkout.frame, page.mainFrame(), forged, { toFirstFrame: true });
    // From its own frame, but about another session, or without the PSP's name.
    const strange = forged.map((it) => ({ ...it, session: 'cs_1' })).concat({ ...forged[0], source: 'oncharge' });
    await post(checkout.frame, own, strange);
    assert.equal(await checkout.frame.locator('[aria-busy="true"]').count(), 0, 'a payment has started');
    const pays = () => visitor.requests.filter(({ url }) => url.endsWith('/pay')).length;
    assert.equal(pays(), 0, 'a payment was sent');

    // A message of its own frame is accepted: Enter in a field pays.
    await own.evaluate((it) => window.parent.postMessage(it, '*'), forged[0]);
    await reported(page, session, `result ${session.session_id} authorized`);
    assert.equal(pays(), 1);
  });
});
