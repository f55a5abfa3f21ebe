//! Delivery of one event: attempted until the merchant accepts it, at most ten times.

use ::time::Duration;

use super::endpoint::{DisableReason, EndpointUrl};
use strum::{EnumString, IntoStaticStr, VariantArray};

use crate::{
    id::{EndpointId, EventId, MerchantId, SessionId},
    time::Timestamp,
};

/// The number of consecutive failed attempts after which a delivery is dead.
pub const MAX_FAILED_ATTEMPTS: u32 = 10;
/// The delays after the first failures, in seconds: 1 min, 5 min, 30 min, 2 h; then 12 h each.
const RETRY_DELAYS: [i64; 4] = [60, 300, 1800, 7200];
const LAST_RETRY_DELAY: i64 = 12 * 3600;
/// How long every attempt must have failed for an endpoint to be disabled, in seconds.
const DISABLE_AFTER: i64 = 5 * 86_400;
const HTTP_GONE: u16 = 410;

/// The speed of the retry schedule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScheduleSpeed {
    /// Real time.
    Real,
    /// For sandboxes and tests: an hour becomes a second.
    Fast,
}

impl ScheduleSpeed {
    /// The duration of this many seconds of the schedule.
    fn seconds(self, seconds: i64) -> Duration {
        match self {
            Self::Real => Duration::seconds(seconds),
            Self::Fast => Duration::microseconds(seconds.saturating_mul(1_000_000) / 3600),
        }
    }

    /// The delay after this many failures (from 1).
    fn retry_delay(self, failures: u32) -> Duration {
        let index = usize::try_from(failures.saturating_sub(1)).unwrap_or(usize::MAX);
        self.seconds(RETRY_DELAYS.get(index).copied().unwrap_or(LAST_RETRY_DELAY))
    }
}

/// An event to be delivered to a webhook endpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// The event.
    pub event: EventId,
    /// The event's session.
    pub session: SessionId,
    /// The event's merchant.
    pub merchant: MerchantId,
    /// The event's number in its session.
    pub sequence: u32,
    /// The endpoint at the time of the event or of its last redelivery.
    pub endpoint: EndpointId,
    /// The URL that the endpoint had at that time.
    pub url: EndpointUrl,
    /// Its state.
    pub state: DeliveryState,
    /// The total number of attempts.
    pub attempts: u32,
    /// The number of failed attempts since the event or its last redelivery.
    pub failures: u32,
    /// How often it was redelivered. An attempt that began in an earlier round is stored, but does
    /// not change the delivery's state.
    pub round: u32,
}

/// The state of a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumString, IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub enum DeliveryState {
    /// It waits for its next attempt.
    Pending,
    /// The merchant has accepted it.
    Delivered,
    /// It was given up.
    Dead,
}

impl DeliveryState {
    /// The name in the store.
    pub fn name(self) -> &'static str {
        self.into()
    }
}

/// One delivery attempt, as merchants see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeliveryAttempt {
    /// Its number among the delivery's attempts, from 1.
    pub number: u32,
    /// When it began.
    pub at: Timestamp,
    /// The HTTP status of the response, if there was one.
    pub status: Option<u16>,
    /// How long it took, in milliseconds.
    pub latency_ms: u32,
    /// The first kilobyte of the response body, as text.
    pub response: String,
    /// Why there was no response.
    pub error: Option<SendError>,
}

impl DeliveryAttempt {
    /// Whether the merchant has accepted the event: any 2xx status.
    pub fn is_success(&self) -> bool {
        self.status
            .is_some_and(|status| (200..300).contains(&status))
    }
}

/// Why an attempt brought no response.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumString, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "snake_case")]
pub enum SendError {
    /// The host name could not be resolved.
    UnknownHost,
    /// The host has no address on the public internet.
    ForbiddenAddress,
    /// No connection could be made.
    CannotConnect,
    /// The TLS handshake or the certificate is invalid.
    Tls,
    /// No response within ten seconds.
    Timeout,
    /// The connection broke before the response was complete, or it was not HTTP.
    BrokenAnswer,
    /// Nothing was sent: the merchant has no valid API key to sign with.
    NoApiKey,
}

