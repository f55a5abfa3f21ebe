//! How often and after how long a call is repeated.

use std::time::Duration;

use ring::rand::{SecureRandom as _, SystemRandom};

/// How a call is repeated that brought no answer, or one that asks for another try: a lost
/// connection, a time-out, 5xx, 408, 429 and 409 `idempotency_conflict`.
///
/// Waits double from `first_wait`, a part of each being random, so that many clients do not come
/// back at the same moment. `Retry-After` is honoured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retries {
    /// How often a call is sent at most; 1 repeats nothing, 0 counts as 1.
    pub attempts: u32,
    /// How long to wait before the second attempt.
    pub first_wait: Duration,
    /// No wait is longer. A `Retry-After` beyond it ends the call with the answer that carries it.
    pub longest_wait: Duration,
}

impl Default for Retries {
    /// Five attempts within about six seconds, where the service does not ask for longer waits.
    fn default() -> Self {
        Self {
            attempts: 5,
            first_wait: Duration::from_millis(250),
            longest_wait: Duration::from_secs(10),
        }
    }
}

impl Retries {
    /// How long to wait after the `attempt`-th attempt, counted from 1; `None`: not at all, it was
    /// the last, or the service asks for more patience than we have.
    pub(crate) fn wait(&self, attempt: u32, retry_after: Option<Duration>) -> Option<Duration> {
        if attempt >= self.attempts {
            return None;
        }
        let doublings = attempt.saturating_sub(1).min(20);
        let wait = self
            .first_wait
            .saturating_mul(1 << doublings)
            .min(self.longest_wait);
        let wait = wait / 2 + wait.mul_f64(random_part() / 2.0);
        match retry_after {
            Some(asked) if asked > self.longest_wait => None,
            Some(asked) => Some(asked.max(wait)),
            None => Some(wait),
        }
    }
}

/// From 0 to 1. Without randomness waits are simply not spread.
fn random_part() -> f64 {
    let mut byte = [u8::MAX];
    let _ = SystemRandom::new().fill(&mut byte);
    f64::from(byte[0]) / f64::from(u8::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_longest_and_end_with_the_attempts() {
        let retries = Retries {
            attempts: 4,
            first_wait: Duration::from_millis(100),
            longest_wait: Duration::from_millis(300),
        };
        for (attempt, whole) in [(1, 100), (2, 200), (3, 300)] {
            let wait = retries.wait(attempt, None).unwrap();
            let whole = Duration::from_millis(whole);
            assert!(
                wait >= whole / 2 && wait <= whole,
                "after attempt {attempt}: {wait:?}"
            );
        }
        assert_eq!(retries.wait(4, None), None);
        let once = Retries {
            attempts: 0,
            ..retries
        };
        assert_eq!(once.wait(1, None), None);
    }

    #[test]
    fn what_the_service_asks_for_is_honoured_within_reason() {
        let retries = Retries::default();
        let (near, far) = (Duration::from_secs(3), Duration::from_secs(3600));
        assert_eq!(retries.wait(1, Some(near)), Some(near));
        assert_eq!(retries.wait(1, Some(far)), None);
        assert!(retries.wait(1, Some(Duration::ZERO)).unwrap() >= retries.first_wait / 2);
    }
}
