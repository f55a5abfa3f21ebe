// How busy the machine is: what is a matter of time can be judged only where other processes leave room.
import { cpus } from 'node:os';

/** The share of the machine's processor time that must have been idle for times to be believed. */
const LEAST_IDLE = 0.1;

const times = () =>
  cpus().reduce(
    ({ idle, total }, { times }) => ({
      idle: idle + times.idle,
      total: total + Object.values(times).reduce((sum, value) => sum + value, 0),
    }),
    { idle: 0, total: 0 },
  );

/** Runs `work`: what it resolves with as `result`, and whether the machine had room meanwhile as `quiet`. */
export async function watchingLoad(work) {
  const before = times();
  const result = await work();
  const after = times();
  const idle = (after.idle - before.idle) / (after.total - before.total);
  return { result, quiet: idle >= LEAST_IDLE };
}