impl SendError {
    /// All values.
    pub const ALL: &'static [Self] = Self::VARIANTS;

    /// The name in the API and in the store.
    pub fn name(self) -> &'static str {
        self.into()
    }
}

/// The consequences of an attempt, unless the delivery was redelivered or ended meanwhile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeliveryOutcome {
    /// The delivery afterwards, before a change of its endpoint ends it.
    pub delivery: Delivery,
    /// When the next attempt is due; `None` if there is none.
    pub next_try_at: Option<Timestamp>,
    /// The change of the endpoint.
    pub endpoint: EndpointChange,
}

/// The change of an endpoint after an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndpointChange {
    /// No change.
    None,
    /// It works again.
    Recovered,
    /// It has begun to fail.
    Failing,
    /// It is disabled, and its pending deliveries are ended.
    Disabled(DisableReason),
}

impl Delivery {
    /// The consequences of this attempt, which ended at `now`. `retry_after` is the delay that the
    /// endpoint requested with 429 or 503; `failing_since` is the endpoint's state before.
    ///
    /// The next attempt follows after the schedule's delay. If the endpoint requests a longer one,
    /// that is used, up to the schedule's following delay: short requests cannot use up the ten
    /// attempts sooner, and long ones cannot postpone events forever.
    ///
    /// A delivery whose endpoint is disabled for failing stays open here and is ended with all
    /// others to that URL: the endpoint may have recovered during the attempt, and then both
    /// continue.
    #[must_use]
    pub fn apply_attempt(
        mut self,
        attempt: &DeliveryAttempt,
        retry_after: Option<Duration>,
        failing_since: Option<Timestamp>,
        speed: ScheduleSpeed,
        now: Timestamp,
    ) -> DeliveryOutcome {
        self.attempts = self.attempts.max(attempt.number);
        if attempt.is_success() {
            self.state = DeliveryState::Delivered;
            let endpoint = match failing_since {
                Some(_) => EndpointChange::Recovered,
                None => EndpointChange::None,
            };
            return DeliveryOutcome {
                delivery: self,
                next_try_at: None,
                endpoint,
            };
        }
        self.failures = self.failures.saturating_add(1);
        let endpoint = match failing_since {
            // Nothing was sent, so nothing is known about the endpoint.
            _ if attempt.error == Some(SendError::NoApiKey) => EndpointChange::None,
            _ if attempt.status == Some(HTTP_GONE) => EndpointChange::Disabled(DisableReason::Gone),
            Some(since) if now.since(since) >= speed.seconds(DISABLE_AFTER) => {
                EndpointChange::Disabled(DisableReason::Failing)
            }
            Some(_) => EndpointChange::None,
            None => EndpointChange::Failing,
        };
        let is_gone = endpoint == EndpointChange::Disabled(DisableReason::Gone);
        let is_over = self.failures >= MAX_FAILED_ATTEMPTS || is_gone;
        if is_over {
            self.state = DeliveryState::Dead;
        }
        let retry_delay = speed.retry_delay(self.failures);
        let longest = speed.retry_delay(self.failures.saturating_add(1));
        let asked = retry_after.unwrap_or_default().min(longest);
        DeliveryOutcome {
            next_try_at: (!is_over).then(|| now.plus(retry_delay.max(asked))),
            delivery: self,
            endpoint,
        }
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_unix_seconds(1_795_360_150)
            .unwrap()
            .plus_seconds(seconds)
    }

    fn delivery() -> Delivery {
        Delivery {
            event: EventId::from_uuid(Uuid::from_u128(1)),
            session: SessionId::from_uuid(Uuid::from_u128(2)),
            merchant: MerchantId::from_uuid(Uuid::from_u128(3)),
            sequence: 1,
            endpoint: EndpointId::from_uuid(Uuid::from_u128(4)),
            url: EndpointUrl::parse("https://shop.example.com/", false).unwrap(),
            state: DeliveryState::Pending,
            attempts: 0,
            failures: 0,
            round: 0,
        }
    }

