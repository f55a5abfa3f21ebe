//! The retry policy of calls.

use std::time::Duration;

use ring::rand::{SecureRandom as _, SystemRandom};

/// How to retry a call that got no response, or one that allows a retry: a lost connection, a
/// timeout, 5xx, 408, 429 and 409 `idempotency_conflict`.
///
/// Delays double from `initial_delay`, with random jitter, so that clients do not retry in
/// lockstep. `Retry-After` is honored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetryPolicy {
    /// Maximum number of attempts; 1 disables retries, 0 counts as 1.
    pub attempts: u32,
    /// The delay before the second attempt.
    pub initial_delay: Duration,
    /// The maximum delay. A longer `Retry-After` ends the call with that response.
    pub max_delay: Duration,
}

impl Default for RetryPolicy {
    /// Five attempts within about six seconds, unless the service asks for longer delays.
    fn default() -> Self {
        Self {
            attempts: 5,
            initial_delay: Duration::from_millis(250),
            max_delay: Duration::from_secs(10),
        }
    }
}

impl RetryPolicy {
    /// The delay after the `attempt`-th attempt, counted from 1; `None` if it was the last, or if
    /// `Retry-After` exceeds `max_delay`.
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

/// A random number from 0 to 1. Without randomness there is no jitter.
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
