// The system's Chromium, and visitors whose requests and errors are recorded.
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
const TIMEOUT_MS = 60_000;

const PHONE = {
  viewport: { width: 320, height: 640 },
  deviceScaleFactor: 2,
  isMobile: true,
  hasTouch: true,
};
const DESKTOP = { viewport: { width: 1280, height: 800 } };

/** Four shoppers that cover two screens, two color schemes and all languages. */
export const PROFILES = [
  { name: 'desktop, en-US, light', phone: false, options: { ...DESKTOP, locale: 'en-US', colorScheme: 'light' } },
  { name: 'desktop, de-DE, dark', phone: false, options: { ...DESKTOP, locale: 'de-DE', colorScheme: 'dark' } },
  { name: 'phone, fr-FR, dark', phone: true, options: { ...PHONE, locale: 'fr-FR', colorScheme: 'dark' } },
  {
    name: 'phone, es-ES, light, reduced motion',
    phone: true,
    options: { ...PHONE, locale: 'es-ES', colorScheme: 'light', reducedMotion: 'reduce' },
  },
];

/** Launches Chromium, headless. */
export function launchBrowser() {
  return chromium.launch({
    executablePath: process.env.ONCHARGE_TEST_CHROMIUM ?? '/usr/bin/chromium',
    headless: true,
    args: FLAGS,
  });
}

/**
 * A visitor with separate cookies, storage and language. A test can respond to requests at any time, unless
 * `intercepting` is false: then requests are as fast as without a test.
 */
export async function visit(browser, { intercepting = true, ...options } = {}) {
  const known = { locale: 'en-US', ...options };
  const context = await browser.newContext(known);
  context.setDefaultTimeout(TIMEOUT_MS);
  const visitor = new Visitor(context, known.locale);
  await context.addInitScript(() => {
    document.addEventListener('securitypolicyviolation', (event) => {
      console.error(`CSP violation: ${event.effectiveDirective} forbids ${event.blockedURI}`);
    });
  });
  // Chromium decides when a frame of another site is created whether to report its requests. Without a route
  // at that time, a route that is added later can miss some.
  if (intercepting) await context.route('https://intercepted.invalid/', (route) => route.abort());
  visitor.page = await context.newPage();
  return visitor;
}

class Visitor {
  #tolerated = [];
  /** Every request of every frame: `{method, url, text}`; `text` is everything readable in it. */
  requests = [];
  /** Errors in the console, uncaught exceptions and CSP violations, of every frame. */
  consoleErrors = [];

  constructor(context, locale) {
    this.context = context;
    this.locale = locale;
    context.on('request', (request) => this.#note(request));
    context.on('console', (message) => {
      if (message.type() === 'error') this.consoleErrors.push(`${message.text()} (${message.location().url})`);
    });
    context.on('weberror', (error) => this.consoleErrors.push(String(error.error())));
  }

  #note(request) {
    const headers = JSON.stringify(request.headers());
    const text = `${request.url()}\n${headers}\n${request.postDataBuffer()?.toString('utf8') ?? ''}`;
    this.requests.push({ method: request.method(), url: request.url(), text });
  }

  /** Messages that the browser itself logs when a request of this test fails as intended. */
  tolerate(pattern) {
    this.#tolerated.push(pattern);
  }

  /** The errors that were not announced. */
  get unexpected() {
    return this.consoleErrors.filter((error) => !this.#tolerated.some((pattern) => pattern.test(error)));
  }

  /** Resolves with the first error that matches. */
  async consoleError(pattern) {
    const known = this.consoleErrors.find((error) => pattern.test(error));
    if (known) return known;
    await this.context.waitForEvent('console', (message) => pattern.test(message.text()));
    return this.consoleError(pattern);
  }

  /** The requests that went to this origin. */
  requestsTo(origin) {
    return this.requests.filter(({ url }) => new URL(url).origin === origin);
  }

  /** The frame whose address starts with this prefix, once it exists; the last one that was shown counts. */
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

  /** The frames of the page that are wider than their container. */
  async tooWide() {
    const found = [];
    for (const frame of this.page.frames()) {
      if (frame.isDetached() || !/^https?:/.test(frame.url())) continue;
      const { scrollWidth, clientWidth } = await frame.evaluate(() => {
        const { scrollWidth, clientWidth } = document.documentElement;
        return { scrollWidth, clientWidth };
      });
      const { pathname } = new URL(frame.url());
      if (scrollWidth > clientWidth) found.push(`${pathname} has ${scrollWidth} px in ${clientWidth}`);
    }
    return found;
  }

  /** The visible text of every frame, after the frame's path. */
  async visibleText() {
    const texts = await Promise.all(
      this.page.frames().map(async (frame) => {
        const text = await frame.locator('body').innerText({ timeout: 1000 }).catch(String);
        return `${new URL(frame.url()).pathname}: ${text.replace(/\s+/gu, ' ').trim()}`;
      }),
    );
    return texts.join('\n');
  }

  close() {
    return this.context.close();
  }
}