    fn answered(number: u32, status: u16) -> DeliveryAttempt {
        DeliveryAttempt {
            number,
            at: at(0),
            status: Some(status),
            latency_ms: 5,
            response: String::new(),
            error: None,
        }
    }

    /// The delays until it is dead, in seconds, if every attempt gets this response.
    fn waits(status: u16, retry_after: Option<i64>, speed: ScheduleSpeed) -> Vec<f64> {
        let (mut delivery, mut waits) = (delivery(), Vec::new());
        let asked = retry_after.map(Duration::seconds);
        for number in 1.. {
            let attempt = answered(number, status);
            let after = delivery.apply_attempt(&attempt, asked, Some(at(0)), speed, at(0));
            delivery = after.delivery;
            match after.next_try_at {
                Some(next) => waits.push(next.since(at(0)).as_seconds_f64()),
                None => break,
            }
        }
        assert_eq!(delivery.state, DeliveryState::Dead);
        waits
    }

    #[test]
    fn the_retry_schedule_matches_the_documentation() {
        let hours = 43_200.0;
        let expected = [
            60.0, 300.0, 1800.0, 7200.0, hours, hours, hours, hours, hours,
        ];
        assert_eq!(waits(500, None, ScheduleSpeed::Real), expected);
        let fast = waits(500, None, ScheduleSpeed::Fast);
        assert!(
            (fast[..3].iter().sum::<f64>() - 0.6).abs() < 0.001,
            "{fast:?}"
        );
        assert!((fast.iter().sum::<f64>() - 62.6).abs() < 0.001, "{fast:?}");
    }

    #[test]
    fn retry_after_is_capped_at_the_next_delay() {
        assert_eq!(waits(503, Some(1), ScheduleSpeed::Real)[..2], [60.0, 300.0]);
        assert_eq!(
            waits(503, Some(200), ScheduleSpeed::Real)[..2],
            [200.0, 300.0]
        );
        assert_eq!(
            waits(429, Some(1_000_000), ScheduleSpeed::Real)[..2],
            [300.0, 1800.0]
        );
    }

    #[test]
    fn only_2xx_is_a_success() {
        for (status, taken) in [
            (199, false),
            (200, true),
            (204, true),
            (299, true),
            (301, false),
            (404, false),
        ] {
            let after = delivery().apply_attempt(
                &answered(1, status),
                None,
                None,
                ScheduleSpeed::Real,
                at(0),
            );
            let delivered = after.delivery.state == DeliveryState::Delivered;
            assert_eq!(delivered, taken, "{status}");
            let change = if taken {
                EndpointChange::None
            } else {
                EndpointChange::Failing
            };
            assert_eq!(after.endpoint, change, "{status}");
        }
    }

    #[test]
    fn gone_and_failing_endpoints_are_disabled() {
        let gone =
            delivery().apply_attempt(&answered(1, 410), None, None, ScheduleSpeed::Real, at(0));
        assert_eq!(gone.endpoint, EndpointChange::Disabled(DisableReason::Gone));
        assert_eq!(
            (gone.delivery.state, gone.next_try_at),
            (DeliveryState::Dead, None)
        );
        let days = |seconds: i64| {
            let since = Some(at(-seconds));
            delivery()
                .apply_attempt(&answered(1, 500), None, since, ScheduleSpeed::Real, at(0))
                .endpoint
        };
        assert_eq!(days(5 * 86_400 - 1), EndpointChange::None);
        assert_eq!(
            days(5 * 86_400),
            EndpointChange::Disabled(DisableReason::Failing)
        );
        let given_up = delivery().apply_attempt(
            &answered(1, 500),
            None,
            Some(at(-5 * 86_400)),
            ScheduleSpeed::Real,
            at(0),
        );
        assert_eq!(
            (given_up.delivery.state, given_up.next_try_at),
            (DeliveryState::Pending, Some(at(60))),
            "it becomes dead if its endpoint is disabled"
        );
        let well = delivery().apply_attempt(
            &answered(1, 200),
            None,
            Some(at(-9)),
            ScheduleSpeed::Real,
            at(0),
        );
        assert_eq!(well.endpoint, EndpointChange::Recovered);
    }
}
