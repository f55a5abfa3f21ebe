//! A merchant's server that is never killed: it verifies both signatures of each delivery,
//! records all deliveries, and fails as its behavior requires.

use std::{
    sync::{Arc, Mutex, OnceLock},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use serde_json::Value;
use tokio::sync::watch;

use crate::{
    behavior::{Behavior, Reply},
    shared::webhook_server::{self, Delivery, Response},
};

/// Maximum difference between a delivery's timestamp and the present, in seconds.
const MAX_CLOCK_SKEW_SECONDS: u64 = 300;

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
    pub(crate) fn start(number: usize, api_secret: &str) -> Self {
        let query = format!("/?wc-api=oncharge_callback&shop={number}");
        let shared = Arc::new(Shared {
            query: query.clone(),
            api_secret: api_secret.to_owned(),
            signing_secret: OnceLock::new(),
            behavior: watch::Sender::new(Behavior::healthy()),
            arrivals: Mutex::default(),
        });
        let receiving = shared.clone();
        let origin = webhook_server::start(move |delivery| receiving.clone().handle(delivery));
        let url = format!("{origin}{query}");
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

/// A reply in progress; its end is recorded when it is dropped, before the response is sent, because
/// the next attempt may begin then.
struct Replying {
    shared: Arc<Shared>,
    /// The index of the delivery.
    place: usize,
}

impl Drop for Replying {
    fn drop(&mut self) {
        let mut arrivals = self.shared.arrivals.lock().unwrap();
        if let Some(arrival) = arrivals.get_mut(self.place) {
            arrival.ended = Instant::now();
        }
    }
}

impl Shared {
    /// Records a delivery and replies; without a response, the connection is closed.
    async fn handle(self: Arc<Self>, delivery: Delivery) -> Option<Response> {
        let (place, reply) = self.record(&delivery);
        let _replying = Replying {
            shared: self.clone(),
            place,
        };
        match reply {
            Reply::Status(status) => Some(Response {
                status,
                header: ("Retry-After", "1".to_owned()),
            }),
            Reply::Close => None,
            Reply::Hang(lasts) => {
                self.hang(lasts).await;
                None
            }
        }
    }

    /// Records a delivery; returns its index and the reply.
    fn record(&self, delivery: &Delivery) -> (usize, Reply) {
        let body = delivery.json();
        let problems = self.problems(delivery, &body);
        let mut arrivals = self.arrivals.lock().unwrap();
        let before = arrivals.iter().filter(|old| old.body["id"] == body["id"]);
        let before = u64::try_from(before.count()).unwrap();
        let reply = self.behavior.borrow().reply(&body, before);
        arrivals.push(Arrival {
            at: delivery.at,
            ended: delivery.at,
            reply,
            body,
            problems,
        });
        (arrivals.len() - 1, reply)
    }

    /// Waits until the time has passed or the server is healthy again.
    async fn hang(&self, lasts: Duration) {
        let mut behavior = self.behavior.subscribe();
        let healthy = behavior.wait_for(Behavior::is_healthy);
        let _ = tokio::time::timeout(lasts, healthy).await;
    }

    fn problems(&self, delivery: &Delivery, body: &Value) -> Vec<&'static str> {
        let id = body["id"].as_str();
        let checks = [
            (
                delivery.request_line() == format!("POST {} HTTP/1.1", self.query),
                "another target",
            ),
            (
                delivery.header("Content-Type") == "application/json",
                "no JSON",
            ),
            (
                id.is_some_and(|id| delivery.header("webhook-id") == id),
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
            (has_recent_timestamp(delivery), "another time"),
        ];
        let failed = checks.into_iter().filter(|(holds, _)| !holds);
        failed.map(|(_, problems)| problems).collect()
    }
}

fn has_recent_timestamp(delivery: &Delivery) -> bool {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let sent = delivery.header("webhook-timestamp").parse::<u64>();
    sent.is_ok_and(|sent| sent.abs_diff(now.as_secs()) <= MAX_CLOCK_SKEW_SECONDS)
}

#[cfg(test)]
mod tests {
    use super::has_recent_timestamp;
    use crate::shared::webhook_server::parse_request;

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
        assert!(!has_recent_timestamp(&delivery));
        delivery.body.push(b' ');
        assert!(!delivery.has_plain_signature(SECRET));
        assert!(!delivery.has_standard_signature(SIGNING_SECRET));
    }

    #[test]
    fn requests_are_read_one_after_the_other() {
        let mut bytes = b"POST /a HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}POST /b HTTP/1.1".to_vec();
        let first = parse_request(&mut bytes).unwrap();
        assert_eq!(
            (first.request_line(), &first.body[..]),
            ("POST /a HTTP/1.1", &b"{}"[..])
        );
        assert!(parse_request(&mut bytes).is_none());
        bytes.extend(b"\r\ncontent-length: 0\r\n\r\n");
        assert_eq!(parse_request(&mut bytes).unwrap().body, b"");
    }
}
