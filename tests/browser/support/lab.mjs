// Pages that a test writes itself, on any origin: the browser gets them from the test, and no request for
// them leaves it. What they are told by `postMessage` is on record.

/** One test's visitors at pages of its own. */
export class Lab {
  #harness;
  #visitors = [];

  constructor(harness) {
    this.#harness = harness;
  }

  /** An address of the shop's, where no page of the shop's is. */
  get address() {
    return `${this.#harness.shop.origin}/lab`;
  }

  /** A visitor who has not gone anywhere yet, and may load from the service wherever that will be. */
  async visitor() {
    const visitor = await this.#harness.visit();
    this.#visitors.push(visitor);
    await admit(visitor);
    return visitor;
  }

  /** A visitor at a page of this body. */
  async at(address, body) {
    const visitor = await this.visitor();
    await stage(visitor.page, address, body);
    await visitor.page.goto(address, { waitUntil: 'domcontentloaded' });
    return visitor;
  }

  /** A visitor at the shop's page in which these sessions are mounted. */
  mounted(...sessions) {
    return this.at(this.address, mounting(this.#harness.service, sessions));
  }

  /** The frame of a session's checkout. */
  frame(visitor, { session_id }) {
    return visitor.frame(`${this.#harness.service.baseUrl}/checkout/${session_id}`);
  }

  close() {
    return Promise.all(this.#visitors.map((visitor) => visitor.close()));
  }
}

/** What a mounted session has reported so far. */
export function reports(page, { session_id }) {
  return page.evaluate((id) => window.reports[id], session_id);
}

/** Resolves when a mounted session has reported this. */
export function reported(page, { session_id }, report) {
  return page.waitForFunction(([id, it]) => window.reports[id].includes(it), [session_id, report]);
}

/** Records whatever the page is told, in `window.heard`. */
const LISTENER = `
  window.heard = [];
  window.addEventListener('message', ({ origin, data }) => heard.push({ origin, data }));`;

/** Answers requests for `address` with a page of this body. */
export function stage(page, address, body) {
  const html =
    `<!doctype html><html lang="en"><head><meta name="viewport" content="width=device-width">` +
    `<title>A page of the test</title><link rel="icon" href="data:,"></head>` +
    `<body><script>${LISTENER}</script><main>${body}</main></body></html>`;
  return page.route(address, (route) => route.fulfill({ contentType: 'text/html; charset=utf-8', body: html }));
}

/** Lets pages that came from no address of this machine (those of a test) load from the service. */
export async function admit(visitor) {
  try {
    await visitor.context.grantPermissions(['local-network-access']);
  } catch (error) {
    // An older Chromium does not know this permission, and asks for none.
    if (!/Unknown permission/.test(error.message)) throw error;
  }
}

/** The body of a page that frames `addresses` by itself, one after the other. */
export function framing(...addresses) {
  return addresses.map((address) => `<iframe title="Frame" src="${escaped(address)}"></iframe>`).join('');
}

/** Adds a frame to the page that is there. */
export function addFrame(page, address) {
  return page.evaluate((src) => {
    document.body.append(Object.assign(document.createElement('iframe'), { src }));
  }, address);
}

/**
 * The body of a page that mounts these sessions with `oncharge.js`, each in an element of its own. What
 * each reports is in `window.reports`, what `mount` returned in `window.mounted`, both by session id.
 */
export function mounting(service, sessions) {
  const known = sessions.map(({ session_id, iframe_url }) => ({ id: session_id, iframeUrl: iframe_url }));
  return `
    ${sessions.map(({ session_id }) => `<div id="${session_id}"></div>`).join('')}
    <script src="${service.baseUrl}/oncharge.js"></script>
    <script>
      window.reports = {};
      window.mounted = {};
      window.mountOne = ({ id, iframeUrl }) => {
        const reports = (window.reports[id] ??= []);
        mounted[id] = OnCharge.mount(document.getElementById(id), {
          iframeUrl,
          onReady: () => reports.push('ready'),
          onResult: ({ sessionId, status }) => reports.push('result ' + sessionId + ' ' + status),
          onError: ({ sessionId }) => reports.push('error ' + sessionId),
        });
      };
      ${JSON.stringify(known)}.forEach(mountOne);
    </script>`;
}

/** Puts on record from now on what a frame that is not the test's own is told. */
export function listenIn(frame) {
  return frame.evaluate(() => {
    window.heard = [];
    window.addEventListener('message', ({ origin, data }) => window.heard.push({ origin, data }));
  });
}

let barriers = 0;

/**
 * Posts messages from `sender`'s window to `receiver`'s (its parent, or the first frame of the page), then
 * one more, and resolves when the receiver has heard that last one: then it has heard the others as well.
 */
export async function post(receiver, sender, messages, { toFirstFrame = false } = {}) {
  const barrier = `barrier ${(barriers += 1)}`;
  await sender.evaluate(
    ({ all, toFirstFrame }) => {
      const target = toFirstFrame ? window.top.frames[0] : window.parent;
      for (const message of all) target.postMessage(message, '*');
    },
    { all: [...messages, barrier], toFirstFrame },
  );
  await receiver.waitForFunction((last) => window.heard.some(({ data }) => data === last), barrier);
}

/** What the page has heard that calls itself OnCharge's. */
export function heardOfOnCharge(page) {
  return page.evaluate(() => window.heard.filter(({ data }) => data?.source === 'oncharge'));
}

const escaped = (text) => text.replaceAll('&', '&amp;').replaceAll('"', '&quot;');
