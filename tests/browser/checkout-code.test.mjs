// The one-time code. The service does not request any yet, so the tests respond in its place, in the
// documented format.
import assert from 'node:assert/strict';
import { CARDS } from './harness.mjs';
import { describeScenes } from './support/scenes.mjs';

const DESTINATION = '•••• 4567';
const ASKS = { status: 'pending', next: { type: 'otp', destination: DESTINATION } };
const DECLINED = { status: 'refused', next: { type: 'retry', reason: 'card_declined' } };
const PAID = { status: 'authorized', next: { type: 'none' } };

const call = (name) => (url) => new RegExp(`^/checkout/[^/]+/${name}$`).test(url.pathname);

/**
 * A shopper who is asked for a code. `respond` receives what the page posts and returns the next state, or
 * nothing for a lost response. `posted` has all posted values.
 */
async function openWithCode(scene, respond, options) {
  const session = await scene.createSession();
  const seen = await scene.embed(session, options);
  const posted = [];
  await seen.page.route(call('(pay|status)'), (route) => route.fulfill({ json: ASKS }));
  await seen.page.route(call('otp'), (route) => {
    posted.push(route.request().postDataJSON());
    const state = respond(posted.at(-1));
    return state ? route.fulfill({ json: state }) : route.abort('connectionreset');
  });
  const { checkout } = seen;
  await checkout.pay(CARDS.approved);
  await checkout.heading('otp.heading');
  await checkout.says('live.otp.text', { destination: DESTINATION });
  const field = checkout.frame.getByLabel(checkout.texts.text('otp.label'), { exact: true });
  return { ...seen, posted, field };
}

const focused = (field) => field.evaluate((it) => it === document.activeElement);

describeScenes('the one-time code', {}, ({ pair, once }) => {
  pair('is typed or pasted, validated, and sent once', async (scene) => {
    const { page, checkout, field, posted } = await openWithCode(scene, () => PAID);
    assert.equal(await field.getAttribute('autocomplete'), 'one-time-code');
    assert.equal(await field.getAttribute('inputmode'), 'numeric');

    await field.fill('12345');
    await field.press('Enter');
    await checkout.alerts('live.otp.invalid');
    assert.ok(await focused(field), 'the focus is in the field');
    assert.equal(await field.getAttribute('aria-invalid'), 'true');
    assert.deepEqual(posted, [], 'nothing was sent');

    await field.fill('123 456');
    await checkout.button('otp.confirm').dblclick();
    await checkout.heading('success.heading');
    assert.deepEqual(posted, [{ code: '123456' }]);
    await page.waitForFunction(() => window.results.length > 0);
    assert.equal((await page.evaluate(() => window.results))[0].status, 'authorized');
  });

  pair('is wrong, and requested again', async (scene) => {
    const { checkout, field, posted } = await openWithCode(scene, ({ code }) => (code === '654321' ? PAID : ASKS));

    await field.fill('123456');
    await field.press('Enter');
    await checkout.alerts('live.otp.wrong');
    assert.equal(await field.inputValue(), '', 'the field is empty again');
    assert.ok(await focused(field), 'the focus is in the field');

    await field.fill('654321');
    await field.press('Enter');
    await checkout.heading('success.heading');
    assert.deepEqual(posted, [{ code: '123456' }, { code: '654321' }]);
  });

  once('that was correct does not affect the next one', async (scene) => {
    const { checkout, field } = await openWithCode(scene, () => DECLINED);

    await field.fill('123456');
    await field.press('Enter');
    await checkout.heading('live.declined.heading');
    await checkout.pay(CARDS.approved);
    await checkout.heading('otp.heading');
    assert.equal(await checkout.alert.filter({ visible: true }).count(), 0, 'nothing is wrong yet');
    assert.equal(await field.getAttribute('aria-invalid'), 'false');
  });

  once('in transit is not lost when the time runs out', async (scene) => {
    let respond;
    const { page, checkout, field } = await openWithCode(scene, () => PAID, { prepare: ({ page }) => page.clock.install() });
    const held = new Promise((resolve) => (respond = resolve));
    await page.route(call('otp'), async (route) => {
      await held;
      await route.fulfill({ json: PAID });
    });

    const left = await checkout.frame.evaluate(() => JSON.parse(document.getElementById('session').textContent).expires_in);
    await page.clock.fastForward((left - 5) * 1000);
    await field.fill('123456');
    await field.press('Enter');
    await page.clock.runFor(8000);
    respond();
    await checkout.heading('success.heading');
  });

  once('can be requested again after half a minute, and once more after another', async (scene) => {
    const prepare = ({ page }) => page.clock.install();
    const { page, checkout, field, posted } = await openWithCode(scene, () => ASKS, { prepare });
    const again = checkout.button('otp.again');

    assert.equal(await again.isVisible(), false, 'not at once');
    await page.clock.fastForward('00:30');
    await again.click();
    await checkout.frame.getByRole('status').filter({ hasText: checkout.texts.text('live.otp.sent') }).waitFor();
    assert.deepEqual(posted, [{ resend: true }]);
    assert.ok(await focused(field), 'the focus is in the field');
    assert.equal(await again.isVisible(), false, 'not again at once');
    await page.clock.fastForward('00:30');
    await again.waitFor();
  });

  once('is not sent again automatically when the response is lost', async (scene) => {
    const { visitor, checkout, field, posted } = await openWithCode(scene, () => undefined);
    visitor.tolerate(/ERR_CONNECTION_RESET/);

    await field.fill('123456');
    await field.press('Enter');
    await checkout.alerts('live.otp.failed');
    assert.equal(await field.inputValue(), '123456', 'the code stays for another attempt');
    assert.deepEqual(posted, [{ code: '123456' }]);
  });
});
