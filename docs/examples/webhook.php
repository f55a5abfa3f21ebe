<?php
// Verifies a webhook with plain PHP 8, no extension needed, in one of two ways:
//   php webhook.php standard HEADERS < BODY   needs ONCHARGE_SIGNING_SECRET (whsec_…)
//   php webhook.php plain HEADERS < BODY      needs ONCHARGE_API_SECRET
// HEADERS is a JSON object, BODY the bytes as they came. Exit code 0: it is genuine; 1: it is not.
// In a shop the headers are getallheaders(), and the body is file_get_contents('php://input').

/** Standard Webhooks: protected against replays. */
function is_genuine(array $headers, string $body, string $signing_secret): bool
{
    $id = $headers['webhook-id'] ?? '';
    $timestamp = $headers['webhook-timestamp'] ?? '';
    if (!ctype_digit($timestamp) || abs(time() - (int) $timestamp) > 300) {
        return false; // A replay of an old delivery.
    }
    $key = base64_decode(substr($signing_secret, strlen('whsec_')));
    $right = 'v1,' . base64_encode(hash_hmac('sha256', "$id.$timestamp.$body", $key, true));
    // For a day after the secret was replaced there are two signatures, with a space between.
    foreach (explode(' ', $headers['webhook-signature'] ?? '') as $given) {
        if (hash_equals($right, $given)) {
            return true;
        }
    }
    return false;
}

/** The plain signature: no protection against replays. */
function is_genuine_plain(array $headers, string $body, string $api_secret): bool
{
    $right = hash_hmac('sha256', $body, hash('sha256', $api_secret));
    return hash_equals($right, $headers['x-oncharge-signature'] ?? '');
}

[, $way, $json] = $argv;
$headers = array_change_key_case(json_decode($json, true, 2, JSON_THROW_ON_ERROR));
$body = file_get_contents('php://stdin');
$genuine = $way === 'standard'
    ? is_genuine($headers, $body, getenv('ONCHARGE_SIGNING_SECRET') ?: exit(1))
    : is_genuine_plain($headers, $body, getenv('ONCHARGE_API_SECRET') ?: exit(1));
if (!$genuine) {
    exit(1); // In a shop: answer 401, and do nothing else.
}
$event = json_decode($body, true);
echo $event['event'], ' ', $event['id'], "\n";
