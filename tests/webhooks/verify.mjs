// Verifies a webhook with the published Standard Webhooks library, as a merchant would:
//   node verify.mjs HEADERS < BODY   needs ONCHARGE_SIGNING_SECRET (whsec_…)
// HEADERS is a JSON object, BODY the bytes as they came. Exit code 0: it is genuine; 1: it is not.
import { readFileSync } from "node:fs";
import { Webhook, WebhookVerificationError } from "standardwebhooks";

const webhook = new Webhook(process.env.ONCHARGE_SIGNING_SECRET);
try {
  const { event, id } = webhook.verify(readFileSync(0), JSON.parse(process.argv[2]));
  console.log(event, id);
} catch (error) {
  if (!(error instanceof WebhookVerificationError)) throw error;
  process.exitCode = 1;
}
