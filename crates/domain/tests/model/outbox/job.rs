//! A worker's way with one delivery: it claims and reads, sends, and writes down what came of it.

use oncharge_domain::{
    time::Timestamp,
    webhook::{
        Delivery, DeliveryAttempt, DeliveryOutcome, DeliveryState, EndpointChange, ScheduleSpeed,
        SendError,
    },
};

/// What the endpoint answers; `Silent` is no answer in time.
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

/// How far a worker is with a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Stage {
    /// It is claimed and read.
    Read,
    /// The attempt has begun.
    Sending,
    /// The endpoint has answered, or never will.
    Answered(Reply),
}

/// A worker with a delivery in hand.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Job {
    pub(super) event: usize,
    /// Its lease holds.
    pub(super) holds: bool,
    /// Its lease has run out, or its work was written down without its knowing.
    pub(super) may_lose: bool,
    pub(super) stage: Stage,
    /// The delivery as it was read.
    pub(super) read: Delivery,
    /// Whether anybody wanted it still.
    pub(super) wanted: bool,
    /// Since when the endpoint failed.
    pub(super) failing_since: Option<Timestamp>,
}

impl Job {
    /// What follows from it, by the domain's own rules.
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
