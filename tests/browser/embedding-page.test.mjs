// What the page tells whoever frames it, and whom it believes itself.
import assert from 'node:assert/strict';
import { after, afterEach, before, beforeEach, describe, test } from 'node:test';
import { CARDS, checkoutOf, start } from './harness.mjs';
import { Lab, addFrame, framing, heardOfOnCharge, listenIn, post, reported } from './support/lab.mjs';

const TIMEOUT = 180_000;
const EVIL = 'https://evil.test';
const NONCE = 'f'.repeat(32);

describe('the page in the shop’s frame', { timeout: 10 * TIMEOUT }, () => {
  let harness;
  let lab;

  before(async () => (harness = await start()));
  after(() => harness?.close());
  beforeEach(() => (lab = new Lab(harness)));
  afterEach(() => lab.close());

  /** What a page at `address` hears from the session, framed once with each of these in the fragment. */
  const heard = async (address, session, ...fragments) => {
    const checkout = harness.service.checkoutUrl(session);
    const { page } = await lab.at(address, framing(...fragments.map((fragment) => `${checkout}#${fragment}`)));
    for (let n = 0; n < fragments.length; n += 1) {
      await page.frameLocator('iframe').nth(n).locator('.fields:not(.loading)').waitFor();
      const frame = await (await page.locator('iframe').nth(n).elementHandle()).contentFrame();
      // The size is told when the page is laid out: two frames later that is over.
      await frame.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))));
      await post(page, frame, []);
    }
    return heardOfOnCharge(page);
  };

  test('tells its shop, and nobody without the right origin and a nonce', { timeout: TIMEOUT }, async () => {
    const session = await harness.createSession();
    const shop = harness.shop.origin;
    const told = await heard(lab.address, session, `o=${shop}&n=${NONCE}`);
    assert.deepEqual([...new Set(told.map(({ data }) => data.type))].sort(), ['ready', 'resize']);
    for (const { origin, data } of told) {
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
    assert.deepEqual(await heard(lab.address, session, ...wrong), [], 'each of them names itself by its nonce');
  });

  test('tells only the one that is named, of several that may frame it', { timeout: TIMEOUT }, async () => {
    const session = await harness.createSession();
    const [one, two] = ['https://one.test', 'https://two.test'];
    await harness.service.registerOrigins([one, two]);
    try {
      const named = await heard(`${two}/`, session, `o=${two}&n=${NONCE}`);
      assert.ok(named.some(({ data }) => data.type === 'ready'));
      assert.deepEqual(await heard(`${two}/`, session, `o=${one}&n=${NONCE}`), []);
    } finally {
      await harness.service.registerOrigins([]);
    }
  });

  test('takes the PSP’s word from the very frame that it opened', { timeout: TIMEOUT }, async () => {
    const { service } = harness;
    const session = await harness.createSession();
    const visitor = await lab.mounted(session);
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
    const words = ['submit', 'ready', 'resize', 'token', 'challenge_done'].map((type) => {
      return { ...said, type, token: 'tok_forged', height: 999 };
    });
    await listenIn(checkout.frame);
    // From a window of the PSP's origin that is not its own, and from the shop's.
    await post(checkout.frame, foreign, words, { toFirstFrame: true });
    await post(checkout.frame, page.mainFrame(), words, { toFirstFrame: true });
    // From its own, but not about its session, or not in the PSP's name.
    const strange = words.map((it) => ({ ...it, session: 'cs_1' })).concat({ ...words[0], source: 'oncharge' });
    await post(checkout.frame, own, strange);
    assert.equal(await checkout.frame.locator('[aria-busy="true"]').count(), 0, 'nothing is being paid');
    const pays = () => visitor.requests.filter(({ url }) => url.endsWith('/pay')).length;
    assert.equal(pays(), 0, 'nothing was paid');

    // Its own frame's word counts: Enter in a field pays.
    await own.evaluate((it) => window.parent.postMessage(it, '*'), words[0]);
    await reported(page, session, `result ${session.session_id} authorized`);
    assert.equal(pays(), 1);
  });
});
