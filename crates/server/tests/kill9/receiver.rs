//! A merchant's server that is never killed: it verifies both signatures of each delivery with its
//! own code, records all deliveries, and fails as its behavior requires.

use std::{
    sync::{Arc, Mutex, OnceLock},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use base64::{Engine, engine::general_purpose::STANDARD};
use ring::{digest, hmac};
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::watch,
};

use crate::behavior::{Behavior, Reply};

const HEAD_END: &[u8] = b"\r\n\r\n";
/// Maximum difference between a delivery's timestamp and the present, in seconds.
const MAX_CLOCK_SKEW_SECONDS: u64 = 300;
/// Maximum size of a request; deliveries are far smaller.
const MAX_BYTES: usize = 1 << 20;

/// A merchant's server.
pub(crate) struct Receiver {
    pub(crate) url: String,
    shared: Arc<Shared>,
}

struct Shared {
    query: String,
    /// The key of the plain signature.
    api_secret: String,
    /// The key of the standard signature, once the endpoint is set.
    signing_secret: OnceLock<String>,
    behavior: watch::Sender<Behavior>,
    arrivals: Mutex<Vec<Arrival>>,
}

/// A received delivery.
#[derive(Debug, Clone)]
pub(crate) struct Arrival {
    pub(crate) at: Instant,
    /// When its response was sent, or its connection ended.
    pub(crate) ended: Instant,
    pub(crate) reply: Reply,
    pub(crate) body: Value,
    /// What is invalid about it.
    pub(crate) problems: Vec<&'static str>,
}

impl Arrival {
    pub(crate) fn id(&self) -> &str {
        self.body["id"].as_str().unwrap_or_default()
    }

    pub(crate) fn sequence(&self) -> u64 {
        self.body["sequence"].as_u64().unwrap_or_default()
    }

    pub(crate) fn session(&self) -> &str {
        self.body["session_id"].as_str().unwrap_or_default()
    }
}

impl Receiver {
    /// Starts the healthy server of the merchant with this number.
    pub(crate) async fn start(number: usize, api_secret: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let query = format!("/?wc-api=oncharge_callback&shop={number}");
        let url = format!("http://{}{query}", listener.local_addr().unwrap());
        let shared = Arc::new(Shared {
            query,
            api_secret: api_secret.to_owned(),
            signing_secret: OnceLock::new(),
            behavior: watch::Sender::new(Behavior::healthy()),
            arrivals: Mutex::default(),
        });
        let accept_shared = shared.clone();
        tokio::spawn(async move {
            while let Ok((connection, _)) = listener.accept().await {
                let shared = accept_shared.clone();
                tokio::spawn(async move { shared.serve(connection).await });
            }
        });
        Self { url, shared }
    }

    /// Sets the endpoint's signing secret, which is shown only once.
    pub(crate) fn set_signing_secret(&self, signing_secret: &str) {
        let secret = signing_secret.to_owned();
        self.shared.signing_secret.set(secret).unwrap();
    }

    /// Sets the behavior; hanging replies end when it is healthy.
    pub(crate) fn set_behavior(&self, behavior: Behavior) {
        self.shared.behavior.send_replace(behavior);
    }

    /// All deliveries so far.
    pub(crate) fn arrivals(&self) -> Vec<Arrival> {
        self.shared.arrivals.lock().unwrap().clone()
    }

    /// Removes all recorded deliveries.
    pub(crate) fn clear(&self) {
        self.shared.arrivals.lock().unwrap().clear();
    }
}

/// A parsed request.
struct Delivery {
    head: String,
    body: Vec<u8>,
}

impl Delivery {
    fn header(&self, name: &str) -> Option<&str> {
        let lines = self.head.lines().filter_map(|line| line.split_once(':'));
        let mut named = lines.filter(|(given, _)| given.eq_ignore_ascii_case(name));
        named.next().map(|(_, value)| value.trim())
    }

