//! Deliveries verify with the tools of merchants: the published Standard Webhooks library, the PHP
//! expression of the guide, and each example unchanged.

use std::{
    fs,
    io::Write,
    path::PathBuf,
    process::{Command, Stdio},
    time::{SystemTime, UNIX_EPOCH},
};

use base64::{Engine, engine::general_purpose::STANDARD};
use ring::hmac;
use serde_json::{Map, Value, json};

use super::FAST;
use crate::support::{
    Database, Dev, Shop,
    webhooks::{Delivery, Receiver},
};

/// A method to verify deliveries.
struct Verifier {
    /// The program and its arguments.
    command: Vec<String>,
    /// Whether it verifies the Standard Webhooks signature; otherwise the plain one.
    is_standard: bool,
}

/// The secrets of a merchant.
#[derive(Clone)]
struct Secrets {
    api_secret: String,
    signing_secret: String,
}

impl Secrets {
    fn new(api_secret: &str, signing_secret: &str) -> Self {
        Self {
            api_secret: api_secret.to_owned(),
            signing_secret: signing_secret.to_owned(),
        }
    }

    /// Secrets of another merchant.
    fn foreign() -> Self {
        let signing_secret = format!("whsec_{}", STANDARD.encode([7; 32]));
        Self::new("ocs_of_somebody_else", &signing_secret)
    }
}

/// All methods.
fn verifiers() -> Vec<Verifier> {
    let command = |words: &[&str]| words.iter().map(|&word| word.to_owned()).collect();
    let mut all = vec![
        Verifier {
            command: command(&["node", &path("tests/webhooks/verify.mjs")]),
            is_standard: true,
        },
        Verifier {
            command: command(&["php", "-r", &guide_snippet(), "--"]),
            is_standard: false,
        },
    ];
    for (program, example) in [
        ("php", "webhook.php"),
        ("python3", "webhook.py"),
        ("node", "webhook.mjs"),
    ] {
        let example = path(&format!("docs/examples/{example}"));
        for method in ["standard", "plain"] {
            all.push(Verifier {
                command: command(&[program, &example, method]),
                is_standard: method == "standard",
            });
        }
    }
    all
}

fn path(of: &str) -> String {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..");
    root.join(of).to_str().unwrap().to_owned()
}

/// The guide's expression, embedded in a complete program.
fn guide_snippet() -> String {
    let guide = fs::read_to_string(path("docs/guide/webhooks.md")).unwrap();
    let (_, rest) = guide.split_once("```php\n").expect("PHP in the guide");
    let (line, _) = rest.split_once("\n```").unwrap();
    format!(
        "foreach (json_decode($argv[1], true) as $name => $value)
             $_SERVER['HTTP_' . strtoupper(strtr($name, '-', '_'))] = $value;
         $body = file_get_contents('php://stdin');
         $api_secret = getenv('ONCHARGE_API_SECRET');
         exit({line} ? 0 : 1);"
    )
}

impl Verifier {
    /// Its output for a valid delivery; `None` if it rejects the delivery.
    fn verify(
        &self,
        secrets: &Secrets,
        headers: &Map<String, Value>,
        body: &[u8],
    ) -> Option<String> {
        let (program, arguments) = self.command.split_first().unwrap();
        let mut child = Command::new(program)
            .args(arguments)
            .arg(Value::Object(headers.clone()).to_string())
            .env("ONCHARGE_API_SECRET", &secrets.api_secret)
            .env("ONCHARGE_SIGNING_SECRET", &secrets.signing_secret)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{self} (scripts/test installs it): {error}"));
        child.stdin.take().unwrap().write_all(body).unwrap();
        let output = child.wait_with_output().unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert_eq!(
            errors, "",
            "{self} fails; scripts/test installs what it needs"
        );
        match output.status.code() {
            Some(0) => Some(String::from_utf8(output.stdout).unwrap().trim().to_owned()),
            Some(1) => None,
            _ => panic!("{self} ended with {}", output.status),
        }
    }

    fn accepts(&self, secrets: &Secrets, delivery: &Delivery) {
        let output_text = self.verify(secrets, &headers_of(delivery), &delivery.body);
        let output_text = output_text.unwrap_or_else(|| panic!("{self} rejects a valid delivery"));
        let event = delivery.json();
        let (name, id) = (event["event"].as_str(), event["id"].as_str());
        let expected = format!("{} {}", name.unwrap(), id.unwrap());
        // The expression of the guide prints nothing.
        assert!(
            output_text.is_empty() || output_text == expected,
            "{self} says {output_text}"
        );
    }

    fn rejects(&self, secrets: &Secrets, headers: &Map<String, Value>, body: &[u8], why: &str) {
        let output_text = self.verify(secrets, headers, body);
        assert_eq!(output_text, None, "{self} accepts {why}");
    }
}

impl std::fmt::Display for Verifier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.command.join(" "))
    }
}

