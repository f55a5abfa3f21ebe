//! Behavior of a merchant's server for some time, generated from the seed.

use std::{fmt, time::Duration};

use serde_json::Value;

use crate::plan::SeededRng;

/// The reaction to one delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reply {
    /// Responds with this status.
    Status(u16),
    /// Closes the connection without a response.
    Close,
    /// Sends nothing for this long, then closes the connection.
    Hang(Duration),
}

/// Behavior of a merchant's server, in percentages. The same delivery gets the same reply under the
/// same seed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Behavior {
    seed: u64,
    fails: u64,
    closes: u64,
    hangs: u64,
}

impl Behavior {
    /// Accepts every delivery.
    pub(crate) fn healthy() -> Self {
        Self {
            seed: 0,
            fails: 0,
            closes: 0,
            hangs: 0,
        }
    }

    /// A random behavior. A round ends before ten attempts do: in the worst case a delivery has
    /// failed five times when its server is healthy again.
    pub(crate) fn generate(rng: &mut SeededRng) -> Self {
        let (fails, closes, hangs) = *rng.pick(&[
            (0, 0, 0),
            (0, 0, 0),
            (15, 5, 0),
            (5, 15, 0),
            (30, 10, 1),
            (2, 2, 2),
            (100, 0, 0),
            (0, 100, 0),
        ]);
        Self {
            seed: rng.between(0, 1_000_000),
            fails,
            closes,
            hangs,
        }
    }

    pub(crate) fn is_healthy(&self) -> bool {
        self.fails + self.closes + self.hangs == 0
    }

    /// The reply to a delivery of which this many attempts arrived before.
    pub(crate) fn reply(&self, body: &Value, before: u64) -> Reply {
        if self.is_healthy() {
            return Reply::Status(200);
        }
        // Ids differ between runs; the order's reference and the sequence number do not.
        let reference = body["merchant_reference"].as_str().unwrap_or_default();
        let sequence = body["sequence"].as_u64().unwrap_or_default();
        let mut which = vec![self.seed, sequence, before];
        which.extend(reference.bytes().map(u64::from));
        let mut rng = SeededRng::from_numbers(&which);
        let chance = rng.between(1, 100);
        if chance <= self.fails {
            Reply::Status(*rng.pick(&[500, 500, 503, 404, 301]))
        } else if chance <= self.fails + self.closes {
            Reply::Close
        } else if chance <= self.fails + self.closes + self.hangs {
            Reply::Hang(rng.millis(500, 12_000))
        } else {
            Reply::Status(*rng.pick(&[200, 202]))
        }
    }
}

impl fmt::Display for Behavior {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_healthy() {
            return f.write_str("well");
        }
        let Self {
            fails,
            closes,
            hangs,
            ..
        } = self;
        write!(f, "fails {fails} %, closes {closes} %, hangs {hangs} %")
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_same_delivery_gets_the_same_reply() {
        let mut behaviors = SeededRng::from_numbers(&[1]);
        let behavior = std::iter::repeat_with(|| Behavior::generate(&mut behaviors))
            .find(|behavior| {
                !behavior.is_healthy() && behavior.fails < 100 && behavior.closes < 100
            })
            .unwrap();
        let replies = |id: &str| -> Vec<Reply> {
            let body = |n: u64| json!({ "id": id, "merchant_reference": "k0-1-1", "sequence": n });
            (0..200).map(|n| behavior.reply(&body(n), n % 3)).collect()
        };
        assert_eq!(replies("evt_1"), replies("evt_2"));
        let taken = |reply: &Reply| matches!(reply, Reply::Status(200 | 202));
        assert!(replies("evt_1").iter().any(taken) && !replies("evt_1").iter().all(taken));
    }
}
