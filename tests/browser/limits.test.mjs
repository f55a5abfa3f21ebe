// Limits of the hosted checkout: no card number reaches OnCharge, and no other site can frame the page.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { CARDS, start } from './harness.mjs';
import { admit, framing, stage } from './support/test_pages.mjs';
import { CLUSTER, freshDatabase } from './support/postgres.mjs';
import { describeScenes } from './support/scenes.mjs';

const TIMEOUT = 180_000;

/** Whether the text contains the card number, with any separators. */
const holds = (text, card) => {
  const digits = [...card.replaceAll(' ', '')];
  return new RegExp(digits.join('(?:%20|[\\s+-])?')).test(text);
};

// Approved as well, but unlike the card of the sandbox's greeting it is not printed anywhere.
const ANOTHER_CARD = '4012 8888 8888 1881';
const REFERENCE = 'find-me-in-the-database';

/** A shopper uses three cards, one of them with 3-D Secure; returns the requests to each server. */
async function payWithThreeCards(harness) {
  const session = await harness.createSession({ reference: REFERENCE });
  const { visitor, checkout } = await harness.embed(session);
  await checkout.pay(CARDS.declined);
  await checkout.heading('live.declined.heading');
  await checkout.pay(CARDS.challenged);
  await checkout.answerChallenge('fail');
  await checkout.alerts('live.authentication_failed', {}, { lastTry: true });
  await checkout.pay(ANOTHER_CARD);
  await checkout.heading('success.heading');
  const { service } = harness;
  return { toUs: visitor.requestsTo(service.baseUrl), toThePsp: visitor.requestsTo(service.simulatorUrl) };
}

/** No request, no log line and none of these texts (`{name, text}`) contains one of the cards. */
function assertNowhere({ toUs, toThePsp }, log, texts) {
  for (const card of [CARDS.declined, CARDS.challenged, ANOTHER_CARD]) {
    // Verifies the search: it finds the number where it is allowed.
    assert.ok(toThePsp.some(({ text }) => holds(text, card)), 'the PSP received the card');
    for (const { method, url, text } of toUs) assert.ok(!holds(text, card), `${method} ${url} contains the card`);
    assert.ok(!holds(log, card), 'the log contains the card');
    for (const { name, text } of texts) assert.ok(!holds(text, card), `${name} contains the card`);
  }
  assert.equal(toUs.filter(({ url }) => url.endsWith('/pay')).length, 3, 'the number of payment calls');
  assert.ok(texts.some(({ text }) => text.includes(REFERENCE)), 'the database was not searched');
}

const textsOf = (files) => files.map(({ name, bytes }) => ({ name, text: bytes.toString('latin1') }));

describe('card numbers never reach OnCharge: no request, no log line', { timeout: 4 * TIMEOUT }, () => {
  test('… and no file, on the embedded database', { timeout: TIMEOUT }, async (t) => {
    t.diagnostic(`databases that are searched: SQLite${CLUSTER ? ', PostgreSQL' : ' (no PostgreSQL available)'}`);
    const harness = await start();
    try {
      const seen = await payWithThreeCards(harness);
      assert.equal(await harness.service.stop(), 0, 'the service did not exit cleanly');
      assertNowhere(seen, harness.service.output, textsOf(harness.service.files()));
    } finally {
      await harness.close();
    }
  });

  if (CLUSTER) {
    test('… and no table and no file, on PostgreSQL', { timeout: TIMEOUT }, async () => {
      const database = await freshDatabase();
      const harness = await start({ flags: ['--database-url', database.url] });
      try {
        const seen = await payWithThreeCards(harness);
        assert.equal(await harness.service.stop(), 0, 'the service did not exit cleanly');
        const dump = { name: 'the database', text: await database.dump() };
        assertNowhere(seen, harness.service.output, [dump, ...textsOf(harness.service.files())]);

        // Verifies that a dump would show the number, as text and as bytes.
        for (const value of [`'${ANOTHER_CARD}'::text`, `'${ANOTHER_CARD}'::bytea`]) {
          await database.sql(`DROP TABLE IF EXISTS control; CREATE TABLE control AS SELECT ${value} AS card`);
          assert.ok(holds(await database.dump(), ANOTHER_CARD), `${value} is not found in a dump`);
        }
      } finally {
        await harness.close();
        await database.drop();
      }
    });
  }
});

const FOREIGN = 'https://foreign.test/';

/** A visitor at an address whose page frames the session's page. */
async function framed(scene, session, address) {
  const visitor = await scene.visit();
  await admit(visitor);
  await stage(visitor.page, address, framing(scene.service.checkoutUrl(session)));
  await visitor.page.goto(address);
  return visitor;
}

async function assertFramed(scene, session, address) {
  const visitor = await framed(scene, session, address);
  const checkout = await scene.checkoutOf(visitor, session);
  await checkout.heading('form.heading');
}

async function assertNotFramed(scene, session, address) {
  const visitor = await framed(scene, session, address);
  visitor.tolerate(/frame-ancestors/);
  await visitor.consoleError(/frame-ancestors/);
  const addresses = visitor.page.frames().map((frame) => frame.url());
  assert.ok(!addresses.some((it) => it.startsWith(scene.service.baseUrl)), `it was framed: ${addresses}`);
  return visitor;
}

describeScenes('the page', {}, ({ pair, once }) => {
  once('is framed by the origin of the return URL, and by no other', async (scene) => {
    const session = await scene.createSession();
    await assertFramed(scene, session, `${scene.shop.origin}/anywhere`);
    await assertNotFramed(scene, session, FOREIGN);
  });

  pair('does not open with another session’s token, and shows an error', async (scene) => {
    const session = await scene.createSession();
    const other = await scene.createSession();
    const stolen = { ...session, iframe_url: session.iframe_url.replace(/token=.*/, `token=${other.pay_token}`) };
    const visitor = await scene.visit();
    visitor.tolerate(/status of 401/);
    const response = await visitor.page.goto(scene.service.checkoutUrl(stolen));

    assert.equal(response.status(), 401);
    assert.match(response.headers()['content-security-policy'], /frame-ancestors 'none'/);
    const checkout = await scene.checkoutOf(visitor, session);
    await checkout.heading('error.link.heading');
    await checkout.says('error.link.text');
    const frame = await assertNotFramed(scene, stolen, `${scene.shop.origin}/anywhere`);
    frame.tolerate(/status of 401/);
  });
});

describeScenes('the page of a merchant with registered origins', {}, ({ once }) => {
  const REGISTERED = ['https://shop.test', 'https://www.shop.test'];

  once('is framed by these, and no longer by the origin of the return URL', async (scene) => {
    const session = await scene.createSession();
    await scene.service.registerOrigins(REGISTERED);
    for (const origin of REGISTERED) await assertFramed(scene, session, `${origin}/pay`);
    await assertNotFramed(scene, session, `${scene.shop.origin}/anywhere`);
    await assertNotFramed(scene, session, FOREIGN);
  });
});
