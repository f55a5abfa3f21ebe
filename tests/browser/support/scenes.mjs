// Tests that are run as each of the shoppers of PROFILES: whatever a test is about, no page of it may
// have complained, and nothing may have been wider than a phone's screen.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { PROFILES, start } from '../harness.mjs';
import { checkoutOf } from './checkout.mjs';

// Reached only by what never ends: on a busy machine a test takes many times as long as on a quiet one.
const TIMEOUT = 180_000;
/** How many tests of a file run at the same time, on one service and in one browser. */
const CONCURRENCY = 3;

/**
 * A file's or theme's tests on one service (with these flags). `define` gets three ways to register a test:
 * `scenario(title, steps)` for what differs in each language, as every profile; `pair(title, steps)` for
 * what differs by screen or scheme, as two of them; `once(title, steps)` for what differs by none of these,
 * as one profile, each in its turn. `concurrency` is higher for tests that mostly wait.
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
    // What the pages said is the first thing that one wants to know.
    if (scene.complaints.length > 0) error.message += `\nin the console: ${scene.complaints.join('\n')}`;
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

  /** What the pages complained of, but for what the test has announced. */
  get complaints() {
    return this.#visitors.flatMap((visitor) => visitor.unexpected);
  }

  createSession(fields) {
    return this.harness.createSession(fields);
  }

  /** This profile's visitor at the session's page opened by itself. */
  async open(session, options) {
    return this.#keep(await this.harness.open(session, { ...this.profile.options, ...options }));
  }

  /** This profile's visitor at the shop's page in which the session is embedded. */
  async embed(session, options) {
    return this.#keep(await this.harness.embed(session, { ...this.profile.options, ...options }));
  }

  /** This profile's visitor at one of the catalogue's states. */
  async show(state, options) {
    const seen = this.#keep(await state.show(this.harness, { ...this.profile.options, ...options }));
    if (state.noise) seen.visitor.tolerate(state.noise);
    return seen;
  }

  /** This profile's visitor, anywhere. */
  async visit(address, options) {
    const visitor = await this.harness.visit(address, { ...this.profile.options, ...options });
    this.#visitors.push(visitor);
    return visitor;
  }

  /** The session's checkout where the visitor is now, after a reload or a step in the history. */
  checkoutOf(visitor, session) {
    return checkoutOf(visitor, this.service, session);
  }

  assertMoney(session, status, ledger) {
    return this.harness.assertMoney(session, status, ledger);
  }

  /** What the PSP's answer is to look like when this session is paid once and no more. */
  assertPaidOnce(session) {
    return this.assertMoney(session, 'authorized', [`authorise ${session.amount}`]);
  }

  async assertInOrder() {
    assert.deepEqual(this.complaints, [], 'errors in the browser’s console');
    for (const visitor of this.#visitors) assert.deepEqual(await visitor.tooWide(), [], 'wider than the screen');
  }

  close() {
    return Promise.all(this.#visitors.map((visitor) => visitor.close()));
  }

  #keep(seen) {
    this.#visitors.push(seen.visitor);
    return seen;
  }
}
