// 3-D Secure: the issuer's page inside the checkout, and each way that a challenge can end.
import assert from 'node:assert/strict';
import { CARDS } from './harness.mjs';
import { describeScenes } from './support/scenes.mjs';

describeScenes('3-D Secure', {}, ({ pair, once }) => {
  pair('passes', async (scene) => {
    const session = await scene.createSession();
    const { checkout } = await scene.embed(session);

    await checkout.pay(CARDS.challenged);
    await checkout.heading('challenge.heading');
    await scene.assertMoney(session, 'pending', []);
    await checkout.answerChallenge('pass');
    await checkout.heading('success.heading');
    await scene.assertPaidOnce(session);
  });

  pair('fails, and passes in the next attempt', async (scene) => {
    const session = await scene.createSession();
    const { page, checkout } = await scene.open(session);

    await checkout.pay(CARDS.challenged);
    await checkout.answerChallenge('fail');
    await checkout.heading('live.declined.heading');
    await checkout.alerts('live.authentication_failed');
    const refused = await scene.service.session(session.session_id);
    assert.equal(refused.failure.code, 'authentication_failed');
    await scene.assertMoney(session, 'refused', []);

    await checkout.pay(CARDS.challenged);
    await checkout.answerChallenge('pass');
    await checkout.heading('success.heading');
    await page.waitForURL(`${scene.shop.origin}/thanks*`);
    await scene.assertPaidOnce(session);
  });

  pair('is abandoned for another card', async (scene) => {
    const session = await scene.createSession();
    const { checkout } = await scene.embed(session);

    await checkout.pay(CARDS.challenged);
    await checkout.challengeReady();
    await checkout.anotherCardButton.click();
    await checkout.heading('form.heading');
    await checkout.alerts('live.abandoned');
    const refused = await scene.service.session(session.session_id);
    assert.equal(refused.failure.code, 'authentication_abandoned');

    await checkout.pay(CARDS.approved);
    await checkout.heading('success.heading');
    await scene.assertPaidOnce(session);
  });

  pair('keeps the button in its place while the issuer’s page loads', async (scene) => {
    const session = await scene.createSession();
    const { page, checkout } = await scene.embed(session);
    let load;
    const loading = new Promise((resolve) => (load = resolve));
    await page.route(`${scene.service.simulatorUrl}/challenge/*`, async (route) => {
      await loading;
      await route.continue();
    });

    await checkout.pay(CARDS.challenged);
    await checkout.heading('challenge.heading');
    const before = await checkout.anotherCardOffset();
    load();
    await checkout.challengeReady();
    assert.equal(await checkout.anotherCardOffset(), before);
  });

  once('continues after a reload', async (scene) => {
    const session = await scene.createSession();
    const { visitor, page, checkout } = await scene.embed(session);

    await checkout.pay(CARDS.challenged);
    await checkout.heading('challenge.heading');
    await page.reload();

    const again = await scene.checkoutOf(visitor, session);
    await again.answerChallenge('pass');
    await again.heading('success.heading');
    await scene.assertPaidOnce(session);
  });
});
