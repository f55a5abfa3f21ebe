// Keyboard operation from the first Tab to the end: the position of the focus, and its visibility.
import assert from 'node:assert/strict';
import { CARDS } from './harness.mjs';
import { describeScenes } from './support/scenes.mjs';
import { until } from './support/until.mjs';

describeScenes('the keyboard alone', {}, ({ pair }) => {
  pair('pays after a decline and a challenge', async (scene) => {
    const session = await scene.createSession();
    const { page, checkout } = await scene.open(session);
    const fields = await checkout.fields();
    await checkout.ready();

    await tabTo(page, fields, '#number');
    await page.keyboard.type(CARDS.declined.replaceAll(' ', ''));
    await tabTo(page, fields, '#expiry');
    await page.keyboard.type('1234');
    await tabTo(page, fields, '#cvc');
    await page.keyboard.type('123');
    await tabTo(page, checkout.frame, '#pay');
    await page.keyboard.press('Enter');
    await checkout.heading('live.declined.heading');
    await assertFocus(checkout, 'live.declined.heading');

    // From the heading: the field, a new number, submitted from within the field.
    await tabTo(page, fields, '#number');
    await page.keyboard.press('ControlOrMeta+A');
    await page.keyboard.type(CARDS.challenged.replaceAll(' ', ''));
    await page.keyboard.press('Enter');
    await checkout.heading('challenge.heading');
    await assertFocus(checkout, 'challenge.heading');

    const challenge = await checkout.challenge();
    await challenge.locator('button[value="pass"]').waitFor();
    await tabTo(page, challenge, 'button[value="pass"]');
    await page.keyboard.press('Enter');
    await checkout.heading('success.heading');
    await assertFocus(checkout, 'success.heading');
    await tabTo(page, checkout.frame, '[data-view="success"] a');
    await page.keyboard.press('Enter');
    await page.waitForURL(`${scene.shop.origin}/thanks*`);
    await scene.assertPaidOnce(session);
  });
});

/** Presses Tab once and asserts that the focus is visible at the expected place. */
async function tabTo(page, frame, selector) {
  await page.keyboard.press('Tab');
  // Between frames the focus moves from one process to another, so it arrives with a delay.
  await frame.waitForFunction((it) => document.activeElement?.matches(it), selector);
  const seen = await frame.locator(selector).evaluate((element) => ({
    known: element.matches(':focus-visible'),
    // Card fields show their ring around a box that also contains the brand's name.
    ring: [element, element.parentElement].some((it) => getComputedStyle(it).outlineStyle !== 'none'),
  }));
  assert.deepEqual(seen, { known: true, ring: true }, `the focus on ${selector} is visible`);
}

async function assertFocus(checkout, heading) {
  const isFocused = () => checkout.headingOf(heading).evaluate((it) => it === document.activeElement);
  await until(isFocused, `the focus on the heading of ${heading}`);
}
