//! The fault settings in their wire format.

use serde::Serialize;

use crate::body::Body;
use crate::codes::Kind;
use crate::entropy;
use crate::problem::Problem;
use crate::store::StoreError;

/// Maximum delay, one hour, so that a forgotten fault does not block the simulator forever.
const MAX_MILLIS: u64 = 3_600_000;
/// Maximum number of extra copies of a notification.
const MAX_DUPLICATES: u64 = 100;

/// All faults; absent ones are off.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub(crate) struct FaultSettings {
    /// Each request is delayed by a random time between these two, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) latency_ms: Option<[u64; 2]>,
    /// Share of requests that get a bare 503 before any work.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) error_rate: Option<f64>,
    /// Share of requests whose connection is closed after the work, without a response.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) drop_after_work_rate: Option<f64>,
    /// How long connections are refused, once, starting with the call.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) refuse_connections_ms: Option<u64>,
    /// Kinds of calls that are refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) refuse: Option<Vec<Kind>>,
    /// Kinds of calls whose success is reversed a second later.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) fail_late: Option<Vec<Kind>>,
    /// Calls are only accepted; the work is done later.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) asynchronous: Option<bool>,
    /// How many extra times each notification is sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) duplicate_notifications: Option<u64>,
    /// Each notification is delayed by a random 0 to 1,000 ms.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) reorder_notifications: Option<bool>,
    /// Each notification is delayed by this time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) delay_notifications_ms: Option<u64>,
    /// Makes the random faults reproducible.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) seed: Option<u64>,
}

impl FaultSettings {
    /// Parses the body of a request; unknown members and values out of range are 422.
    pub(crate) fn read(bytes: &[u8]) -> Result<Self, Problem> {
        let mut body = Body::parse(bytes)?;
        let settings = Self {
            latency_ms: range(&mut body, "latency_ms"),
            error_rate: rate(&mut body, "error_rate"),
            drop_after_work_rate: rate(&mut body, "drop_after_work_rate"),
            refuse_connections_ms: number(&mut body, "refuse_connections_ms", MAX_MILLIS),
            refuse: kinds(&mut body, "refuse"),
            fail_late: kinds(&mut body, "fail_late"),
            asynchronous: flag(&mut body, "asynchronous"),
            duplicate_notifications: number(&mut body, "duplicate_notifications", MAX_DUPLICATES),
            reorder_notifications: flag(&mut body, "reorder_notifications"),
            delay_notifications_ms: number(&mut body, "delay_notifications_ms", MAX_MILLIS),
            seed: number(&mut body, "seed", u64::MAX),
        };
        body.finish()?;
        Ok(settings)
    }

    /// Parses the output of [`FaultSettings::to_json`].
    pub(crate) fn restore(text: &str) -> Result<Self, StoreError> {
        Self::read(text.as_bytes()).map_err(|_| StoreError::Corrupt("faults"))
    }

    /// The settings as JSON, for the database.
    pub(crate) fn to_json(&self) -> Result<String, StoreError> {
        Ok(serde_json::to_string(self)?)
    }

    /// The given seed, or a random one.
    pub(crate) fn seed_or_random(&self) -> Result<u64, StoreError> {
        self.seed.map_or_else(|| Ok(entropy::seed()?), Ok)
    }

    /// Whether calls of this kind are refused.
    pub(crate) fn refuses(&self, kind: Kind) -> bool {
        self.refuse
            .as_ref()
            .is_some_and(|kinds| kinds.contains(&kind))
    }

    /// Whether the success of calls of this kind is reversed later.
    pub(crate) fn fails_late(&self, kind: Kind) -> bool {
        self.fail_late
            .as_ref()
            .is_some_and(|kinds| kinds.contains(&kind))
    }

    /// Whether calls are only accepted.
    pub(crate) fn asynchronous(&self) -> bool {
        self.asynchronous == Some(true)
    }

    /// Whether notifications are delayed at all.
    pub(crate) fn delays_notifications(&self) -> bool {
        self.reorder_notifications == Some(true)
            || self.delay_notifications_ms.is_some_and(|millis| millis > 0)
    }
}

