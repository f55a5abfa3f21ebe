// A merchant's site on its own origin: a page that embeds the checkout, one that frames it without the
// script, the cart, and the return page.
import { createServer } from 'node:http';

/** Starts it on a free port. It is `localhost`, the service 127.0.0.1: another site, not just another origin. */
export async function startShop(service) {
  const server = createServer((request, response) => respond(service, request, response));
  await new Promise((resolve) => server.listen(0, 'localhost', resolve));
  const origin = `http://localhost:${server.address().port}`;
  return {
    origin,
    returnUrl: `${origin}/thanks?from=oncharge`,
    /** The page before the payment. */
    cartUrl: `${origin}/cart`,
    /** The page that embeds the session with `oncharge.js`. Results arrive in its `window.results`. */
    embedding: (session) => `${origin}/embedded?iframe=${encodeURIComponent(session.iframe_url)}`,
    /** A page that frames the session without the script. */
    framing: (session) => `${origin}/framed?iframe=${encodeURIComponent(service.checkoutUrl(session))}`,
    close: () =>
      new Promise((resolve) => {
        server.close(resolve);
        server.closeAllConnections?.();
      }),
  };
}

function respond(service, request, response) {
  const url = new URL(request.url, 'http://localhost');
  const iframe = JSON.stringify(url.searchParams.get('iframe') ?? '');
  const pages = {
    '/embedded': `
      <h1>Your order</h1>
      <div id="pay"></div>
      <script src="${service.baseUrl}/oncharge.js"></script>
      <script>
        window.results = [];
        OnCharge.mount('#pay', { iframeUrl: ${iframe}, onResult: (result) => window.results.push(result) });
      </script>`,
    '/framed': `<h1>Your order</h1><iframe title="Payment" src=${iframe} width="288" height="600"></iframe>`,
    '/cart': '<h1>Your cart</h1>',
    '/thanks': '<h1>Thank you</h1>',
  };
  const body = pages[url.pathname];
  response.writeHead(body ? 200 : 404, { 'Content-Type': 'text/html; charset=utf-8' });
  response.end(
    `<!doctype html><html lang="en"><head><meta name="viewport" content="width=device-width">` +
      `<title>A shop</title><link rel="icon" href="data:,"></head>` +
      `<body><main aria-label="A shop">${body ?? 'Not found'}</main></body></html>`,
  );
}
