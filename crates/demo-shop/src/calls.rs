//! The shop server's latest calls to OnCharge, for display on the order's page. In memory only,
//! without pay tokens; the API secret is never sent.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use actix_web::http::StatusCode;
use oncharge_client::{Exchange, ExchangeResponse};

use crate::{moment::Moment, pretty::pretty, status_label::Tone};

/// Maximum number of calls kept per order.
const CALLS_PER_ORDER: usize = 12;
/// Maximum number of orders with calls.
const MAX_ORDERS: usize = 100;
/// Maximum size of a recorded request or response, in bytes.
const MAX_TEXT_BYTES: usize = 8 * 1024;

/// A call, possibly repeated.
#[derive(Clone)]
pub(crate) struct Call {
    /// Its sequence number within the order.
    pub(crate) serial: usize,
    pub(crate) method: String,
    pub(crate) target: String,
    pub(crate) idempotency_key: Option<String>,
    /// The time of its latest repetition.
    pub(crate) at: Moment,
    /// The number of repetitions; the other fields are those of the latest.
    pub(crate) times: usize,
    /// Request line, headers and body, as sent.
    pub(crate) request: String,
    /// The response's status; `None` if there was no response.
    status: Option<u16>,
    /// Status line, request id and body.
    pub(crate) response: String,
}

/// The calls of all orders. Cheap to clone; clones share the calls.
#[derive(Clone, Default)]
pub(crate) struct Calls(Arc<Mutex<BTreeMap<u64, OrderCalls>>>);

/// The calls of one order, newest first.
#[derive(Default)]
struct OrderCalls {
    count: usize,
    calls: VecDeque<Call>,
}

