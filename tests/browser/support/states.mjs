// All views of the checkout, and how a visitor reaches them. Screenshots and axe use this list, so that
// neither misses a view.
import assert from 'node:assert/strict';
import { CARDS } from './checkout.mjs';

// The service's responses in these views; each call of the shopper's page returns the same.
const WAITING = { status: 'pending', next: { type: 'none' } };
const ASKS_FOR_CODE = { status: 'pending', next: { type: 'otp', destination: '•••• 4567' } };
const EXPIRED = { status: 'expired', next: { type: 'none' } };

const calls = (name) => (url) => new RegExp(`^/checkout/cs_[0-9a-f]+/${name}$`).test(url.pathname);
const respondsWith = (json, status = 200) => (route) => route.fulfill({ status, json });
const never = () => {};

/**
 * Each state has a `name`; `heading`, the key of its text; `first`, if the page starts with it (a page that
 * has just loaded takes no focus); `noise`, what the browser itself logs to the console there. `show(harness,
 * options)` leads a visitor to it: with options of a Playwright context (viewport, locale, colorScheme, …),
 * and `embedded: true` for the page in a shop's frame.
 */
export const STATES = [
  {
    name: 'loading',
    heading: 'form.heading',
    first: true,
    async show(harness, options) {
      // A page without its script, which reports nothing: it is loading its fields.
      const blank = (route) => {
        const language = new URL(route.request().url()).searchParams.get('lang');
        const body = `<!doctype html><html lang="${language}"><title>Card fields</title>`;
        return route.fulfill({ contentType: 'text/html', body });
      };
      const prepare = ({ page }) => page.route(`${harness.service.simulatorUrl}/fields*`, blank);
      const seen = await arrive(harness, await harness.createSession(), options, prepare);
      await seen.checkout.frame.locator('.fields.loading .skeleton').waitFor();
      return settled(seen);
    },
  },
  {
    name: 'ready',
    heading: 'form.heading',
    first: true,
    show: async (harness, options) => settled(await ready(harness, options)),
  },
  {
    name: 'field-errors',
    heading: 'form.heading',
    first: true,
    async show(harness, options) {
      const seen = await ready(harness, options);
      const fields = await seen.checkout.fields();
      await fields.locator('#number').fill('4242 4242 4242 4241');
      await seen.checkout.payButton.click();
      await seen.checkout.alerts('live.invalid');
      return settled(seen);
    },
  },
  {
    name: 'paying',
    heading: 'form.heading',
    first: true,
    async show(harness, options) {
      const seen = await ready(harness, options);
      await seen.page.route(calls('pay'), never);
      await seen.checkout.pay(CARDS.approved);
      await seen.checkout.frame.locator('[aria-busy="true"]').waitFor();
      return settled(seen);
    },
  },
  {
    name: 'waiting',
    heading: 'wait.heading',
    async show(harness, options) {
      const seen = await ready(harness, options);
      await seen.page.route(calls('(pay|status)'), respondsWith(WAITING));
      await seen.checkout.pay(CARDS.approved);
      return arrived(seen, 'wait.heading');
    },
  },
  {
    name: 'challenge',
    heading: 'challenge.heading',
    async show(harness, options) {
      const seen = await ready(harness, options);
      await seen.checkout.pay(CARDS.challenged);
      const challenge = await seen.checkout.challenge();
      await challenge.locator('button[value="pass"]').waitFor();
      return arrived(seen, 'challenge.heading');
    },
  },
  {
    name: 'one-time-code',
    heading: 'otp.heading',
    async show(harness, options) {
      const seen = await ready(harness, options);
      await seen.page.route(calls('(pay|status)'), respondsWith(ASKS_FOR_CODE));
      await seen.checkout.pay(CARDS.approved);
      return arrived(seen, 'otp.heading');
    },
  },
  {
    name: 'refused',
    heading: 'live.declined.heading',
    async show(harness, options) {
      const seen = await ready(harness, options);
      await seen.checkout.pay(CARDS.declined);
      await seen.checkout.alerts('live.card_declined');
      return arrived(seen, 'live.declined.heading');
    },
  },
  {
    name: 'last-try',
    heading: 'live.declined.heading',
    async show(harness, options) {
      const session = await harness.createSession();
      const { next } = await harness.payByCall(session, CARDS.declined);
      assert.equal(next.last_try, false, 'two attempts are left');
      const seen = await readyAt(harness, session, options);
      await seen.checkout.pay(CARDS.declined);
      await seen.checkout.alerts('live.card_declined', {}, { lastTry: true });
      return arrived(seen, 'live.declined.heading');
    },
  },
  {
    name: 'expires-soon',
    heading: 'form.heading',
    first: true,
    async show(harness, options) {
      const clock = ({ page }) => page.clock.install();
      const seen = await readyAt(harness, await harness.createSession(), options, clock);
      // The sandbox's sessions have a lifetime of half an hour.
      await seen.page.clock.fastForward('28:30');
      await seen.checkout.says('expiry.soon');
      return settled(seen);
    },
  },
  {
    name: 'refused-for-good',
    heading: 'refused.heading',
    async show(harness, options) {
      const session = await harness.createSession();
      for (const attempt of [1, 2]) {
        const { next } = await harness.payByCall(session, CARDS.declined);
        assert.equal(next.type, 'retry', `attempt ${attempt} leaves another`);
      }
      const seen = await readyAt(harness, session, options);
      await seen.checkout.pay(CARDS.declined);
      return arrived(seen, 'refused.heading');
    },
  },
  {
    name: 'success',
    heading: 'success.heading',
    async show(harness, options) {
      const seen = await ready(harness, options);
      // It returns to the shop automatically; a response without content keeps the page.
      await seen.page.route(`${harness.shop.origin}/thanks*`, (route) => route.fulfill({ status: 204 }));
      await seen.checkout.pay(CARDS.approved);
      return arrived(seen, 'success.heading');
    },
  },
  {
    name: 'already-paid',
    heading: 'paid.heading',
    first: true,
    async show(harness, options) {
      const session = await harness.createSession();
      assert.equal((await harness.payByCall(session, CARDS.approved)).status, 'authorized');
      return arrived(await arrive(harness, session, options), 'paid.heading');
    },
  },
  {
    name: 'expired',
    heading: 'expired.heading',
    async show(harness, options) {
      // The page's clock is advanced; the service's response, which decides, is replaced.
      const clock = ({ page }) => page.clock.install();
      const seen = await readyAt(harness, await harness.createSession(), options, clock);
      await seen.page.route(calls('status'), respondsWith(EXPIRED));
      await seen.page.clock.fastForward('08:00:00');
      return arrived(seen, 'expired.heading');
    },
  },
  {
    name: 'cancelled',
    heading: 'cancelled.heading',
    first: true,
    async show(harness, options) {
      const session = await harness.createSession();
      assert.equal((await harness.payByCall(session, CARDS.approved)).status, 'authorized');
      await harness.cancel(session);
      return arrived(await arrive(harness, session, options), 'cancelled.heading');
    },
  },
  {
    name: 'offline',
    heading: 'offline.heading',
    noise: /ERR_INTERNET_DISCONNECTED/,
    async show(harness, options) {
      const seen = await ready(harness, options);
      await seen.page.route(calls('(pay|status)'), (route) => route.abort('internetdisconnected'));
      await seen.checkout.pay(CARDS.approved);
      return arrived(seen, 'offline.heading');
    },
  },
  {
    name: 'broken',
    heading: 'broken.heading',
    noise: /status of 404/,
    async show(harness, options) {
      const seen = await ready(harness, options);
      const problem = { error: 'not_found', message: 'Not found', request_id: 'req_01a205a95d6774dd9761f559' };
      await seen.page.route(calls('(pay|status)'), respondsWith(problem, 404));
      await seen.checkout.pay(CARDS.approved);
      return arrived(seen, 'broken.heading');
    },
  },
  {
    name: 'bad-link',
    heading: 'error.link.heading',
    first: true,
    // A shop's frame stays empty: this page cannot be framed.
    alone: true,
    noise: /status of 401/,
    async show(harness, options) {
      const session = await harness.createSession();
      const broken = { ...session, iframe_url: session.iframe_url.slice(0, -4) };
      return arrived(await arrive(harness, broken, { ...options, embedded: false }), 'error.link.heading');
    },
  },
];

async function ready(harness, options) {
  return readyAt(harness, await harness.createSession(), options);
}

async function readyAt(harness, session, options, prepare) {
  const seen = await arrive(harness, session, options, prepare);
  await seen.checkout.ready();
  return seen;
}

function arrive(harness, session, { embedded = false, ...options } = {}, prepare) {
  return embedded ? harness.embed(session, { ...options, prepare }) : harness.open(session, { ...options, prepare });
}

async function arrived(seen, heading) {
  await seen.checkout.heading(heading);
  return settled(seen);
}

// Waits until colors and shadows have their final values; endless animations are ignored.
async function settled(seen) {
  for (const frame of seen.page.frames()) {
    if (!/^https?:/.test(frame.url())) continue;
    await frame.evaluate(() => {
      const transitions = document.getAnimations().filter((it) => it instanceof CSSTransition);
      return Promise.allSettled(transitions.map(({ finished }) => finished)).then(() => null);
    });
  }
  return seen;
}
