// The time to pay runs out, while the page is open and while the bank is asking.
import assert from 'node:assert/strict';
import { CARDS } from './harness.mjs';
import { describeScenes } from './support/scenes.mjs';

// Long enough for all visitors to arrive, who then wait at the same time.
const SECONDS = 15;

describeScenes('expiry', { flags: ['--session-ttl', String(SECONDS)], concurrency: 8 }, ({ scenario }) => {
  scenario('while the page is open by itself: says so and offers the way back', async (scene) => {
    const session = await scene.createSession();
    const { page, checkout } = await scene.open(session);

    await checkout.enter(CARDS.approved);
    await checkout.headingOf('expired.heading').waitFor({ timeout: 2 * SECONDS * 1000 });
    assert.equal(await checkout.payButton.isVisible(), false);
    await scene.assertMoney(session, 'expired', []);
    await checkout.wayBack.click();
    await page.waitForURL(`${scene.shop.origin}/thanks*`);
    assert.equal(new URL(page.url()).searchParams.get('status'), 'expired');

    // Whoever comes later is told the same.
    const later = await scene.open(session);
    await later.checkout.heading('expired.heading');
  });

  scenario('during 3-D Secure: the challenge ends, nothing is held, and the shop is told', async (scene) => {
    const session = await scene.createSession();
    const { page, checkout } = await scene.embed(session);

    await checkout.pay(CARDS.challenged);
    await checkout.heading('challenge.heading');
    await checkout.headingOf('expired.heading').waitFor({ timeout: 2 * SECONDS * 1000 });
    await scene.assertMoney(session, 'expired', []);
    await page.waitForFunction(() => window.results.length > 0);
    const results = await page.evaluate(() => window.results);
    assert.deepEqual(results, [{ sessionId: session.session_id, status: 'expired' }]);
  });
});