impl Calls {
    /// An observer for [`oncharge_client::Client::with_observer`] that records this order's calls.
    pub(crate) fn observer(&self, number: u64) -> impl Fn(&Exchange<'_>) + Send + Sync + 'static {
        let calls = self.clone();
        move |exchange| calls.record(number, Call::from_exchange(exchange))
    }

    /// The calls of this order, newest first.
    pub(crate) fn for_order(&self, number: u64) -> Vec<Call> {
        let orders = self.lock();
        let order_calls = orders.get(&number);
        order_calls
            .map(|order_calls| order_calls.calls.iter().cloned().collect())
            .unwrap_or_default()
    }

    fn record(&self, number: u64, mut call: Call) {
        let mut orders = self.lock();
        let order_calls = orders.entry(number).or_default();
        // An open page polls: identical requests are one entry, or they would displace the actions.
        let same = |existing: &Call| {
            existing.method == "GET"
                && existing.target == call.target
                && existing.status == call.status
        };
        let existing = order_calls.calls.iter().position(same);
        if let Some(existing) = existing.and_then(|place| order_calls.calls.remove(place)) {
            call.serial = existing.serial;
            call.times = existing.times.saturating_add(1);
        } else {
            order_calls.count = order_calls.count.saturating_add(1);
            call.serial = order_calls.count;
        }
        order_calls.calls.push_front(call);
        order_calls.calls.truncate(CALLS_PER_ORDER);
        if orders.len() > MAX_ORDERS {
            // Order numbers increase: this is the oldest.
            orders.pop_first();
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<u64, OrderCalls>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Call {
    fn from_exchange(exchange: &Exchange<'_>) -> Self {
        let header = |wanted: &str| {
            let mut headers = exchange.headers.iter();
            headers.find_map(|(name, value)| (*name == wanted).then(|| value.clone()))
        };
        let headers = exchange.headers.iter();
        let mut lines = vec![format!("{} {}", exchange.method, exchange.target)];
        lines.extend(headers.map(|(name, value)| format!("{name}: {value}")));
        if !exchange.body.is_empty() {
            lines.extend([String::new(), exchange.body.to_owned()]);
        }
        Self {
            serial: 0,
            method: exchange.method.to_owned(),
            target: exchange.target.to_owned(),
            idempotency_key: header("Idempotency-Key"),
            at: Moment::now(),
            times: 1,
            request: bounded(&lines.join("\n")),
            status: exchange.response.map(|response| response.status),
            response: exchange
                .response
                .as_ref()
                .map(response_text)
                .unwrap_or_default(),
        }
    }

    /// The response as a short text.
    pub(crate) fn outcome(&self) -> String {
        self.status
            .map_or_else(|| "no response".to_owned(), |status| status.to_string())
    }

    /// The tone of the outcome.
    pub(crate) fn tone(&self) -> Tone {
        match self.status {
            Some(200..300) => Tone::Good,
            _ => Tone::Bad,
        }
    }
}

fn response_text(response: &ExchangeResponse<'_>) -> String {
    let status = StatusCode::from_u16(response.status).ok();
    let reason = status.and_then(|status| status.canonical_reason());
    let mut lines = vec![format!(
        "{} {}",
        response.status,
        reason.unwrap_or_default()
    )];
    for name in ["X-Request-Id", "Idempotency-Replayed", "Retry-After"] {
        lines.extend(
            response
                .header(name)
                .map(|value| format!("{name}: {value}")),
        );
    }
    let body = pretty(&String::from_utf8_lossy(response.body));
    lines.extend([String::new(), body]);
    bounded(lines.join("\n").trim_end())
}

/// The text with pay tokens masked, truncated to the maximum size.
fn bounded(text: &str) -> String {
    let masked = mask_pay_tokens(text);
    let mut end = MAX_TEXT_BYTES.min(masked.len());
    while !masked.is_char_boundary(end) {
        end = end.saturating_sub(1);
    }
    let (kept, rest) = masked.split_at(end);
    if rest.is_empty() {
        return masked;
    }
    format!("{kept}\n… and {} bytes more", rest.len())
}

/// Replaces all pay tokens by `pt_…`.
fn mask_pay_tokens(text: &str) -> String {
    const PREFIX: &str = "pt_";
    let mut masked = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, token)) = rest.split_once(PREFIX) {
        masked.push_str(before);
        masked.push_str(PREFIX);
        // Not within a word, such as `receipt_email`.
        let begins = !before.ends_with(|last: char| last.is_ascii_alphanumeric());
        let in_token = |c: char| c.is_ascii_alphanumeric() || "-_.~=".contains(c);
        rest = token.trim_start_matches(|c| begins && in_token(c));
        if begins {
            masked.push('…');
        }
    }
    masked.push_str(rest);
    masked
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(method: &str, target: &str) -> Call {
        let headers = [("Idempotency-Key", "order-7".to_owned())];
        Call::from_exchange(&Exchange {
            method,
            target,
            headers: &headers,
            body: "{}",
            response: None,
        })
    }

    fn targets(calls: &Calls, number: u64) -> Vec<(String, usize, usize)> {
        let calls = calls.for_order(number).into_iter();
        calls
            .map(|call| (call.target, call.serial, call.times))
            .collect()
    }

    #[test]
    fn repeated_reads_are_merged_into_one_entry() {
        let calls = Calls::default();
        calls.record(7, call("POST", "/a"));
        for _ in 0..100 {
            calls.record(7, call("GET", "/b"));
            calls.record(7, call("GET", "/c"));
        }
        calls.record(7, call("POST", "/a"));
        let expected = [("/a", 4, 1), ("/c", 3, 100), ("/b", 2, 100), ("/a", 1, 1)];
        let expected = expected.map(|(target, serial, times)| (target.to_owned(), serial, times));
        assert_eq!(targets(&calls, 7), expected);
    }

    #[test]
    fn stored_calls_are_bounded() {
        let calls = Calls::default();
        for number in 0..150 {
            for _ in 0..20 {
                calls.record(number, call("POST", "/a"));
            }
        }
        assert_eq!(
            (calls.for_order(149).len(), calls.for_order(149)[0].serial),
            (CALLS_PER_ORDER, 20)
        );
        assert!(calls.for_order(49).is_empty() && !calls.for_order(50).is_empty());
        let long = bounded(&"ä".repeat(MAX_TEXT_BYTES));
        assert!(long.len() < MAX_TEXT_BYTES + 100, "{}", long.len());
        assert!(long.ends_with("… and 8192 bytes more"), "{}", &long[8192..]);
    }

    #[test]
    fn pay_tokens_are_masked() {
        let response = r#"{"iframe_url":"/checkout/cs_1?token=pt_A1b-_2.c3~d","pay_token":"pt_A1b-_2.c3~d","receipt_email":"a@b.c"}"#;
        let expected = r#"{"iframe_url":"/checkout/cs_1?token=pt_…","pay_token":"pt_…","receipt_email":"a@b.c"}"#;
        assert_eq!(bounded(response), expected);
    }

    #[test]
    fn the_request_is_shown_as_it_was_sent() {
        let call = call("POST", "/v1/refunds");
        assert_eq!(
            call.request,
            "POST /v1/refunds\nIdempotency-Key: order-7\n\n{}"
        );
        assert_eq!(call.idempotency_key.as_deref(), Some("order-7"));
        assert_eq!(
            (call.outcome().as_str(), call.response.as_str()),
            ("no response", "")
        );
    }
}
