// Tests that run as the shoppers of PROFILES. In every test, no page may have errors, and nothing may be
// wider than a phone's screen.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { PROFILES, start } from '../harness.mjs';
import { checkoutOf } from './checkout.mjs';

// Reached only by a test that hangs: on a busy machine a test takes many times as long as on a quiet one.
const TIMEOUT = 180_000;
/** Number of tests of a file that run concurrently, on one service and in one browser. */
const CONCURRENCY = 3;

/**
 * The tests of a file or theme, on one service (with these flags). `define` receives three functions to
 * register a test: `scenario(title, steps)` if the language matters (all profiles), `pair(title, steps)` if
 * screen or color scheme matters (two profiles), `once(title, steps)` otherwise (one profile, in turn).
 * `concurrency` is higher for tests that mostly wait.
 */
export function describeScenes(theme, { flags, concurrency = CONCURRENCY, timeout = TIMEOUT }, define) {
  describe(theme, { timeout: 20 * timeout, concurrency }, () => {
    let harness;
    before(async () => (harness = await start({ flags })));
    after(() => harness?.close());

    const register = (profiles) => (title, steps) => {
      for (const profile of profiles) {
        test(`${title} (${profile.name})`, { timeout }, () => play(new Scene(harness, profile), steps));
      }
    };
    let turn = 0;
    const once = (title, steps) => register([PROFILES[turn++ % PROFILES.length]])(title, steps);
    define({ scenario: register(PROFILES), pair: register([PROFILES[1], PROFILES[3]]), once });
  });
}

async function play(scene, steps) {
  try {
    await steps(scene);
    await scene.assertInOrder();
  } catch (error) {
    // Errors of the pages are usually the cause of the failure.
    if (scene.consoleErrors.length > 0) error.message += `\nin the console: ${scene.consoleErrors.join('\n')}`;
    error.message += `\non the screen:\n${await scene.visibleText()}`;
    throw error;
  } finally {
    await scene.close();
  }
}

class Scene {
  #visitors = [];

  constructor(harness, profile) {
    this.harness = harness;
    this.service = harness.service;
    this.shop = harness.shop;
    this.profile = profile;
  }

  /** The errors of the pages that the test has not announced. */
  get consoleErrors() {
    return this.#visitors.flatMap((visitor) => visitor.unexpected);
  }

  createSession(fields) {
    return this.harness.createSession(fields);
  }

  /** This profile's visitor at the session's standalone page. */
  async open(session, options) {
    return this.#keep(await this.harness.open(session, { ...this.profile.options, ...options }));
  }

  /** This profile's visitor at the shop's page that embeds the session. */
  async embed(session, options) {
    return this.#keep(await this.harness.embed(session, { ...this.profile.options, ...options }));
  }

  /** This profile's visitor at one of the catalog's states. */
  async show(state, options) {
    const seen = this.#keep(await state.show(this.harness, { ...this.profile.options, ...options }));
    if (state.noise) seen.visitor.tolerate(state.noise);
    return seen;
  }

  /** This profile's visitor, without a page. */
  async visit(address, options) {
    const visitor = await this.harness.visit(address, { ...this.profile.options, ...options });
    this.#visitors.push(visitor);
    return visitor;
  }

  /** The session's checkout at the visitor's present page, after a reload or a step in the history. */
  checkoutOf(visitor, session) {
    return checkoutOf(visitor, this.service, session);
  }

  assertMoney(session, status, ledger) {
    return this.harness.assertMoney(session, status, ledger);
  }

  /** Asserts that the session was paid exactly once, also at the PSP. */
  assertPaidOnce(session) {
    return this.assertMoney(session, 'authorized', [`authorise ${session.amount}`]);
  }

  async assertInOrder() {
    assert.deepEqual(this.consoleErrors, [], 'errors in the browser’s console');
    for (const visitor of this.#visitors) assert.deepEqual(await visitor.tooWide(), [], 'wider than the screen');
  }

  /** The text of all pages and frames, to explain a failure. */
  async visibleText() {
    const texts = await Promise.all(this.#visitors.map((visitor) => visitor.visibleText()));
    return texts.join('\n');
  }

  close() {
    return Promise.all(this.#visitors.map((visitor) => visitor.close()));
  }

  #keep(seen) {
    this.#visitors.push(seen.visitor);
    return seen;
  }
}
