//! The life of one event on its way to the merchant: tried until it is taken, at most ten times.

use ::time::Duration;

use super::endpoint::{DisableReason, EndpointUrl};
use crate::{
    id::{EndpointId, EventId, MerchantId, SessionId},
    time::Timestamp,
};

/// After so many failed attempts in a row a delivery is dead.
pub const MAX_FAILED_ATTEMPTS: u32 = 10;
/// The waits after the first failures, in seconds: 1 min, 5 min, 30 min, 2 h; then 12 h each.
const RETRY_DELAYS: [i64; 4] = [60, 300, 1800, 7200];
const LAST_RETRY_DELAY: i64 = 12 * 3600;
/// An endpoint that has done nothing but fail for so long is disabled, in seconds.
const DISABLE_AFTER: i64 = 5 * 86_400;
const HTTP_GONE: u16 = 410;

/// How fast the schedule's hours go by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScheduleSpeed {
    /// As they are.
    Real,
    /// For sandboxes and tests: an hour becomes a second.
    Fast,
}

impl ScheduleSpeed {
    /// So many seconds of the schedule.
    fn seconds(self, seconds: i64) -> Duration {
        match self {
            Self::Real => Duration::seconds(seconds),
            Self::Fast => Duration::microseconds(seconds.saturating_mul(1_000_000) / 3600),
        }
    }

    /// The wait after so many failures (from 1).
    fn retry_delay(self, failures: u32) -> Duration {
        let index = usize::try_from(failures.saturating_sub(1)).unwrap_or(usize::MAX);
        self.seconds(RETRY_DELAYS.get(index).copied().unwrap_or(LAST_RETRY_DELAY))
    }
}

/// An event on its way.
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
    /// The endpoint of the time when it happened, or when it was redelivered.
    pub endpoint: EndpointId,
    /// Where it goes: the URL that the endpoint had at that time.
    pub url: EndpointUrl,
    /// How far it is.
    pub state: DeliveryState,
    /// How often it was attempted in all.
    pub attempts: u32,
    /// How many attempts have failed since it happened or was redelivered.
    pub failures: u32,
    /// How often it was redelivered. An attempt that began in an earlier round is kept, but says
    /// nothing of how far the delivery is by then.
    pub round: u32,
}

/// How far a delivery is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeliveryState {
    /// It waits for its next attempt.
    Pending,
    /// The merchant has taken it.
    Delivered,
    /// It was given up.
    Dead,
}

impl DeliveryState {
    /// The name in the store.
    pub fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Delivered => "delivered",
            Self::Dead => "dead",
        }
    }

    /// Reads what [`DeliveryState::name`] writes.
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Pending, Self::Delivered, Self::Dead]
            .into_iter()
            .find(|state| state.name() == name)
    }
}

/// One attempt to deliver, as merchants see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeliveryAttempt {
    /// Its number among the delivery's attempts, from 1.
    pub number: u32,
    /// When it began.
    pub at: Timestamp,
    /// The HTTP status of the answer, where there was one.
    pub status: Option<u16>,
    /// How long it took, in milliseconds.
    pub latency_ms: u32,
    /// The first kilobyte of the answer's body, as text.
    pub response: String,
    /// Why there was no answer.
    pub error: Option<SendError>,
}

impl DeliveryAttempt {
    /// Whether the merchant has taken the event: any 2xx.
    pub fn is_success(&self) -> bool {
        self.status
            .is_some_and(|status| (200..300).contains(&status))
    }
}

/// Why an attempt brought no response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SendError {
    /// The host's name could not be resolved.
    UnknownHost,
    /// The host has only addresses that no merchant on the internet has.
    ForbiddenAddress,
    /// No connection could be made.
    CannotConnect,
    /// The certificate or the TLS handshake is not in order.
    Tls,
    /// No answer within ten seconds.
    Timeout,
    /// The connection broke before the answer was there, or it was no HTTP.
    BrokenAnswer,
    /// Nothing was sent: the merchant has no valid API key to sign with.
    NoApiKey,
}

