// The simulator's binary on a free port with its own data directory, and a receiver of its events.
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const SERVER = process.env.ONCHARGE_TEST_BINARY ?? join(ROOT, 'target/debug/oncharge');
const BINARY = join(dirname(SERVER), 'oncharge-psp-simulator');
const EVENT_TIMEOUT_MS = 15_000;

export const SECRET_KEY = 'sk_test_library';
export const PUBLISHABLE_KEY = 'pk_test_library';
export const WEBHOOK_SECRET = 'whsec_library';

/** Starts receiver and simulator: `{ url, events, stop }`. */
export async function startSimulator() {
  if (!existsSync(BINARY)) throw new Error(`${BINARY} does not exist: \`cargo build\` builds it`);
  const events = await startReceiver();
  const directory = mkdtempSync(join(tmpdir(), 'oncharge-stripe-face-'));
  const child = spawn(BINARY, ['--port', '0', '--data-dir', directory, '--stripe-webhook-url', events.url], {
    env: {
      ...process.env,
      ONCHARGE_SIMULATOR_STRIPE_SECRET_KEY: SECRET_KEY,
      ONCHARGE_SIMULATOR_STRIPE_PUBLISHABLE_KEY: PUBLISHABLE_KEY,
      ONCHARGE_SIMULATOR_STRIPE_WEBHOOK_SECRET: WEBHOOK_SECRET,
    },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  // An aborted test run must not leave a server running.
  process.once('exit', () => child.kill('SIGKILL'));
  const ended = new Promise((resolve) => child.once('exit', resolve));
  const ready = new Promise((resolve) => createInterface(child.stdout).once('line', resolve));
  const line = await Promise.race([ready, ended.then((code) => Promise.reject(new Error(`it ended: ${code}`)))]);
  return {
    url: JSON.parse(line).simulator_url,
    events,
    async stop() {
      child.kill('SIGTERM');
      await ended;
      events.close();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

/** Receives deliveries as `{ body, signature }`; `next()` waits for the next one. */
async function startReceiver() {
  const deliveries = [];
  const waiting = [];
  const server = createServer(async (request, response) => {
    const chunks = [];
    for await (const chunk of request) chunks.push(chunk);
    response.writeHead(200).end();
    const delivery = { body: Buffer.concat(chunks), signature: request.headers['stripe-signature'] };
    const receive = waiting.shift();
    if (receive) receive(delivery);
    else deliveries.push(delivery);
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${server.address().port}/`,
    close: () => server.close(),
    next() {
      if (deliveries.length > 0) return Promise.resolve(deliveries.shift());
      return new Promise((resolve, reject) => {
        const timeout = setTimeout(() => reject(new Error('no event arrived')), EVENT_TIMEOUT_MS);
        waiting.push((delivery) => {
          clearTimeout(timeout);
          resolve(delivery);
        });
      });
    },
  };
}