    fn has_plain_signature(&self, api_secret: &str) -> bool {
        // hash_hmac('sha256', $body, hash('sha256', $api_secret))
        let key = hex::encode(digest::digest(&digest::SHA256, api_secret.as_bytes()));
        let key = hmac::Key::new(hmac::HMAC_SHA256, key.as_bytes());
        let given = self.header("X-Oncharge-Signature").unwrap_or_default();
        hex::encode(hmac::sign(&key, &self.body)) == given
    }

    /// Standard Webhooks: over id, timestamp and body, with the secret after `whsec_`.
    fn has_standard_signature(&self, signing_secret: &str) -> bool {
        let encoded = signing_secret.trim_start_matches("whsec_");
        let secret = STANDARD.decode(encoded).unwrap();
        let key = hmac::Key::new(hmac::HMAC_SHA256, &secret);
        let header = |name: &str| self.header(name).unwrap_or_default();
        let mut signed =
            format!("{}.{}.", header("webhook-id"), header("webhook-timestamp")).into_bytes();
        signed.extend(&self.body);
        let right = format!("v1,{}", STANDARD.encode(hmac::sign(&key, &signed)));
        header("webhook-signature")
            .split(' ')
            .any(|given| given == right)
    }

    fn has_recent_timestamp(&self) -> bool {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        let sent: Option<u64> = self
            .header("webhook-timestamp")
            .and_then(|text| text.parse().ok());
        sent.is_some_and(|sent| sent.abs_diff(now.as_secs()) <= MAX_CLOCK_SKEW_SECONDS)
    }
}

impl Shared {
    /// Handles deliveries one after another until either side closes the connection.
    async fn serve(&self, mut connection: TcpStream) {
        let mut bytes = Vec::new();
        while let Some(delivery) = read(&mut connection, &mut bytes).await {
            if !self.handle(&mut connection, &delivery).await {
                return;
            }
        }
    }

    /// Records a delivery and replies; returns whether the connection stays open.
    async fn handle(&self, connection: &mut TcpStream, delivery: &Delivery) -> bool {
        let at = Instant::now();
        let body: Value = serde_json::from_slice(&delivery.body).unwrap_or_default();
        let problems = self.problems(delivery, &body);
        let (place, reply) = {
            let mut arrivals = self.arrivals.lock().unwrap();
            let before = arrivals.iter().filter(|old| old.body["id"] == body["id"]);
            let before = u64::try_from(before.count()).unwrap();
            let reply = self.behavior.borrow().reply(&body, before);
            arrivals.push(Arrival {
                at,
                ended: at,
                reply,
                body,
                problems,
            });
            (arrivals.len() - 1, reply)
        };
        let goes_on = match reply {
            Reply::Status(_) => true,
            Reply::Close => false,
            Reply::Hang(lasts) => {
                self.hang(connection, lasts).await;
                false
            }
        };
        // Recorded before the response is sent, because the next attempt may begin then.
        if let Some(arrival) = self.arrivals.lock().unwrap().get_mut(place) {
            arrival.ended = Instant::now();
        }
        if let Reply::Status(status) = reply {
            let response = format!(
                "HTTP/1.1 {status} As planned\r\nRetry-After: 1\r\nContent-Length: 2\r\n\r\nok"
            );
            return connection.write_all(response.as_bytes()).await.is_ok() && goes_on;
        }
        goes_on
    }

    /// Sends nothing until the time has passed, the server is healthy again, or the client
    /// disconnects.
    async fn hang(&self, connection: &mut TcpStream, lasts: Duration) {
        let mut behavior = self.behavior.subscribe();
        let mut byte = [0; 1];
        tokio::select! {
            () = tokio::time::sleep(lasts) => {}
            _ = behavior.wait_for(Behavior::is_healthy) => {}
            _ = connection.read(&mut byte) => {}
        }
    }

