// Interruptions of a payment, by the shopper or by faults: it is paid once, or not at all.
import assert from 'node:assert/strict';
import { CARDS } from './harness.mjs';
import { describeScenes } from './support/scenes.mjs';
import { until } from './support/until.mjs';

const DISCONNECTED = /ERR_INTERNET_DISCONNECTED/;
const CONFLICT = /status of 409/;

const isPay = (url) => /^\/checkout\/[^/]+\/pay$/.test(url.pathname);
const paysOf = (visitor) => visitor.requests.filter(({ url }) => isPay(new URL(url)));

/** The shopper at the cart, then at the session's page, so that there is a page to go back to. */
async function fromCart(scene, session) {
  const visitor = await scene.visit(scene.shop.cartUrl);
  await visitor.page.goto(scene.service.checkoutUrl(session));
  return { visitor, page: visitor.page, checkout: await scene.checkoutOf(visitor, session) };
}

describeScenes('during a payment', {}, ({ pair, once }) => {
  pair('a double click pays once', async (scene) => {
    const session = await scene.createSession();
    const { visitor, checkout } = await scene.embed(session);

    await checkout.enter(CARDS.approved);
    await checkout.payButton.dblclick();
    await checkout.heading('success.heading');
    assert.equal(paysOf(visitor).length, 1, 'one call to pay');
    await scene.assertPaidOnce(session);
  });

  once('Enter pressed repeatedly pays once', async (scene) => {
    const session = await scene.createSession();
    const { visitor, page, checkout } = await scene.embed(session);

    await checkout.enter(CARDS.approved);
    await (await checkout.fields()).locator('#cvc').focus();
    for (let n = 0; n < 4; n += 1) await page.keyboard.press('Enter');
    await checkout.heading('success.heading');
    assert.equal(paysOf(visitor).length, 1, 'one call to pay');
    await scene.assertPaidOnce(session);
  });

  once('back from the shop’s result page skips the checkout', async (scene) => {
    const session = await scene.createSession();
    const { page, checkout } = await fromCart(scene, session);

    await checkout.pay(CARDS.approved);
    await checkout.heading('success.heading');
    await page.waitForURL(`${scene.shop.origin}/thanks*`);
    await page.goBack();
    assert.equal(page.url(), scene.shop.cartUrl);
    await scene.assertPaidOnce(session);
  });

  once('back to a checkout that was left by its link shows the payment', async (scene) => {
    const session = await scene.createSession();
    const { visitor, page, checkout } = await fromCart(scene, session);

    await checkout.pay(CARDS.approved);
    await checkout.heading('success.heading');
    await checkout.backLink.click();
    await page.waitForURL(`${scene.shop.origin}/thanks*`);
    await page.goBack();
    const again = await scene.checkoutOf(visitor, session);
    await again.heading('paid.heading');
    assert.equal(await again.payButton.isVisible(), false);
    assert.equal(paysOf(visitor).length, 1, 'one call to pay');
    await scene.assertPaidOnce(session);
  });

  once('back and forward before paying starts again', async (scene) => {
    const session = await scene.createSession();
    const { visitor, page, checkout } = await fromCart(scene, session);

    await checkout.enter(CARDS.approved);
    await page.goBack();
    assert.equal(page.url(), scene.shop.cartUrl);
    await page.goForward();
    const again = await scene.checkoutOf(visitor, session);
    await again.pay(CARDS.approved);
    await again.heading('success.heading');
    await page.waitForURL(`${scene.shop.origin}/thanks*`);
    await scene.assertPaidOnce(session);
  });

  once('back and forward during 3-D Secure continues the challenge', async (scene) => {
    const session = await scene.createSession();
    const { visitor, page, checkout } = await fromCart(scene, session);

    await checkout.pay(CARDS.challenged);
    await checkout.heading('challenge.heading');
    await page.goBack();
    assert.equal(page.url(), scene.shop.cartUrl);
    await page.goForward();
    const again = await scene.checkoutOf(visitor, session);
    await again.answerChallenge('pass');
    await again.heading('success.heading');
    await page.waitForURL(`${scene.shop.origin}/thanks*`);

    // The issuer's page adds its own history entry: back leads to the checkout, which shows the payment.
    await page.goBack();
    await (await scene.checkoutOf(visitor, session)).heading('paid.heading');
    await scene.assertPaidOnce(session);
  });

  once('no network when the button is pressed: an error, and a payment once there is', async (scene) => {
    const session = await scene.createSession();
    const { visitor, checkout } = await scene.embed(session);
    visitor.tolerate(DISCONNECTED);

    await checkout.enter(CARDS.approved);
    await visitor.context.setOffline(true);
    await checkout.payButton.click();
    await checkout.alerts('live.fields_failed');
    await scene.assertMoney(session, 'created', []);
    await visitor.context.setOffline(false);
    await checkout.payButton.click();
    await checkout.heading('success.heading');
    await scene.assertPaidOnce(session);
  });

  once('a connection lost before the response: an error, an automatic retry, one payment', async (scene) => {
    const session = await scene.createSession();
    const { visitor, page, checkout } = await scene.embed(session);
    visitor.tolerate(DISCONNECTED);
    // The service receives the call, and its response is dropped.
    const loseTheResponse = async (route) => {
      await route.fetch();
      await visitor.context.setOffline(true);
      await route.abort('internetdisconnected');
    };
    await page.route(isPay, loseTheResponse, { times: 1 });

    await checkout.pay(CARDS.approved);
    await checkout.heading('offline.heading');
    await checkout.says('offline.text');
    await visitor.context.setOffline(false);
    await checkout.heading('success.heading');
    assert.ok(paysOf(visitor).length > 1, 'the call was not repeated');
    await scene.assertPaidOnce(session);
  });

  once('two tabs that both pay make one payment', async (scene) => {
    const session = await scene.createSession();
    const tabs = [await scene.embed(session), await scene.embed(session)];

    for (const { visitor, checkout } of tabs) {
      visitor.tolerate(CONFLICT);
      await checkout.enter(CARDS.approved);
    }
    await Promise.all(tabs.map(({ checkout }) => checkout.payButton.click()));
    for (const { checkout } of tabs) {
      await checkout.headingOf('success.heading').or(checkout.headingOf('paid.heading')).waitFor();
    }
    await scene.assertPaidOnce(session);
  });

  once('a second tab shows that the session is already paid', async (scene) => {
    const session = await scene.createSession();
    const { visitor, checkout } = await scene.embed(session);
    visitor.tolerate(CONFLICT);

    await checkout.enter(CARDS.approved);
    await scene.harness.payByCall(session, CARDS.approved);
    await checkout.payButton.click();
    await checkout.heading('paid.heading');
    assert.equal(await checkout.payButton.isVisible(), false);
    await scene.assertPaidOnce(session);
  });

  once('a payment that the merchant cancelled meanwhile is not made', async (scene) => {
    const session = await scene.createSession();
    const { visitor, page, checkout } = await scene.open(session);
    visitor.tolerate(CONFLICT);

    await checkout.enter(CARDS.approved);
    await scene.harness.payByCall(session, CARDS.approved);
    await scene.harness.cancel(session);
    await checkout.payButton.click();
    await checkout.heading('cancelled.heading');
    await checkout.backLink.click();
    await page.waitForURL(`${scene.shop.origin}/thanks*`);
    assert.equal(new URL(page.url()).searchParams.get('status'), 'cancelled');
    await scene.assertMoney(session, 'cancelled', ['authorise 9999', 'void 9999']);
  });

  once('a press before the card fields are loaded counts once they are', async (scene) => {
    const session = await scene.createSession();
    let release;
    const held = new Promise((resolve) => (release = resolve));
    const { checkout } = await scene.embed(session, {
      prepare: ({ page }) =>
        page.route(`${scene.service.simulatorUrl}/fields*`, async (route) => {
          await held;
          await route.continue();
        }),
    });

    await checkout.payButton.click();
    release();
    await checkout.alerts('live.invalid');
    await scene.harness.assertMoney(session, 'created', []);
  });

  once('card fields that do not load: an error, and a retry loads them', async (scene) => {
    const session = await scene.createSession();
    const address = `${scene.service.simulatorUrl}/fields*`;
    const { visitor, page, checkout } = await scene.embed(session, {
      prepare: async (one) => {
        one.tolerate(/ERR_FAILED|chrome-error/);
        await one.page.clock.install();
        await one.page.route(address, (route) => route.abort());
      },
    });

    await checkout.heading('form.heading');
    await checkout.payButton.click();
    await page.clock.fastForward('00:20');
    await checkout.heading('broken.heading');
    await page.unroute(address);
    await checkout.button('broken.again').click();
    await checkout.heading('form.heading');
    await checkout.ready();
    // A round trip through both frames: anything started by a press would be visible by now.
    await (await checkout.fields()).evaluate(() => null);
    await checkout.frame.evaluate(() => null);
    assert.equal(await checkout.alert.filter({ visible: true }).count(), 0, 'the earlier press has no effect any more');
    await checkout.pay(CARDS.approved);
    await checkout.heading('success.heading');
    assert.equal(paysOf(visitor).length, 1, 'one call to pay');
    await scene.assertPaidOnce(session);
  });
});

describeScenes('while the processor is slow', {}, ({ once }) => {
  once('a reload while it is pending keeps waiting, and it is paid once', async (scene) => {
    const session = await scene.createSession();
    const { visitor, page, checkout } = await scene.open(session);
    // Long enough for a reload on a busy machine, and within the ten seconds that a call may take.
    await page.route(isPay, async (route) => {
      await scene.service.faults({ latency_ms: [8000, 8000] });
      await route.continue();
    });

    await checkout.pay(CARDS.approved);
    const isPending = async () => (await scene.service.session(session.session_id)).status === 'pending';
    await until(isPending, 'the payment is pending');
    await scene.assertMoney(session, 'pending', []);
    await page.reload({ waitUntil: 'domcontentloaded' });

    const again = await scene.checkoutOf(visitor, session);
    await again.heading('wait.heading');
    await again.heading('success.heading');
    await page.waitForURL(`${scene.shop.origin}/thanks*`);
    await scene.assertPaidOnce(session);
  });
});
