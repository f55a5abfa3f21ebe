// A merchant's site on an origin of its own: a page that embeds the checkout, one that a foreigner could
// write, and the page that shoppers come back to.
import { createServer } from 'node:http';

/** Starts it on a free port. It is `localhost`, the service 127.0.0.1: another site, not just another origin. */
export async function startShop(service) {
  const server = createServer((request, response) => answer(service, request, response));
  await new Promise((resolve) => server.listen(0, 'localhost', resolve));
  const origin = `http://localhost:${server.address().port}`;
  return {
    origin,
    returnUrl: `${origin}/thanks?from=oncharge`,
    /** The page that embeds the session with `oncharge.js`. Results arrive in its `window.results`. */
    embedding: (session) => `${origin}/embedded?iframe=${encodeURIComponent(session.iframe_url)}`,
    /** A page that frames the session by itself. */
    framing: (session) => `${origin}/framed?iframe=${encodeURIComponent(service.checkoutUrl(session))}`,
    close: () =>
      new Promise((resolve) => {
        server.close(resolve);
        server.closeAllConnections?.();
      }),
  };
}

function answer(service, request, response) {
  const url = new URL(request.url, 'http://localhost');
  const iframe = JSON.stringify(url.searchParams.get('iframe') ?? '');
  const pages = {
    '/embedded': `
      <div id="pay"></div>
      <script src="${service.baseUrl}/oncharge.js"></script>
      <script>
        window.results = [];
        OnCharge.mount('#pay', { iframeUrl: ${iframe}, onResult: (result) => window.results.push(result) });
      </script>`,
    '/framed': `<iframe title="Payment" src=${iframe} width="420" height="600"></iframe>`,
    '/thanks': '<h1>Thank you</h1>',
  };
  const body = pages[url.pathname];
  response.writeHead(body ? 200 : 404, { 'Content-Type': 'text/html; charset=utf-8' });
  response.end(
    `<!doctype html><html lang="en"><head><title>A shop</title><link rel="icon" href="data:,"></head>` +
      `<body><main>${body ?? 'Not found'}</main></body></html>`,
  );
}
