/** Types for `/oncharge.js`, which puts OnCharge's hosted checkout into a shop's page. */

/** How a session ended, as far as the page knows: a hint. Confirm it on your server by webhook or GET. */
export type FinalStatus =
  | "authorized"
  | "captured"
  | "refused"
  | "error"
  | "cancelled"
  | "expired";

export interface Result {
  /** The session that was mounted, `cs_…`. */
  sessionId: string;
  status: FinalStatus;
}

export interface Failure {
  /** The session that was mounted, `cs_…`. */
  sessionId: string;
}

export interface MountOptions {
  /**
   * `iframe_url` of the session. A relative one is resolved against the origin of `oncharge.js`; an
   * absolute one is framed wherever it leads, so take it from your server and never from an address.
   */
  iframeUrl: string;
  /**
   * Called once, when the session has come to its end or had come to it before; not for a refusal that
   * may be tried again.
   */
  onResult?: (result: Result) => void;
  /** Called once, when the page is there. */
  onReady?: () => void;
  /**
   * Called at most once, when the page has not come up: another page has loaded in its place (the link
   * has expired, your origin may not frame it), or nothing has within 20 seconds. The frame stays; if the
   * page comes after all, `onReady` is called as well.
   */
  onError?: (failure: Failure) => void;
  /** Accessible name of the frame, in your page's language. Default: "Payment". */
  title?: string;
}

export interface Mounted {
  /** Takes the frame out of the page and stops listening. The payment itself is not touched. */
  unmount(): void;
}

declare global {
  interface Window {
    OnCharge: {
      /**
       * @param target an element of the page, or a CSS selector of one
       * @throws TypeError when there is no such element or `iframeUrl` is no address of a checkout
       */
      mount(target: string | Element, options: MountOptions): Mounted;
    };
  }
  const OnCharge: Window["OnCharge"];
}
