// An `oncharge serve` whose database is unreachable; its operators' port responds anyway.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { BINARY } from './service.mjs';

const TIMEOUT_MS = 60_000;

/** Resolves once it waits for the database: `opsUrl` responds, `stop()` ends it. */
export async function startWithoutDatabase() {
  const directory = mkdtempSync(join(tmpdir(), 'oncharge-browser-'));
  const [port, opsPort] = [await freePort(), await freePort()];
  const key = (id) => `${id}:${randomBytes(32).toString('base64')}`;
  const settings = {
    ONCHARGE__MODE: 'sandbox',
    ONCHARGE__NETWORK__PORT: String(port),
    ONCHARGE__NETWORK__OPS_PORT: String(opsPort),
    // Nothing listens on port 1.
    ONCHARGE__DATABASE__URL: 'postgres://oncharge@127.0.0.1:1/oncharge',
    ONCHARGE__KEYS__MASTER: key('k1'),
    ONCHARGE__KEYS__PEPPER: key('p1'),
  };
  const env = { ...process.env, ...settings };
  const child = spawn(BINARY, ['serve'], { cwd: directory, env, stdio: ['ignore', 'ignore', 'pipe'] });
  const ended = once(child, 'exit');
  const kill = () => child.kill('SIGKILL');
  process.once('exit', kill);
  const stop = async () => {
    child.kill('SIGTERM');
    await ended;
    process.off('exit', kill);
    rmSync(directory, { recursive: true, force: true });
  };
  try {
    await saysThatItWaits(child);
  } catch (error) {
    await stop();
    throw error;
  }
  return { opsUrl: `http://127.0.0.1:${opsPort}`, stop };
}

async function saysThatItWaits(child) {
  let log = '';
  const timer = setTimeout(() => child.kill('SIGKILL'), TIMEOUT_MS);
  for await (const chunk of child.stderr.setEncoding('utf8').iterator({ destroyOnReturn: false })) {
    log += chunk;
    if (log.includes('database unreachable, retrying')) break;
  }
  clearTimeout(timer);
  child.stderr.resume();
  assert.match(log, /database unreachable, retrying/, 'it did not wait for its database');
}

async function freePort() {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  server.close();
  await once(server, 'close');
  return port;
}
