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

export interface MountOptions {
  /** `iframe_url` of the session; a relative one is resolved against the origin of `oncharge.js`. */
  iframeUrl: string;
  /** Called once, when the session has come to its end; not for a refusal that may be tried again. */
  onResult?: (result: Result) => void;
  /** Called when the page is there and can be used. */
  onReady?: () => void;
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
       * @param target an element, or a CSS selector of one
       * @throws TypeError when there is no such element or `iframeUrl` is no address of a checkout
       */
      mount(target: string | Element, options: MountOptions): Mounted;
    };
  }
  const OnCharge: Window["OnCharge"];
}
