// Polls a condition twenty times a second, with a time limit.
import assert from 'node:assert/strict';

const TIMEOUT_MS = 60_000;
const PAUSE_MS = 50;

/** Resolves once `condition()` returns a truthy value; fails with `what` after the time limit. */
export async function until(condition, what) {
  const deadline = Date.now() + TIMEOUT_MS;
  while (!(await condition())) {
    assert.ok(Date.now() < deadline, `timed out: ${what}`);
    await pause();
  }
}

/** Resolves once `read()` returns this value; after the time limit, fails with the last value. */
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
