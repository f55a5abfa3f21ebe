// Waiting for what nothing announces: asked twenty times a second, and not for ever.
import assert from 'node:assert/strict';

const TIMEOUT_MS = 15_000;
const PAUSE_MS = 50;

/** Resolves as soon as `condition()` does to something true; fails with `what` where it never does. */
export async function until(condition, what) {
  const deadline = Date.now() + TIMEOUT_MS;
  while (!(await condition())) {
    assert.ok(Date.now() < deadline, `waited in vain: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
  }
}
