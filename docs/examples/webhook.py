# Verifies a webhook with Python's standard library, in one of two ways:
#   python3 webhook.py standard HEADERS < BODY   needs ONCHARGE_SIGNING_SECRET (whsec_…)
#   python3 webhook.py plain HEADERS < BODY      needs ONCHARGE_API_SECRET
# HEADERS is a JSON object, BODY the bytes as they came. Exit code 0: it is genuine; 1: it is not.
import base64, hashlib, hmac, json, os, sys, time


def is_genuine(headers, body, signing_secret):
    """Standard Webhooks: protected against replays."""
    event, timestamp = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    if not timestamp.isascii() or not timestamp.isdigit():
        return False
    if abs(time.time() - int(timestamp)) > 300:
        return False  # A replay of an old delivery.
    key = base64.b64decode(signing_secret.removeprefix("whsec_"))
    tag = hmac.new(key, f"{event}.{timestamp}.".encode() + body, hashlib.sha256).digest()
    right = b"v1," + base64.b64encode(tag)
    # For a day after the secret was replaced there are two signatures, with a space between.
    given = headers.get("webhook-signature", "").encode().split(b" ")
    return any([hmac.compare_digest(right, one) for one in given])


def is_genuine_plain(headers, body, api_secret):
    """The plain signature: no protection against replays."""
    key = hashlib.sha256(api_secret.encode()).hexdigest()
    right = hmac.new(key.encode(), body, hashlib.sha256).hexdigest()
    return hmac.compare_digest(right.encode(), headers.get("x-oncharge-signature", "").encode())


way, headers, body = sys.argv[1], json.loads(sys.argv[2]), sys.stdin.buffer.read()
headers = {name.lower(): value for name, value in headers.items()}
if way == "standard":
    genuine = is_genuine(headers, body, os.environ["ONCHARGE_SIGNING_SECRET"])
else:
    genuine = is_genuine_plain(headers, body, os.environ["ONCHARGE_API_SECRET"])
if not genuine:
    sys.exit(1)  # In a shop: answer 401, and do nothing else.
event = json.loads(body)
print(event["event"], event["id"])
