#!/bin/sh
# Creates a checkout session with nothing but curl and openssl.
# Needs ONCHARGE_URL, ONCHARGE_API_KEY and ONCHARGE_API_SECRET.
set -eu
path=/v1/checkout/sessions
body='{"amount":9999,"currency":"USD","reference":"order-42","return_url":"https://shop.example.com/thank-you"}'
sha256() { openssl dgst -sha256 -hex | sed 's/^.* //'; }

timestamp=$(date +%s)
key=$(printf %s "$ONCHARGE_API_SECRET" | sha256)
text="$timestamp.POST.$path.$(printf %s "$body" | sha256)"
signature=$(printf %s "$text" | openssl dgst -sha256 -hex -hmac "$key" | sed 's/^.* //')

curl -sS --fail-with-body "$ONCHARGE_URL$path" \
  -H "X-Oncharge-Key: $ONCHARGE_API_KEY" \
  -H "X-Oncharge-Timestamp: $timestamp" \
  -H "X-Oncharge-Signature: $signature" \
  -H "Idempotency-Key: order-42-$timestamp" \
  --data-binary "$body"
