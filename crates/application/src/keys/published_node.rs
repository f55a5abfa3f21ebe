//! What a server has published of its keys, and until when it relies on that.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use oncharge_domain::time::Timestamp;
use oncharge_ports::key_registry::Node;
use tokio::time::Instant;

/// How long a node relies on a renewal; the rest of [`super::LIFETIME`] allows for clocks that run at
/// different speeds.
const RENEWAL_VALIDITY: Duration = Duration::from_secs(25);

/// What this process has published; empty unless it is a server.
#[derive(Default)]
pub(crate) struct Membership(Mutex<Option<PublishedNode>>);

pub(super) struct PublishedNode {
    pub(super) node: Node,
    pub(super) renewed_at: RenewalTime,
}

/// When a node began to renew, by two clocks: one may stop while the machine is suspended, the
/// other may be set back.
#[derive(Clone, Copy)]
pub(super) struct RenewalTime {
    monotonic: Instant,
    wall: Timestamp,
}

impl RenewalTime {
    pub(super) fn new(now: Timestamp) -> Self {
        Self {
            monotonic: Instant::now(),
            wall: now,
        }
    }

    fn is_valid(self, now: Timestamp) -> bool {
        let validity_seconds = i64::try_from(RENEWAL_VALIDITY.as_secs()).unwrap_or(0);
        self.monotonic.elapsed() < RENEWAL_VALIDITY
            && now < self.wall.plus_seconds(validity_seconds)
    }
}

impl Membership {
    /// Whether every live ban can be found with this process's peppers.
    pub(crate) fn is_current(&self, now: Timestamp) -> bool {
        let published = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        published
            .as_ref()
            .is_none_or(|published| published.renewed_at.is_valid(now))
    }

    pub(super) fn set(&self, published: Option<PublishedNode>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = published;
    }

    pub(super) fn node(&self) -> Option<Node> {
        let published = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        published.as_ref().map(|published| published.node.clone())
    }
}