/// Texts that change if JSON is parsed and written again before it is verified.
async fn payment_with_unusual_text(shop: &Shop) {
    let metadata = json!({ "größe": "XL ✓ \"q\" \\ / <é> \u{1f4b3}", "empty": "" });
    let session = shop
        .create(json!({ "capture": "manual", "metadata": metadata, "reference": "Bestellung/1" }))
        .await;
    let payment = shop.pay(&session.0, &session.1, crate::support::shop::GOOD_CARD);
    assert_eq!(payment.await.expect(200)["status"], "authorized");
}

#[tokio::test(flavor = "multi_thread")]
async fn deliveries_verify_with_every_documented_method() {
    let dev = Dev::start(Database::Sqlite, &FAST).await;
    let shop = dev.shop();
    let receiver = Receiver::start();
    let endpoint = shop.set_endpoint(&receiver.url).await;
    payment_with_unusual_text(&shop).await;
    let delivery = receiver.wait_for(1).await.remove(0);

    let signing_secret = endpoint["signing_secret"].as_str().unwrap();
    let secrets = Secrets::new(dev.ready("api_secret"), signing_secret);
    let (headers, body) = (headers_of(&delivery), delivery.body.as_slice());
    let text = std::str::from_utf8(body).unwrap();
    let changed = text.replace("10000", "90000");
    assert_ne!(changed, text, "the body contains no amount to change");
    let unsigned = without_signatures(&headers);
    let old = signed_earlier(600, &secrets, &delivery);
    for verifier in verifiers() {
        verifier.accepts(&secrets, &delivery);
        verifier.rejects(&secrets, &headers, changed.as_bytes(), "a changed body");
        let others = Secrets::foreign();
        verifier.rejects(&others, &headers, body, "another merchant's delivery");
        verifier.rejects(&secrets, &unsigned, body, "a delivery without a signature");
        if verifier.is_standard {
            verifier.rejects(&secrets, &old, body, "an old delivery");
        }
    }
}

/// Until the replaced secret ends, both secrets verify; the plain signature uses the API key that
/// the endpoint was set with.
#[tokio::test(flavor = "multi_thread")]
async fn both_secrets_verify_during_rotation() {
    let dev = Dev::start(Database::Sqlite, &FAST).await;
    let shop = dev.shop();
    let receiver = Receiver::start();
    let endpoint = shop.set_endpoint(&receiver.url).await;
    let rotated = shop
        .post("/v1/webhook_endpoint/rotate_secret", &json!({}))
        .await
        .expect(200);
    let rotate = shop.call("POST", "/v1/api_keys/rotate", "{}", Some("rotation"));
    let pair = rotate.await.json();
    let session = shop.create(json!({ "capture": "manual" })).await;
    let payment = shop.pay(&session.0, &session.1, crate::support::shop::GOOD_CARD);
    assert_eq!(payment.await.expect(200)["status"], "authorized");
    let delivery = receiver.wait_for(1).await.remove(0);
    let api_secret = dev.ready("api_secret");
    let text = |json: &Value| json["signing_secret"].as_str().unwrap().to_owned();
    let old = Secrets::new(api_secret, &text(&endpoint));
    let new = Secrets::new(api_secret, &text(&rotated));
    let rotated_key = Secrets::new(pair["api_secret"].as_str().unwrap(), &text(&rotated));
    for verifier in verifiers() {
        verifier.accepts(&old, &delivery);
        verifier.accepts(&new, &delivery);
        if !verifier.is_standard {
            let headers = headers_of(&delivery);
            verifier.rejects(
                &rotated_key,
                &headers,
                &delivery.body,
                "a delivery signed with the previous secret",
            );
        }
    }
}

fn headers_of(delivery: &Delivery) -> Map<String, Value> {
    let pairs = delivery.headers();
    pairs
        .map(|(name, value)| (name.to_ascii_lowercase(), value.into()))
        .collect()
}

fn without_signatures(headers: &Map<String, Value>) -> Map<String, Value> {
    let mut headers = headers.clone();
    headers.retain(|name, _| !name.to_ascii_lowercase().contains("signature"));
    headers
}

/// The headers of the same delivery with a valid signature of this many seconds ago.
fn signed_earlier(seconds: u64, secrets: &Secrets, delivery: &Delivery) -> Map<String, Value> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let at = (now.as_secs() - seconds).to_string();
    let key = secrets.signing_secret.trim_start_matches("whsec_");
    let key = hmac::Key::new(hmac::HMAC_SHA256, &STANDARD.decode(key).unwrap());
    let mut signed = format!("{}.{at}.", delivery.header("webhook-id")).into_bytes();
    signed.extend_from_slice(&delivery.body);
    let signature = STANDARD.encode(hmac::sign(&key, &signed));
    let mut headers = headers_of(delivery);
    headers.insert("webhook-timestamp".to_owned(), at.into());
    headers.insert(
        "webhook-signature".to_owned(),
        format!("v1,{signature}").into(),
    );
    headers
}
