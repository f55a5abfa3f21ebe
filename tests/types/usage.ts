// Uses of oncharge.js in a shop's page in TypeScript. Compiled, not run. Lines marked as errors must be
// rejected by the compiler.
import type {
  Failure,
  FinalStatus,
  Mounted,
  MountOptions,
  Result,
} from "../../crates/adapter-http/assets/oncharge.js";

const iframeUrl = "/checkout/cs_1?token=pt_1";

// The required options, by selector and by element.
OnCharge.mount("#pay", { iframeUrl });
window.OnCharge.mount(document.body, { iframeUrl });

// All options.
const options: MountOptions = {
  iframeUrl,
  title: "Bezahlen",
  onReady: () => document.querySelector("#loading")?.remove(),
  onError: ({ sessionId }: Failure) => console.warn(sessionId.slice(3)),
  onResult: ({ sessionId, status }: Result) => location.assign(`/orders/${sessionId}?${status}`),
};
const mounted: Mounted = OnCharge.mount("#pay", options);
const nothing: void = mounted.unmount();

// A switch over the statuses is complete without a default.
export function words(status: FinalStatus): string {
  switch (status) {
    case "authorized":
    case "captured":
      return "Thank you";
    case "refused":
    case "error":
      return "Not paid";
    case "cancelled":
    case "expired":
      return "Over";
  }
}

// @ts-expect-error an address is required
OnCharge.mount("#pay", {});
// @ts-expect-error options are required
OnCharge.mount("#pay");
// @ts-expect-error the name in the API, not in this script
OnCharge.mount("#pay", { iframe_url: iframeUrl });
// @ts-expect-error an address is a string
OnCharge.mount("#pay", { iframeUrl: new URL("https://pay.example.com/checkout/cs_1") });
// @ts-expect-error the element may be null, and then mount throws
OnCharge.mount(document.querySelector("#pay"), { iframeUrl });
// @ts-expect-error the option does not exist
OnCharge.mount("#pay", { iframeUrl, onresult: () => {} });
// @ts-expect-error the status is not a number
OnCharge.mount("#pay", { iframeUrl, onResult: ({ status }: { status: number }) => status });
// @ts-expect-error "paid" is not a status
OnCharge.mount("#pay", { iframeUrl, onResult: ({ status }) => status === "paid" });
// @ts-expect-error the result has no amount
OnCharge.mount("#pay", { iframeUrl, onResult: ({ amount }) => amount });
// @ts-expect-error a failure has no status
OnCharge.mount("#pay", { iframeUrl, onError: ({ status }) => status });
// @ts-expect-error the result is not known in advance
OnCharge.mount("#pay", { iframeUrl }).status;
// @ts-expect-error only mount exists
OnCharge.unmount("#pay");

export { nothing };
