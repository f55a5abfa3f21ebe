// Creates a checkout session with Node 18 or newer and nothing else.
// Needs ONCHARGE_URL, ONCHARGE_API_KEY and ONCHARGE_API_SECRET.
import { createHash, createHmac, randomUUID } from "node:crypto";

const { ONCHARGE_URL, ONCHARGE_API_KEY, ONCHARGE_API_SECRET } = process.env;
const [method, path] = ["POST", "/v1/checkout/sessions"];
const body = JSON.stringify({
  amount: 9999,
  currency: "USD",
  reference: "order-42",
  return_url: "https://shop.example.com/thank-you",
});

const sha256 = (text) => createHash("sha256").update(text).digest("hex");
const timestamp = Math.floor(Date.now() / 1000).toString();
const text = [timestamp, method, path, sha256(body)].join(".");
const signature = createHmac("sha256", sha256(ONCHARGE_API_SECRET)).update(text).digest("hex");

const response = await fetch(ONCHARGE_URL + path, {
  method,
  body,
  headers: {
    "Content-Type": "application/json",
    "X-Oncharge-Key": ONCHARGE_API_KEY,
    "X-Oncharge-Timestamp": timestamp,
    "X-Oncharge-Signature": signature,
    "Idempotency-Key": randomUUID(),
  },
});
console.log(await response.text());
if (!response.ok) process.exitCode = 1;
