// The system's Chromium, and what one visitor does in it, with everything that the pages ask for and
// complain about on record.
import { chromium } from 'playwright-core';

const FLAGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];
const TIMEOUT_MS = 15_000;

/** Launches Chromium, headless. */
export function launchBrowser() {
  return chromium.launch({
    executablePath: process.env.ONCHARGE_TEST_CHROMIUM ?? '/usr/bin/chromium',
    headless: true,
    args: FLAGS,
  });
}

/** A visitor with cookies, storage and a language of their own. */
export async function visit(browser, options = {}) {
  const context = await browser.newContext({ locale: 'en-US', ...options });
  context.setDefaultTimeout(TIMEOUT_MS);
  const visitor = new Visitor(context);
  await context.addInitScript(() => {
    document.addEventListener('securitypolicyviolation', (event) => {
      console.error(`CSP violation: ${event.effectiveDirective} forbids ${event.blockedURI}`);
    });
  });
  visitor.page = await context.newPage();
  return visitor;
}

class Visitor {
  /** Every request of every frame: `{method, url, text}`, `text` being all of it that can be read. */
  requests = [];
  /** Errors in the console, uncaught exceptions and CSP violations, of every frame. */
  complaints = [];

  constructor(context) {
    this.context = context;
    context.on('request', (request) => this.#note(request));
    context.on('console', (message) => {
      if (message.type() === 'error') this.complaints.push(`${message.text()} (${message.location().url})`);
    });
    context.on('weberror', (error) => this.complaints.push(String(error.error())));
  }

  #note(request) {
    const headers = JSON.stringify(request.headers());
    const text = `${request.url()}\n${headers}\n${request.postDataBuffer()?.toString('utf8') ?? ''}`;
    this.requests.push({ method: request.method(), url: request.url(), text });
  }

  /** The requests that went to this origin. */
  requestsTo(origin) {
    return this.requests.filter(({ url }) => new URL(url).origin === origin);
  }

  /** The frame whose address begins so, as soon as it is there; the one shown last counts. */
  async frame(prefix) {
    const deadline = Date.now() + TIMEOUT_MS;
    for (;;) {
      const found = this.page.frames().filter((frame) => !frame.isDetached() && frame.url().startsWith(prefix));
      if (found.length > 0) return found.at(-1);
      if (Date.now() > deadline) {
        const addresses = this.page.frames().map((frame) => frame.url()).join(', ');
        throw new Error(`no frame of ${prefix}; there are: ${addresses}`);
      }
      await this.page.waitForTimeout(25);
    }
  }

  close() {
    return this.context.close();
  }
}