fn number(body: &mut Body, field: &str, max: u64) -> Option<u64> {
    let value = body.take(field)?;
    let number = value.as_u64().filter(|number| *number <= max);
    if number.is_none() {
        body.add_problem(field, &format!("must be an integer from 0 to {max}"));
    }
    number
}

fn flag(body: &mut Body, field: &str) -> Option<bool> {
    let value = body.take(field)?;
    if !value.is_boolean() {
        body.add_problem(field, "must be true or false");
    }
    value.as_bool()
}

fn rate(body: &mut Body, field: &str) -> Option<f64> {
    let value = body.take(field)?;
    let rate = value.as_f64().filter(|rate| (0.0..=1.0).contains(rate));
    if rate.is_none() {
        body.add_problem(field, "must be a number from 0 to 1");
    }
    rate
}

fn range(body: &mut Body, field: &str) -> Option<[u64; 2]> {
    let value = body.take(field)?;
    let range = match value.as_array().map(Vec::as_slice) {
        Some([min, max]) => min.as_u64().zip(max.as_u64()),
        _ => None,
    }
    .filter(|(min, max)| min <= max && *max <= MAX_MILLIS);
    if range.is_none() {
        body.add_problem(
            field,
            "must be [min, max] in milliseconds, with min at most max",
        );
    }
    range.map(|(min, max)| [min, max])
}

fn kinds(body: &mut Body, field: &str) -> Option<Vec<Kind>> {
    let value = body.take(field)?;
    let kinds = value.as_array().and_then(|items| {
        items
            .iter()
            .map(|item| item.as_str().and_then(Kind::parse))
            .collect::<Option<Vec<Kind>>>()
    });
    if kinds.is_none() {
        body.add_problem(
            field,
            "must be a list of authorise, capture, cancel, refund",
        );
    }
    kinds
}

#[cfg(test)]
mod tests {
    use super::FaultSettings;
    use crate::problem::Problem;

    #[test]
    fn settings_round_trip() {
        let text = r#"{"latency_ms":[1,2],"error_rate":0.25,"drop_after_work_rate":1.0,
            "refuse_connections_ms":5,"refuse":["authorise","capture"],"fail_late":["refund"],
            "asynchronous":true,"duplicate_notifications":2,"reorder_notifications":true,
            "delay_notifications_ms":7,"seed":18446744073709551615}"#;
        let settings = FaultSettings::read(text.as_bytes()).unwrap();
        assert_eq!(
            FaultSettings::restore(&settings.to_json().unwrap()).unwrap(),
            settings
        );
        assert_eq!(settings.seed, Some(u64::MAX));
    }

    #[test]
    fn invalid_members_are_named() {
        let cases = [
            (r#"{"latencyms":[1,2]}"#, "latencyms"),
            (r#"{"latency_ms":[2,1]}"#, "latency_ms"),
            (r#"{"latency_ms":5}"#, "latency_ms"),
            (r#"{"error_rate":1.1}"#, "error_rate"),
            (r#"{"drop_after_work_rate":-1}"#, "drop_after_work_rate"),
            (r#"{"refuse_connections_ms":-1}"#, "refuse_connections_ms"),
            (r#"{"refuse":["pay"]}"#, "refuse"),
            (r#"{"refuse":"capture"}"#, "refuse"),
            (r#"{"fail_late":[1]}"#, "fail_late"),
            (r#"{"asynchronous":1}"#, "asynchronous"),
            (
                r#"{"duplicate_notifications":1.5}"#,
                "duplicate_notifications",
            ),
            (
                r#"{"reorder_notifications":"yes"}"#,
                "reorder_notifications",
            ),
            (
                r#"{"delay_notifications_ms":3600001}"#,
                "delay_notifications_ms",
            ),
            (r#"{"seed":-1}"#, "seed"),
        ];
        for (text, field) in cases {
            let Err(Problem::Invalid(details)) = FaultSettings::read(text.as_bytes()) else {
                panic!("{text} was taken");
            };
            assert_eq!(details[0].field, field, "{text}");
        }
    }
}
