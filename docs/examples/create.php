<?php
// Creates a checkout session with plain PHP 8, no extension needed.
// Needs ONCHARGE_URL, ONCHARGE_API_KEY and ONCHARGE_API_SECRET.
[$method, $path] = ['POST', '/v1/checkout/sessions'];
$body = json_encode([
    'amount' => 9999,
    'currency' => 'USD',
    'reference' => 'order-42',
    'return_url' => 'https://shop.example.com/thank-you',
]);

$timestamp = (string) time();
$text = implode('.', [$timestamp, $method, $path, hash('sha256', $body)]);
$key = hash('sha256', getenv('ONCHARGE_API_SECRET'));
$signature = hash_hmac('sha256', $text, $key);

$response = file_get_contents(getenv('ONCHARGE_URL') . $path, false, stream_context_create(['http' => [
    'method' => $method,
    'ignore_errors' => true, // An error has a body, too.
    'content' => $body,
    'header' => [
        'Content-Type: application/json',
        'X-Oncharge-Key: ' . getenv('ONCHARGE_API_KEY'),
        "X-Oncharge-Timestamp: $timestamp",
        "X-Oncharge-Signature: $signature",
        'Idempotency-Key: ' . bin2hex(random_bytes(16)),
    ],
]]));
echo $response, "\n";
exit(str_starts_with($http_response_header[0] ?? '', 'HTTP/1.1 2') ? 0 : 1);
