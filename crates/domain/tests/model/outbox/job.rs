//! A worker's steps with one delivery: claim and read, send, record the result.

use oncharge_domain::{
    time::Timestamp,
    webhook::{
        Delivery, DeliveryAttempt, DeliveryOutcome, DeliveryState, EndpointChange, ScheduleSpeed,
        SendError,
    },
};

/// The endpoint's reply; `Silent` is a time-out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Reply {
    Taken,
    Broken,
    Gone,
    Silent,
}

impl Reply {
    pub(super) const ALL: [Self; 4] = [Self::Taken, Self::Broken, Self::Gone, Self::Silent];

    fn status(self) -> Option<u16> {
        match self {
            Self::Taken => Some(200),
            Self::Broken => Some(500),
            Self::Gone => Some(410),
            Self::Silent => None,
        }
    }
}

/// The progress of a worker with a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Stage {
    /// It is claimed and read.
    Read,
    /// The attempt has begun.
    Sending,
    /// The endpoint has responded, or the attempt has timed out.
    Answered(Reply),
}

/// A worker's claimed delivery.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Job {
    pub(super) event: usize,
    /// Whether its lease is valid.
    pub(super) holds: bool,
    /// Its lease has expired, or its result was recorded without its knowledge.
    pub(super) may_lose: bool,
    pub(super) stage: Stage,
    /// The delivery as it was read.
    pub(super) read: Delivery,
    /// Whether the delivery was still pending.
    pub(super) wanted: bool,
    /// The time since which the endpoint has failed.
    pub(super) failing_since: Option<Timestamp>,
}

impl Job {
    /// The consequences, by the domain's own rules.
    pub(super) fn outcome(&self, now: Timestamp) -> (Option<DeliveryAttempt>, DeliveryOutcome) {
        let Stage::Answered(reply) = self.stage else {
            let after = DeliveryOutcome {
                delivery: Delivery {
                    state: DeliveryState::Dead,
                    ..self.read.clone()
                },
                next_try_at: None,
                endpoint: EndpointChange::None,
            };
            return (None, after);
        };
        let status = reply.status();
        let attempt = DeliveryAttempt {
            number: self.read.attempts + 1,
            at: now,
            status,
            latency_ms: 5,
            response: String::new(),
            error: status.is_none().then_some(SendError::Timeout),
        };
        let after = self.read.clone().apply_attempt(
            &attempt,
            None,
            self.failing_since,
            ScheduleSpeed::Real,
            now,
        );
        (Some(attempt), after)
    }
}
