// Verifies a webhook with Node 18 or newer and nothing else, in one of two ways:
//   node webhook.mjs standard HEADERS < BODY   needs ONCHARGE_SIGNING_SECRET (whsec_…)
//   node webhook.mjs plain HEADERS < BODY      needs ONCHARGE_API_SECRET
// HEADERS is a JSON object, BODY the bytes as they came. Exit code 0: it is genuine; 1: it is not.
import { createHash, createHmac, timingSafeEqual } from "node:crypto";
import { readFileSync } from "node:fs";

const isEqual = (a, b) => a.length === b.length && timingSafeEqual(Buffer.from(a), Buffer.from(b));

/** The way that cannot be replayed: Standard Webhooks. */
function isGenuine(headers, body, signingSecret) {
  const { "webhook-id": id = "", "webhook-timestamp": timestamp = "" } = headers;
  if (!/^\d{1,12}$/.test(timestamp)) return false;
  // A replay of an old delivery.
  if (Math.abs(Date.now() / 1000 - Number(timestamp)) > 300) return false;
  const key = Buffer.from(signingSecret.replace("whsec_", ""), "base64");
  const hmac = createHmac("sha256", key).update(`${id}.${timestamp}.`).update(body);
  const right = `v1,${hmac.digest("base64")}`;
  // For a day after the secret was replaced there are two signatures, with a space between.
  const given = (headers["webhook-signature"] ?? "").split(" ");
  return given.some((one) => isEqual(one, right));
}

/** The short way: it says who sent it, but not when. */
function isGenuinePlain(headers, body, apiSecret) {
  const key = createHash("sha256").update(apiSecret).digest("hex");
  const right = createHmac("sha256", key).update(body).digest("hex");
  return isEqual(headers["x-oncharge-signature"] ?? "", right);
}

const [way, json] = process.argv.slice(2);
const body = readFileSync(0);
const entries = Object.entries(JSON.parse(json));
const headers = Object.fromEntries(entries.map(([name, value]) => [name.toLowerCase(), value]));
const { ONCHARGE_SIGNING_SECRET, ONCHARGE_API_SECRET } = process.env;
const genuine = way === "standard"
  ? isGenuine(headers, body, ONCHARGE_SIGNING_SECRET)
  : isGenuinePlain(headers, body, ONCHARGE_API_SECRET);
if (genuine) {
  const { event, id } = JSON.parse(body);
  console.log(event, id);
} else {
  process.exitCode = 1; // In a shop: answer 401, and do nothing else.
}
