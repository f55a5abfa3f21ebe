// Verifies a webhook with the published Standard Webhooks library, as a merchant would:
//   node verify.mjs HEADERS < BODY   needs ONCHARGE_SIGNING_SECRET (whsec_…)
// HEADERS is a JSON object, BODY the raw bytes. Exit code 0: valid; 1: invalid.
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
