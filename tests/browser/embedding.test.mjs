// oncharge.js in the shop's page: what it does, and which messages it rejects.
import assert from 'node:assert/strict';
import { after, afterEach, before, beforeEach, describe, test } from 'node:test';
import { CARDS, checkoutOf, start } from './harness.mjs';
import { untilFits } from './support/fit.mjs';
import { TestPages, addFrame, mounting, post, reported, reports, stage } from './support/test_pages.mjs';
import { becomes } from './support/until.mjs';

const TIMEOUT = 180_000;
const EVIL = 'https://evil.test';
const NONCE = 'f'.repeat(32);

describe('oncharge.js in the shop’s page', { timeout: 10 * TIMEOUT }, () => {
  let harness;
  let testPages;

  before(async () => (harness = await start()));
  after(() => harness?.close());
  beforeEach(() => (testPages = new TestPages(harness)));
  afterEach(() => testPages.close());

  const height = (page, { session_id }) =>
    page.evaluate((id) => document.querySelector(`#${id} iframe`).offsetHeight, session_id);
  const nonceOf = async (frame) => new URLSearchParams(new URL(frame.url()).hash.slice(1)).get('n');

  test('accepts messages only from the page that it framed, with its nonce', { timeout: TIMEOUT }, async () => {
    const session = await harness.createSession();
    const other = await harness.createSession();
    const visitor = await testPages.mounted(session);
    const { page } = visitor;
    await reported(page, session, 'ready');
    const frame = await testPages.frame(visitor, session);
    await frame.locator('.fields:not(.loading)').waitFor();
    // From here on the page has a fixed height, so that it reports no other one.
    await frame.locator('main').evaluate((main) => (main.style.height = '700px'));
    await untilFits(page, { frame }, 'before any message');
    const own = await height(page, session);
    const about = { source: 'oncharge', session_id: session.session_id, nonce: await nonceOf(frame) };
    const resize = { ...about, type: 'resize', height: 1234 };
    const result = { ...about, type: 'result', status: 'authorized' };

    const forged = [resize, result].flatMap((message) => [
      { ...message, nonce: NONCE },
      { ...message, nonce: undefined },
      { ...message, session_id: other.session_id },
      { ...message, source: 'psp-simulator' },
      { ...message, type: `${message.type} ` },
      JSON.stringify(message),
      [message],
    ]);
    const garbage = [null, 0, '', 'ready', [], {}].concat(
      [NaN, Infinity, '1234', null, {}].map((height) => ({ ...resize, height })),
    );
    await post(page, frame, [...forged, ...garbage]);

    // The correct messages, from another window of the same origin and from a window of another origin.
    await stage(page, `${EVIL}/**`, 'evil');
    const neighbours = { [harness.service.checkoutUrl(other)]: '/checkout/', [`${EVIL}/`]: EVIL };
    for (const address of Object.keys(neighbours)) {
      const found = visitor.frame(address);
      await addFrame(page, address);
      await post(page, await found, [resize, result]);
    }
    await post(page, page.mainFrame(), [resize, result]);
    assert.equal(await height(page, session), own, 'another window has set the height');
    assert.deepEqual(await reports(page, session), ['ready'], 'another window has reported');

    // The same messages from the correct window: those rejected above would have had an effect.
    await post(page, frame, [resize, result, { ...result, status: 'refused' }, { ...about, type: 'ready' }]);
    await becomes(() => height(page, session), 1234, 'the height that the page requested');
    const ended = `result ${session.session_id} authorized`;
    await becomes(() => reports(page, session), ['ready', ended], 'each report arrives once');

    // The window is the correct one, but another page is loaded in it.
    const inside = { id: session.session_id, src: `${EVIL}/in` };
    await page.evaluate(({ id, src }) => (document.querySelector(`#${id} iframe`).src = src), inside);
    await post(page, await visitor.frame(inside.src), [{ ...resize, height: 1300 }]);
    assert.equal(await height(page, session), 1234);
    assert.deepEqual(visitor.unexpected, [], 'there are no errors');
  });

  test('separates two sessions on one page', { timeout: TIMEOUT }, async () => {
    const [first, second] = [await harness.createSession(), await harness.createSession()];
    const visitor = await testPages.mounted(first, second);
    const { page } = visitor;
    await Promise.all([reported(page, first, 'ready'), reported(page, second, 'ready')]);
    const frames = [await testPages.frame(visitor, first), await testPages.frame(visitor, second)];
    assert.notEqual(await nonceOf(frames[0]), await nonceOf(frames[1]), 'two sessions have the same nonce');

    // Messages of one session's page about the other session, with the other's nonce.
    const foreign = { source: 'oncharge', session_id: second.session_id, nonce: await nonceOf(frames[1]) };
    await post(page, frames[0], [
      { ...foreign, type: 'resize', height: 1234 },
      { ...foreign, type: 'result', status: 'authorized' },
    ]);
    assert.notEqual(await height(page, second), 1234);

    const { status } = await harness.payByCall(second, CARDS.approved);
    assert.equal(status, 'authorized');
    await frames[1].evaluate(() => location.reload());
    await reported(page, second, `result ${second.session_id} authorized`);
    assert.deepEqual(await reports(page, first), ['ready']);
  });

  test('unmounts completely, and mounts again', { timeout: TIMEOUT }, async () => {
    const session = await harness.createSession();
    const visitor = await testPages.mounted(session);
    const { page } = visitor;
    await reported(page, session, 'ready');

    const left = await page.evaluate(async (id) => {
      const listeners = new Set();
      const { addEventListener, removeEventListener } = window;
      window.addEventListener = (type, it) => listeners.add(it) && addEventListener.call(window, type, it);
      window.removeEventListener = (type, it) => listeners.delete(it) && removeEventListener.call(window, type, it);
      const iframeUrl = document.querySelector(`#${id} iframe`).src;
      mounted[id].unmount();
      mountOne({ id, iframeUrl });
      const whileMounted = [listeners.size, document.querySelectorAll('iframe').length];
      mounted[id].unmount();
      mounted[id].unmount();
      const after = [listeners.size, document.querySelectorAll('iframe').length];
      mountOne({ id, iframeUrl });
      return { whileMounted, after };
    }, session.session_id);
    assert.deepEqual(left, { whileMounted: [1, 1], after: [0, 0] }, 'listeners and frames');

    // The first and the last mount have loaded; the one between was removed before.
    await page.waitForFunction((id) => window.reports[id].length === 2, session.session_id);
    const checkout = await checkoutOf(visitor, harness.service, session);
    await checkout.pay(CARDS.approved);
    await reported(page, session, `result ${session.session_id} authorized`);
  });

  test('reports once when the page does not load', { timeout: TIMEOUT }, async () => {
    const { baseUrl } = harness.service;
    const foreign = await harness.createSession({ return_url: 'https://shop.example.com/thanks' });
    const good = await harness.createSession();
    const [stale, away, silent] = ['cs_1', 'cs_2', 'cs_3'].map((id) => {
      return { session_id: id, iframe_url: `/checkout/${id}?token=pt_1` };
    });
    const visitor = await testPages.visitor();
    const { page } = visitor;
    await page.clock.install();
    await page.route(`${baseUrl}/checkout/cs_2*`, (route) => route.abort('connectionrefused'));
    await page.route(`${baseUrl}/checkout/cs_3*`, () => {});
    await stage(page, testPages.address, mounting(harness.service, [foreign, stale, away, silent, good]));
    const warned = page.waitForEvent('console', (message) => message.text().includes('did not load'));
    await page.goto(testPages.address, { waitUntil: 'domcontentloaded' });

    for (const session of [foreign, stale, away]) await reported(page, session, `error ${session.session_id}`);
    assert.ok((await warned).text().includes(harness.shop.origin), 'the warning contains the origin');
    assert.deepEqual(await reports(page, silent), [], 'the page may still load');
    await page.clock.fastForward(20_000);
    await reported(page, silent, `error ${silent.session_id}`);

    // Loaded again, with the same result.
    await page.evaluate((id) => {
      const frame = document.querySelector(`#${id} iframe`);
      return new Promise((loaded) => {
        frame.addEventListener('load', loaded);
        frame.src += '&again';
      });
    }, away.session_id);
    await page.clock.fastForward(20_000);
    for (const session of [foreign, stale, away, silent]) {
      assert.deepEqual(await reports(page, session), [`error ${session.session_id}`]);
    }
    assert.deepEqual(await reports(page, good), ['ready'], 'the page that has loaded');
  });

  test('rejects invalid arguments with a message', { timeout: TIMEOUT }, async () => {
    const { page } = await testPages.mounted();
    const thrown = await page.evaluate((base) => {
      document.body.insertAdjacentHTML('beforeend', '<img name="currentScript" src="data:,">');
      const why = (target, options) => {
        try {
          OnCharge.mount(target, options);
          return 'nothing';
        } catch (error) {
          return `${error.name}: ${error.message}`;
        }
      };
      return [
        why('#absent', { iframeUrl: '/checkout/cs_1' }),
        why(null, { iframeUrl: '/checkout/cs_1' }),
        why('main'),
        why('main', {}),
        why('main', { iframeUrl: 'http://' }),
        why('main', { iframeUrl: 'javascript:alert(1)//checkout/cs_1' }),
        why('main', { iframeUrl: 'ftp://127.0.0.1/checkout/cs_1' }),
        why('main', { iframeUrl: `${base}/docs` }),
        why('main', { iframeUrl: `${base}/checkout/cs_1/status` }),
      ];
    }, harness.service.baseUrl);
    const typeError = (what) => `TypeError: OnCharge.mount: ${what}`;
    const noCheckout = typeError('iframeUrl must be the URL of a checkout');
    assert.deepEqual(thrown, [
      typeError('no element matches #absent'),
      typeError('no element matches null'),
      typeError('iframeUrl is missing'),
      typeError('iframeUrl is missing'),
      typeError('iframeUrl must be a URL'),
      ...Array(4).fill(noCheckout),
    ]);
    assert.equal(await page.locator('iframe').count(), 0, 'something was mounted');
  });

  test('does not send the shop’s address to the checkout', { timeout: TIMEOUT }, async () => {
    const session = await harness.createSession();
    const visitor = await testPages.mounted(session);
    await visitor.page.evaluate(() => {
      // As a shop may configure it; the script's own request was sent under the browser's default.
      const meta = document.createElement('meta');
      document.head.append(Object.assign(meta, { name: 'referrer', content: 'unsafe-url' }));
    });
    const again = { id: session.session_id, iframeUrl: session.iframe_url };
    await visitor.page.evaluate((it) => window.mountOne(it), again);
    await visitor.page.waitForFunction((id) => window.reports[id].length === 2, session.session_id);
    const requests = visitor.requestsTo(harness.service.baseUrl).filter(({ method }) => method === 'GET');
    const referred = requests.filter(({ text }) => /"referer"/i.test(text)).map(({ url }) => new URL(url).pathname);
    assert.deepEqual(referred, ['/oncharge.js'], 'a page was requested with a referrer');
  });

  test('takes its origin from its own script element, whatever others exist', { timeout: TIMEOUT }, async () => {
    const session = await harness.createSession();
    const body = `<img name="currentScript" src="${EVIL}/oncharge.js">` + mounting(harness.service, [session]);
    const visitor = await testPages.at(testPages.address, body);
    await reported(visitor.page, session, 'ready');
    assert.deepEqual(visitor.requestsTo(EVIL).filter(({ url }) => url.includes('/checkout/')), []);
  });
});
