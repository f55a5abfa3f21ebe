// Pages written by a test, on any origin: the test responds to their requests, and none leaves the browser.
// Messages that they receive by `postMessage` are recorded.

/** A test's visitors at its own pages. */
export class TestPages {
  #harness;
  #visitors = [];

  constructor(harness) {
    this.#harness = harness;
  }

  /** An address on the shop's origin without a page of the shop. */
  get address() {
    return `${this.#harness.shop.origin}/test-page`;
  }

  /** A visitor without a page, permitted to load from the service. */
  async visitor() {
    const visitor = await this.#harness.visit();
    this.#visitors.push(visitor);
    await admit(visitor);
    return visitor;
  }

  /** A visitor at a page with this body. */
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

/** The reports of a mounted session so far. */
export function reports(page, { session_id }) {
  return page.evaluate((id) => window.reports[id], session_id);
}

/** Resolves when a mounted session has reported this. */
export function reported(page, { session_id }, report) {
  return page.waitForFunction(([id, it]) => window.reports[id].includes(it), [session_id, report]);
}

/** Records all messages to the page in `window.received`. */
const LISTENER = `
  window.received = [];
  window.addEventListener('message', ({ origin, data }) => received.push({ origin, data }));`;

/** Responds to requests for `address` with a page with this body. */
export function stage(page, address, body) {
  const html =
    `<!doctype html><html lang="en"><head><meta name="viewport" content="width=device-width">` +
    `<title>A page of the test</title><link rel="icon" href="data:,"></head>` +
    `<body><script>${LISTENER}</script><main>${body}</main></body></html>`;
  return page.route(address, (route) => route.fulfill({ contentType: 'text/html; charset=utf-8', body: html }));
}

/** Permits pages of a test, which do not come from an address of this machine, to load from the service. */
export async function admit(visitor) {
  try {
    await visitor.context.grantPermissions(['local-network-access']);
  } catch (error) {
    // An older Chromium does not have this permission, and does not need it.
    if (!/Unknown permission/.test(error.message)) throw error;
  }
}

/** The body of a page that frames `addresses`. */
export function framing(...addresses) {
  return addresses.map((address) => `<iframe title="Frame" src="${escaped(address)}"></iframe>`).join('');
}

/** Adds a frame to the page. */
export function addFrame(page, address) {
  return page.evaluate((src) => {
    document.body.append(Object.assign(document.createElement('iframe'), { src }));
  }, address);
}

/**
 * The body of a page that mounts these sessions with `oncharge.js`, each in its own element. `window.reports`
 * has the reports of each, `window.mounted` the results of `mount`, both by session id.
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

/** Records from now on the messages to a frame that does not belong to the test. */
export function listenIn(frame) {
  return frame.evaluate(() => {
    window.received = [];
    window.addEventListener('message', ({ origin, data }) => window.received.push({ origin, data }));
  });
}

let barriers = 0;

/**
 * Posts messages from `sender`'s window to `receiver`'s (its parent, or the first frame of the page), then a
 * final one, and resolves when the receiver got that: then it has received the others as well.
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
  await receiver.waitForFunction((last) => window.received.some(({ data }) => data === last), barrier);
}

/** The recorded messages that claim to be from OnCharge. */
export function messagesFromOnCharge(page) {
  return page.evaluate(() => window.received.filter(({ data }) => data?.source === 'oncharge'));
}

const escaped = (text) => text.replaceAll('&', '&amp;').replaceAll('"', '&quot;');
