// Every view of the checkout on both screens, light and dark: accessibility, enlarged text, reduced motion.
import assert from 'node:assert/strict';
import AxeBuilder from '@axe-core/playwright';
import { describeScenes } from './support/scenes.mjs';
import { STATES } from './support/states.mjs';

describeScenes('every view', {}, ({ pair }) => {
  for (const state of STATES) {
    pair(state.name, async (scene) => {
      const { visitor, page, checkout } = await scene.show(state, { embedded: !scene.profile.phone });

      await assertHeading(checkout, state);
      await assertLanguage(page, checkout);
      if (scene.profile.options.reducedMotion) await assertStill(page);
      await assertAccessible(page);
      if (!scene.profile.phone) await assertReadableAtDoubleSize(visitor);
    });
  }
});

/** One heading is visible, the view's own; after a change of the view it has the focus. */
async function assertHeading(checkout, { heading, first }) {
  const headings = checkout.frame.locator('h1, h2').filter({ visible: true });
  assert.equal(await headings.count(), 1, 'one visible heading');
  assert.match(await headings.innerText(), checkout.texts.pattern(heading));
  if (first) return;
  const [title, text] = [await checkout.frame.title(), await headings.innerText()];
  assert.ok(title.startsWith(`${text} · `), `the title does not contain "${text}": ${title}`);
  assert.ok(await headings.evaluate((it) => it === document.activeElement), 'the focus is on the new heading');
}

/** The checkout declares its language, and the PSP's frames in it have the same. */
async function assertLanguage(page, checkout) {
  for (const frame of [checkout.frame, ...checkout.frame.childFrames()]) {
    const language = await frame.locator('html').getAttribute('lang');
    assert.equal(language, checkout.texts.language, `the language of ${frame.url().split('?')[0]}`);
  }
  assert.notEqual(await page.title(), '');
}

/** Nothing moves, in any frame. */
async function assertStill(page) {
  for (const frame of page.frames()) {
    const moving = await frame.evaluate(() =>
      document.getAnimations().map(({ effect }) => effect.target.className || effect.target.tagName),
    );
    assert.deepEqual(moving, [], `moves with reduced motion in ${frame.url().split('?')[0]}`);
  }
}

async function assertAccessible(page) {
  const { violations } = await new AxeBuilder({ page }).analyze();
  const found = violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ target }) => target).join(', ')}`);
  assert.deepEqual(found, [], 'what axe finds');
}

/** At 200 % a window has half as many pixels: nothing is wider than it, and nothing is cut off. */
async function assertReadableAtDoubleSize(visitor) {
  const { width, height } = visitor.page.viewportSize();
  await visitor.page.setViewportSize({ width: width / 2, height: height / 2 });
  assert.deepEqual(await visitor.tooWide(), [], 'wider than the window at 200 %');
  for (const frame of visitor.page.frames()) {
    const cut = await frame.evaluate(() =>
      [...document.body.querySelectorAll('*')]
        // Content for screen readers only is clipped on purpose.
        .filter((it) => getComputedStyle(it).clipPath === 'none' && it.getClientRects().length > 0)
        .filter((it) => getComputedStyle(it).overflow !== 'visible' && it.scrollWidth > it.clientWidth)
        .map((it) => it.outerHTML.slice(0, 100)),
    );
    assert.deepEqual(cut, [], `cut off at 200 % in ${frame.url().split('?')[0]}`);
  }
}