impl SendError {
    /// All of them.
    pub const ALL: &'static [Self] = &[
        Self::UnknownHost,
        Self::ForbiddenAddress,
        Self::CannotConnect,
        Self::Tls,
        Self::Timeout,
        Self::BrokenAnswer,
        Self::NoApiKey,
    ];

    /// The name on the wire and in the store.
    pub fn name(self) -> &'static str {
        match self {
            Self::UnknownHost => "unknown_host",
            Self::ForbiddenAddress => "forbidden_address",
            Self::CannotConnect => "cannot_connect",
            Self::Tls => "tls",
            Self::Timeout => "timeout",
            Self::BrokenAnswer => "broken_answer",
            Self::NoApiKey => "no_api_key",
        }
    }

    /// Reads what [`SendError::name`] writes.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|error| error.name() == name)
    }
}

/// What follows from an attempt, unless the delivery was redelivered or ended meanwhile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeliveryOutcome {
    /// The delivery afterwards, before the change of its endpoint has ended it.
    pub delivery: Delivery,
    /// When it is tried again; `None` where it is over.
    pub next_try_at: Option<Timestamp>,
    /// What becomes of the endpoint.
    pub endpoint: EndpointChange,
}

/// What an attempt says of the endpoint that it went to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndpointChange {
    /// Nothing new.
    None,
    /// It works again.
    Recovered,
    /// It has begun to fail.
    Failing,
    /// Nothing is sent to it any more, and what is on the way to it dies.
    Disabled(DisableReason),
}

impl Delivery {
    /// What follows from this attempt, which ended at `now`. `retry_after` is what the endpoint
    /// asked for with 429 or 503; `failing_since` is how the endpoint was doing before.
    ///
    /// The next attempt comes after the schedule's step. An endpoint that asks for a longer pause
    /// gets it, up to the length of the step after that: so it cannot use up its ten attempts
    /// sooner by asking for short pauses, nor put events off for good by asking for long ones.
    ///
    /// A delivery whose endpoint is given up for failing stays open here and dies with all others
    /// to that URL: the endpoint may have recovered while the attempt was under way, and then both
    /// go on.
    #[must_use]
    pub fn apply_attempt(
        mut self,
        attempt: &DeliveryAttempt,
        retry_after: Option<Duration>,
        (failing_since, speed, now): (Option<Timestamp>, ScheduleSpeed, Timestamp),
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

    /// The waits until it is dead, in seconds, when every attempt is answered like this.
    fn waits(status: u16, retry_after: Option<i64>, speed: ScheduleSpeed) -> Vec<f64> {
        let (mut delivery, mut waits) = (delivery(), Vec::new());
        let asked = retry_after.map(Duration::seconds);
        for number in 1.. {
            let attempt = answered(number, status);
            let after = delivery.apply_attempt(&attempt, asked, (Some(at(0)), speed, at(0)));
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
                (None, ScheduleSpeed::Real, at(0)),
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
            delivery().apply_attempt(&answered(1, 410), None, (None, ScheduleSpeed::Real, at(0)));
        assert_eq!(gone.endpoint, EndpointChange::Disabled(DisableReason::Gone));
        assert_eq!(
            (gone.delivery.state, gone.next_try_at),
            (DeliveryState::Dead, None)
        );
        let days = |seconds: i64| {
            let since = Some(at(-seconds));
            delivery()
                .apply_attempt(&answered(1, 500), None, (since, ScheduleSpeed::Real, at(0)))
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
            (Some(at(-5 * 86_400)), ScheduleSpeed::Real, at(0)),
        );
        assert_eq!(
            (given_up.delivery.state, given_up.next_try_at),
            (DeliveryState::Pending, Some(at(60))),
            "it dies with its endpoint, if that is given up"
        );
        let well = delivery().apply_attempt(
            &answered(1, 200),
            None,
            (Some(at(-9)), ScheduleSpeed::Real, at(0)),
        );
        assert_eq!(well.endpoint, EndpointChange::Recovered);
    }
}
