// The session expires: announced in advance, shown when it happens, and without interrupting an open
// challenge.
import assert from 'node:assert/strict';
import { CARDS } from './harness.mjs';
import { describeScenes } from './support/scenes.mjs';
import { until } from './support/until.mjs';

// Long enough for a visitor to load the page on a busy machine; all tests wait concurrently.
const SECONDS = 15;
// A challenge ends one lifetime after the expiry, and the deadlines worker needs some time.
const CHALLENGE_ENDS = { timeout: 6 * SECONDS * 1000 };

/** A visitor at a challenge that was opened as soon as the session was created, however slow the browser is. */
async function challenged(scene, session) {
  const { next } = await scene.harness.payByCall(session, CARDS.challenged);
  assert.equal(next.type, 'challenge');
  const seen = await scene.embed(session);
  await seen.checkout.heading('challenge.heading');
  return seen;
}

describeScenes('expiry', { flags: ['--session-ttl', String(SECONDS)], concurrency: 6 }, ({ pair }) => {
  pair('on the standalone page: shows it and offers the way back', async (scene) => {
    const session = await scene.createSession();
    const { page, checkout } = await scene.open(session);

    await checkout.headingOf('expired.heading').waitFor({ timeout: 3 * SECONDS * 1000 });
    assert.equal(await checkout.payButton.isVisible(), false);
    assert.equal(await checkout.textOf('expiry.soon').isVisible(), false);
    await scene.assertMoney(session, 'expired', []);
    await checkout.backLink.click();
    await page.waitForURL(`${scene.shop.origin}/thanks*`);
    assert.equal(new URL(page.url()).searchParams.get('status'), 'expired');

    // A later visit shows the same.
    const later = await scene.open(session);
    await later.checkout.heading('expired.heading');
  });

  pair('during 3-D Secure: the challenge can be passed afterwards, but no other card used', async (scene) => {
    const session = await scene.createSession();
    const { checkout } = await challenged(scene, session);

    await checkout.anotherCardButton.waitFor({ state: 'detached', timeout: 3 * SECONDS * 1000 });
    await until(async () => Date.now() > Date.parse(session.expires_at), 'the expiry');
    await checkout.answerChallenge('pass');
    await checkout.heading('success.heading');
    await scene.assertPaidOnce(session);
  });

  pair('during 3-D Secure: the challenge ends, nothing is held, and the shop gets the result', async (scene) => {
    const session = await scene.createSession();
    const { page, checkout } = await challenged(scene, session);

    await checkout.headingOf('expired.heading').waitFor(CHALLENGE_ENDS);
    await scene.assertMoney(session, 'expired', []);
    await page.waitForFunction(() => window.results.length > 0);
    const results = await page.evaluate(() => window.results);
    assert.deepEqual(results, [{ sessionId: session.session_id, status: 'expired' }]);
  });
});

/** The number of seconds until a new session expires, from its page's data. */
const expiresIn = ({ frame }) =>
  frame.evaluate(() => JSON.parse(document.getElementById('session').textContent).expires_in);

describeScenes('two minutes before the expiry', {}, ({ scenario, once }) => {
  const prepare = ({ page }) => page.clock.install();
  const announcement = ({ frame, texts }) => frame.getByRole('status').filter({ hasText: texts.pattern('expiry.soon') });

  scenario('the form announces it, once', async (scene) => {
    const session = await scene.createSession();
    const { page, checkout } = await scene.embed(session, { prepare });
    await checkout.ready();
    const seconds = await expiresIn(checkout);

    await page.clock.fastForward((seconds - 240) * 1000);
    assert.equal(await checkout.textOf('expiry.soon').isVisible(), false, 'not before');
    await page.clock.fastForward(121_000);
    await checkout.says('expiry.soon');
    await announcement(checkout).waitFor({ state: 'attached' });

    await checkout.pay(CARDS.declined);
    await checkout.alerts('live.card_declined');
    await checkout.says('expiry.soon');
    assert.equal(await announcement(checkout).count(), 0, 'it is announced again');
  });

  once('a challenge is not interrupted; the form that follows announces it', async (scene) => {
    const session = await scene.createSession();
    const { page, checkout } = await scene.embed(session, { prepare });
    await checkout.ready();
    const seconds = await expiresIn(checkout);
    await checkout.pay(CARDS.challenged);
    await checkout.heading('challenge.heading');

    await page.clock.fastForward((seconds - 119) * 1000);
    assert.equal(await checkout.textOf('expiry.soon').isVisible(), false, 'not in a challenge');
    assert.equal(await announcement(checkout).count(), 0);
    await checkout.anotherCardButton.click();
    await checkout.alerts('live.abandoned');
    await checkout.says('expiry.soon');
    await announcement(checkout).waitFor({ state: 'attached' });
  });
});
