// Waiting for what nothing announces: asked twenty times a second, and not for ever.
import assert from 'node:assert/strict';

const TIMEOUT_MS = 60_000;
const PAUSE_MS = 50;

/** Resolves as soon as `condition()` does to something true; fails with `what` where it never does. */
export async function until(condition, what) {
  const deadline = Date.now() + TIMEOUT_MS;
  while (!(await condition())) {
    assert.ok(Date.now() < deadline, `waited in vain: ${what}`);
    await pause();
  }
}

/** Resolves as soon as `read()` gives this value; where it never does, fails with the last one that it gave. */
export async function becomes(read, expected, what) {
  const deadline = Date.now() + TIMEOUT_MS;
  for (;;) {
    const found = await read();
    try {
      assert.deepEqual(found, expected, what);
      return;
    } catch (error) {
      if (Date.now() > deadline) throw error;
    }
    await pause();
  }
}

const pause = () => new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