    fn problems(&self, delivery: &Delivery, body: &Value) -> Vec<&'static str> {
        let first = delivery.head.lines().next().unwrap_or_default();
        let checks = [
            (
                first == format!("POST {} HTTP/1.1", self.query),
                "another target",
            ),
            (
                delivery.header("Content-Type") == Some("application/json"),
                "no JSON",
            ),
            (
                delivery.header("webhook-id") == body["id"].as_str() && !body["id"].is_null(),
                "another id",
            ),
            (
                delivery.has_plain_signature(&self.api_secret),
                "no plain signature",
            ),
            (
                self.signing_secret
                    .get()
                    .is_some_and(|secret| delivery.has_standard_signature(secret)),
                "no standard signature",
            ),
            (delivery.has_recent_timestamp(), "another time"),
        ];
        let failed = checks.into_iter().filter(|(holds, _)| !holds);
        failed.map(|(_, problems)| problems).collect()
    }
}

/// Reads the next complete request; the bytes after it stay in `bytes`.
async fn read(connection: &mut TcpStream, bytes: &mut Vec<u8>) -> Option<Delivery> {
    let mut chunk = vec![0; 16 * 1024];
    loop {
        if let Some(delivery) = parse_request(bytes) {
            return Some(delivery);
        }
        let Ok(count @ 1..) = connection.read(&mut chunk).await else {
            return None;
        };
        bytes.extend(&chunk[..count]);
        if bytes.len() > MAX_BYTES {
            return None;
        }
    }
}

fn parse_request(bytes: &mut Vec<u8>) -> Option<Delivery> {
    let head = bytes
        .windows(HEAD_END.len())
        .position(|window| window == HEAD_END)?;
    let mut delivery = Delivery {
        head: String::from_utf8_lossy(&bytes[..head]).into_owned(),
        body: Vec::new(),
    };
    let length: usize = delivery.header("Content-Length")?.parse().ok()?;
    let begin = head + HEAD_END.len();
    if bytes.len() < begin + length {
        return None;
    }
    delivery.body = bytes[begin..begin + length].to_vec();
    bytes.drain(..begin + length);
    Some(delivery)
}

#[cfg(test)]
mod tests {
    use super::*;

    // printf '{"a":1}' | openssl dgst -sha256 -hmac (hex of the secret's SHA-256), and
    // printf 'evt_1.1795360150.{"a":1}' | openssl dgst -sha256 -mac HMAC -macopt hexkey:(the bytes
    // behind whsec_)
    const DELIVERY: &str = "POST / HTTP/1.1\r
x-oncharge-signature: 29e8defaf638fa5c96792267c8615a8110427353691bcfd62d3bfd32a73cb853\r
webhook-id: evt_1\r
webhook-timestamp: 1795360150\r
webhook-signature: v1,AAAA v1,4ogMzK364NojHmqqApIPaySsVTmSDAoS/qB5eUkahQg=\r
Content-Length: 7\r
\r
{\"a\":1}";
    const SECRET: &str = "oc_secret_7f3aZ";
    const SIGNING_SECRET: &str = "whsec_fTH7d+DS/INUj4Z30YYNq7G3kxh6BWVd+7tcdtWfPiI=";

    #[test]
    fn only_the_right_secret_and_bytes_verify() {
        let mut delivery = parse_request(&mut DELIVERY.as_bytes().to_vec()).unwrap();
        assert!(delivery.has_plain_signature(SECRET));
        assert!(delivery.has_standard_signature(SIGNING_SECRET));
        assert!(!delivery.has_plain_signature("another"));
        assert!(!delivery.has_standard_signature("whsec_AAAA"));
        assert!(!delivery.has_recent_timestamp());
        delivery.body.push(b' ');
        assert!(!delivery.has_plain_signature(SECRET));
        assert!(!delivery.has_standard_signature(SIGNING_SECRET));
    }

    #[test]
    fn requests_are_read_one_after_the_other() {
        let mut bytes = b"POST /a HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}POST /b HTTP/1.1".to_vec();
        let first = parse_request(&mut bytes).unwrap();
        assert_eq!(
            (first.head.lines().next(), &first.body[..]),
            (Some("POST /a HTTP/1.1"), &b"{}"[..])
        );
        assert!(parse_request(&mut bytes).is_none());
        bytes.extend(b"\r\ncontent-length: 0\r\n\r\n");
        assert_eq!(parse_request(&mut bytes).unwrap().body, b"");
    }
}
