/** Types for `/oncharge.js`, which embeds OnCharge's hosted checkout in a shop's page. */

/** The session's final status as the page reports it: a hint. Confirm it on your server by webhook or GET. */
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
   * absolute one is embedded as it is, so take it from your server and never from the page's address.
   */
  iframeUrl: string;
  /**
   * Called once, when the session is final or was final before; not for a refusal after which the
   * shopper may try again.
   */
  onResult?: (result: Result) => void;
  /** Called once, when the page is ready. */
  onReady?: () => void;
  /**
   * Called at most once, when the page did not load: another page has loaded in its place (the link has
   * expired, or your origin may not embed it), or nothing has loaded within 20 seconds. The frame stays;
   * if the page loads later, `onReady` is called as well.
   */
  onError?: (failure: Failure) => void;
  /** Accessible name of the frame, in your page's language. Default: "Payment". */
  title?: string;
}

export interface Mounted {
  /** Removes the frame from the page and stops listening. Does not affect the payment. */
  unmount(): void;
}

declare global {
  interface Window {
    OnCharge: {
      /**
       * @param target an element of the page, or a CSS selector of one
       * @throws TypeError if there is no such element or `iframeUrl` is not the URL of a checkout
       */
      mount(target: string | Element, options: MountOptions): Mounted;
    };
  }
  const OnCharge: Window["OnCharge"];
}
