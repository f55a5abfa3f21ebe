# Creates a checkout session with Python's standard library.
# Needs ONCHARGE_URL, ONCHARGE_API_KEY and ONCHARGE_API_SECRET.
import hashlib, hmac, json, os, sys, time, urllib.error, urllib.request, uuid

method, path = "POST", "/v1/checkout/sessions"
body = json.dumps({
    "amount": 9999,
    "currency": "USD",
    "reference": "order-42",
    "return_url": "https://shop.example.com/thank-you",
}).encode()

timestamp = str(int(time.time()))
key = hashlib.sha256(os.environ["ONCHARGE_API_SECRET"].encode()).hexdigest()
text = ".".join([timestamp, method, path, hashlib.sha256(body).hexdigest()])
signature = hmac.new(key.encode(), text.encode(), hashlib.sha256).hexdigest()

request = urllib.request.Request(os.environ["ONCHARGE_URL"] + path, body, {
    "Content-Type": "application/json",
    "X-Oncharge-Key": os.environ["ONCHARGE_API_KEY"],
    "X-Oncharge-Timestamp": timestamp,
    "X-Oncharge-Signature": signature,
    "Idempotency-Key": str(uuid.uuid4()),
}, method=method)
try:
    print(urllib.request.urlopen(request).read().decode())
except urllib.error.HTTPError as error:
    sys.exit(error.read().decode())
