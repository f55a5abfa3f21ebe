//! How often and after how long a call is repeated.

use std::time::Duration;

use ring::rand::{SecureRandom as _, SystemRandom};

/// How a call is repeated that brought no answer, or one that asks for another try: a lost
/// connection, a time-out, 5xx, 408, 429 and 409 `idempotency_conflict`.
///
/// Waits double from `initial_delay`, a part of each being random, so that many clients do not come
/// back at the same moment. `Retry-After` is honoured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetryPolicy {
    /// How often a call is sent at most; 1 repeats nothing, 0 counts as 1.
    pub attempts: u32,
    /// How long to wait before the second attempt.
    pub initial_delay: Duration,
    /// No wait is longer. A `Retry-After` beyond it ends the call with the answer that carries it.
    pub max_delay: Duration,
}

impl Default for RetryPolicy {
    /// Five attempts within about six seconds, where the service does not ask for longer waits.
    fn default() -> Self {
        Self {
            attempts: 5,
            initial_delay: Duration::from_millis(250),
            max_delay: Duration::from_secs(10),
        }
    }
}

impl RetryPolicy {
    /// How long to wait after the `attempt`-th attempt, counted from 1; `None`: not at all, it was
    /// the last, or the service asks for more patience than we have.
    pub(crate) fn delay(&self, attempt: u32, retry_after: Option<Duration>) -> Option<Duration> {
        if attempt >= self.attempts {
            return None;
        }
        let doublings = attempt.saturating_sub(1).min(20);
        let delay = self
            .initial_delay
            .saturating_mul(1 << doublings)
            .min(self.max_delay);
        let delay = delay / 2 + delay.mul_f64(random_fraction() / 2.0);
        match retry_after {
            Some(requested) if requested > self.max_delay => None,
            Some(requested) => Some(requested.max(delay)),
            None => Some(delay),
        }
    }
}

/// From 0 to 1. Without randomness waits are simply not spread.
fn random_fraction() -> f64 {
    let mut byte = [u8::MAX];
    let _ = SystemRandom::new().fill(&mut byte);
    f64::from(byte[0]) / f64::from(u8::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_double_up_to_the_maximum() {
        let retries = RetryPolicy {
            attempts: 4,
            initial_delay: Duration::from_millis(100),
            max_delay: Duration::from_millis(300),
        };
        for (attempt, max) in [(1, 100), (2, 200), (3, 300)] {
            let delay = retries.delay(attempt, None).unwrap();
            let max = Duration::from_millis(max);
            assert!(
                delay >= max / 2 && delay <= max,
                "after attempt {attempt}: {delay:?}"
            );
        }
        assert_eq!(retries.delay(4, None), None);
        let once = RetryPolicy {
            attempts: 0,
            ..retries
        };
        assert_eq!(once.delay(1, None), None);
    }

    #[test]
    fn retry_after_is_honored_up_to_the_maximum() {
        let retries = RetryPolicy::default();
        let (near, far) = (Duration::from_secs(3), Duration::from_secs(3600));
        assert_eq!(retries.delay(1, Some(near)), Some(near));
        assert_eq!(retries.delay(1, Some(far)), None);
        assert!(retries.delay(1, Some(Duration::ZERO)).unwrap() >= retries.initial_delay / 2);
    }
}
