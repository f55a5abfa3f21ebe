// Frames that are as high as their content: no scrolling, and no empty space.
import assert from 'node:assert/strict';

const TIMEOUT_MS = 60_000;

/** Resolves when the checkout's frame and its inner frames have the height of their content. */
export async function untilFits(page, checkout, where) {
  const deadline = Date.now() + TIMEOUT_MS;
  for (;;) {
    const found = await misfits(page, checkout);
    if (found.length === 0) return;
    assert.ok(Date.now() < deadline, `${where}: ${found.join('; ')}`);
    await page.waitForTimeout(25);
  }
}

async function misfits(page, checkout) {
  const { frame } = checkout;
  const found = [];
  if (frame !== page.mainFrame()) {
    const { height } = await (await frame.frameElement()).boundingBox();
    const content = await frame.locator('main').evaluate((main) => Math.ceil(main.getBoundingClientRect().height));
    if (height !== content) found.push(`the frame has ${height} px for ${content}`);
    found.push(...(await scrolls(frame)));
  }
  for (const inner of frame.childFrames()) {
    if (!inner.url().startsWith('http')) continue; // held back, or refused
    const element = await inner.frameElement().catch(() => null); // gone in the meantime
    if (element && (await element.isVisible())) found.push(...(await scrolls(inner)));
  }
  return found;
}

async function scrolls(frame) {
  const { scrollHeight, clientHeight } = await frame.evaluate(() => {
    const { scrollHeight, clientHeight } = document.documentElement;
    return { scrollHeight, clientHeight };
  });
  const { pathname } = new URL(frame.url());
  return scrollHeight > clientHeight ? [`${scrollHeight} px to scroll in ${clientHeight} at ${pathname}`] : [];
}
