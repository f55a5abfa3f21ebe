// The load of the machine: durations are asserted only if other processes leave enough processor time.
import { cpus } from 'node:os';

/** The share of processor time that must have been idle for durations to be asserted. */
const LEAST_IDLE = 0.1;

const times = () =>
  cpus().reduce(
    ({ idle, total }, { times }) => ({
      idle: idle + times.idle,
      total: total + Object.values(times).reduce((sum, value) => sum + value, 0),
    }),
    { idle: 0, total: 0 },
  );

/** Runs `work`; resolves with its result as `result`, and with `quiet`, whether the machine was idle enough. */
export async function watchingLoad(work) {
  const before = times();
  const result = await work();
  const after = times();
  const idle = (after.idle - before.idle) / (after.total - before.total);
  return { result, quiet: idle >= LEAST_IDLE };
}
