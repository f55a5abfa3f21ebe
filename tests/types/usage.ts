// oncharge.js as a shop's page in TypeScript uses it. The compiler reads this; nothing runs it. A line that
// is wrong on purpose says so, and the compiler complains where such a line turns out to be right.
import type {
  Failure,
  FinalStatus,
  Mounted,
  MountOptions,
  Result,
} from "../../crates/adapter-http/assets/oncharge.js";

const iframeUrl = "/checkout/cs_1?token=pt_1";

// All that is needed, by selector and by element.
OnCharge.mount("#pay", { iframeUrl });
window.OnCharge.mount(document.body, { iframeUrl });

// All that there is.
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

// @ts-expect-error an address is needed
OnCharge.mount("#pay", {});
// @ts-expect-error options are needed
OnCharge.mount("#pay");
// @ts-expect-error as the API writes it, not as this script does
OnCharge.mount("#pay", { iframe_url: iframeUrl });
// @ts-expect-error an address is text
OnCharge.mount("#pay", { iframeUrl: new URL("https://pay.example.com/checkout/cs_1") });
// @ts-expect-error there may be no such element, and then mount throws
OnCharge.mount(document.querySelector("#pay"), { iframeUrl });
// @ts-expect-error there is no such option
OnCharge.mount("#pay", { iframeUrl, onresult: () => {} });
// @ts-expect-error the status is no number
OnCharge.mount("#pay", { iframeUrl, onResult: ({ status }: { status: number }) => status });
// @ts-expect-error "paid" is no status
OnCharge.mount("#pay", { iframeUrl, onResult: ({ status }) => status === "paid" });
// @ts-expect-error the result does not say the amount
OnCharge.mount("#pay", { iframeUrl, onResult: ({ amount }) => amount });
// @ts-expect-error a failure has no status
OnCharge.mount("#pay", { iframeUrl, onError: ({ status }) => status });
// @ts-expect-error nobody knows before how it ends
OnCharge.mount("#pay", { iframeUrl }).status;
// @ts-expect-error there is only mount
OnCharge.unmount("#pay");

export { nothing };
