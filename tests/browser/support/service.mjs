// The `oncharge` binary under test: started on free ports with its own data directory, called like a
// merchant's server does, stopped and removed.
import { execFile, spawn } from 'node:child_process';
import { createHash, createHmac } from 'node:crypto';
import { existsSync, readFileSync, rmSync, mkdtempSync, readdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { until } from './until.mjs';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
export const BINARY = process.env.ONCHARGE_TEST_BINARY ?? join(ROOT, 'target/debug/oncharge');
const START_TIMEOUT_MS = 60_000;
const STOP_TIMEOUT_MS = 20_000;

const ORDER = { amount: 9999, currency: 'USD', reference: 'order-42' };

/** Starts `oncharge dev` and resolves when it is ready. `flags` are added to its arguments. */
export async function startService(flags = []) {
  if (!existsSync(BINARY)) {
    throw new Error(`${BINARY} does not exist: \`cargo build\` builds it, \`scripts/test browser\` does both`);
  }
  const directory = mkdtempSync(join(tmpdir(), 'oncharge-browser-'));
  const readyFile = join(directory, 'ready.json');
  const ports = ['--port', '--simulator-port', '--ops-port', '--shop-port'].flatMap((flag) => [flag, '0']);
  const dataDirectory = join(directory, 'data');
  const child = spawn(
    BINARY,
    ['dev', ...ports, '--data-dir', dataDirectory, '--ready-file', readyFile, ...flags],
    { cwd: directory, stdio: ['ignore', 'pipe', 'pipe'] },
  );
  const service = new Service(child, directory, dataDirectory);
  try {
    await service.untilReady(readyFile);
  } catch (error) {
    await service.stop();
    service.removeFiles();
    throw error;
  }
  return service;
}

class Service {
  #child;
  #directory;
  #dataDirectory;
  #ended;
  /** Its output and log so far. */
  output = '';

  constructor(child, directory, dataDirectory) {
    this.#child = child;
    this.#directory = directory;
    this.#dataDirectory = dataDirectory;
    const listen = (chunk) => (this.output += chunk);
    child.stdout.setEncoding('utf8').on('data', listen);
    child.stderr.setEncoding('utf8').on('data', listen);
    this.#ended = new Promise((resolve) => {
      child.once('exit', (code, signal) => resolve(code ?? signal));
      child.once('error', (error) => resolve(error.message));
    });
    // An aborted test run must not leave a server running.
    this.kill = () => child.kill('SIGKILL');
    process.once('exit', this.kill);
  }

  async untilReady(readyFile) {
    let ended;
    this.#ended.then((code) => (ended = code));
    const deadline = Date.now() + START_TIMEOUT_MS;
    while (!existsSync(readyFile)) {
      if (ended !== undefined) throw new Error(`oncharge exited (${ended}) before it was ready:\n${this.output}`);
      if (Date.now() > deadline) throw new Error(`oncharge was not ready in time:\n${this.output}`);
      await pause(50);
    }
    const ready = JSON.parse(readFileSync(readyFile, 'utf8'));
    this.baseUrl = ready.base_url;
    this.simulatorUrl = ready.simulator_url;
    this.demoShopUrl = ready.demo_shop_url;
    this.opsUrl = ready.ops_url;
    this.key = ready.api_key;
    this.secret = ready.api_secret;
    this.merchantId = ready.merchant_id;
  }

  /** A signed call of the merchant API: `{status, body}`, the body parsed. */
  async api(method, path, body, headers = {}) {
    const text = body === undefined ? '' : JSON.stringify(body);
    const timestamp = String(Math.floor(Date.now() / 1000));
    const signed = `${timestamp}.${method}.${path}.${sha256(text)}`;
    const response = await fetch(this.baseUrl + path, {
      method,
      headers: {
        'X-Oncharge-Key': this.key,
        'X-Oncharge-Timestamp': timestamp,
        'X-Oncharge-Signature': createHmac('sha256', sha256(this.secret)).update(signed).digest('hex'),
        ...(text && { 'Content-Type': 'application/json' }),
        ...headers,
      },
      body: text || undefined,
    });
    return { status: response.status, body: await response.json() };
  }

  /** Creates a session; `fields` (at least `return_url`) are added to a default order. */
  async createSession(fields) {
    const { status, body } = await this.api('POST', '/v1/checkout/sessions', { ...ORDER, ...fields });
    if (status !== 201) throw new Error(`the session was not created: ${status} ${JSON.stringify(body)}`);
    return body;
  }

  /** The session as the merchant sees it. */
  async session(id) {
    const { status, body } = await this.api('GET', `/v1/checkout/sessions/${id}`);
    if (status !== 200) throw new Error(`cannot read session: ${status} ${JSON.stringify(body)}`);
    return body;
  }

  /** Changes the merchant's settings with an operator command while the service runs. */
  async setMerchant(...flags) {
    const set = ['merchant', 'set', this.merchantId, ...flags];
    await promisify(execFile)(BINARY, [...set, '--data-dir', this.#dataDirectory]);
  }

  /**
   * Sets the origins that may frame the merchant's checkouts; without any, each session's return URL decides.
   * Resolves when pages use the setting: nodes read settings every second.
   */
  async registerOrigins(origins) {
    await this.setMerchant('--origins', origins.join(','));
    const returnOrigin = 'https://return.test';
    const page = this.checkoutUrl(await this.createSession({ return_url: `${returnOrigin}/thanks` }));
    const expected = `frame-ancestors ${(origins.length > 0 ? origins : [returnOrigin]).join(' ')}`;
    const policy = async () => (await fetch(page)).headers.get('content-security-policy');
    await until(async () => (await policy()).endsWith(expected), `a page with ${expected}`);
  }

  /** Replaces the PSP's faults. */
  async faults(faults) {
    const response = await fetch(`${this.simulatorUrl}/v1/faults`, {
      method: 'PUT',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify(faults),
    });
    if (!response.ok) throw new Error(`the faults were refused: ${response.status} ${await response.text()}`);
  }

  /** The credentials of OnCharge's account at the PSP's API. */
  pspBearer() {
    return readFileSync(join(this.#dataDirectory, 'simulator.key'), 'utf8').split('\n')[0];
  }

  /** The PSP's ledger of a session, as `kind amount` in order. */
  async ledger(sessionId) {
    const response = await fetch(`${this.simulatorUrl}/v1/ledger?reference=${encodeURIComponent(sessionId)}`);
    const { entries } = await response.json();
    return entries.map(({ kind, amount }) => `${kind} ${amount}`);
  }

  /** The address of a session's page. */
  checkoutUrl(session) {
    return new URL(session.iframe_url, this.baseUrl).href;
  }

  /** The key that signs the PSP's notifications. */
  notificationKey() {
    return readFileSync(join(this.#dataDirectory, 'simulator.key'), 'utf8').trim().split('\n')[1];
  }

  /** The files that OnCharge wrote, as `{name, bytes}`, without the simulator's. */
  files() {
    return filesIn(this.#dataDirectory)
      .map((path) => ({ name: relative(this.#dataDirectory, path), path }))
      .filter(({ name }) => !/simulator/.test(name))
      .map(({ name, path }) => ({ name, bytes: readFileSync(path) }));
  }

  /** Sends SIGTERM. Resolves with the exit code, also if it has already exited. */
  async stop() {
    this.#child.kill('SIGTERM');
    const timer = setTimeout(this.kill, STOP_TIMEOUT_MS);
    const code = await this.#ended;
    clearTimeout(timer);
    process.off('exit', this.kill);
    return code;
  }

  /** Removes its data directory. */
  removeFiles() {
    rmSync(this.#directory, { recursive: true, force: true });
  }
}

function filesIn(directory) {
  return readdirSync(directory, { withFileTypes: true }).flatMap((entry) => {
    const path = join(directory, entry.name);
    return entry.isDirectory() ? filesIn(path) : entry.isFile() ? [path] : [];
  });
}

const sha256 = (text) => createHash('sha256').update(text).digest('hex');
const pause = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));
