//! Retry backoff: doubling delays with a cap, as pure arithmetic.

use time::Duration;

/// The maximum delay while the work is younger than an hour, in seconds.
const EARLY_CAP: i64 = 30;
/// The maximum delay, in seconds.
const LATE_CAP: i64 = 900;
const HOUR: Duration = Duration::HOUR;

/// The delay before the next try: 1 s, doubled with each try, at most 30 s while the work is
/// younger than an hour and 15 min after that; then reduced by up to a quarter according to
/// `jitter` (0 to 255), so that many workers do not wake at the same time.
pub fn backoff_delay(tries: u32, age: Duration, jitter: u8) -> Duration {
    let cap = if age < HOUR { EARLY_CAP } else { LATE_CAP };
    let seconds = 1_i64.checked_shl(tries.min(20)).unwrap_or(cap).min(cap);
    let millis = seconds.saturating_mul(1000);
    let off = millis
        .saturating_mul(i64::from(jitter))
        .checked_div(1024)
        .unwrap_or(0);
    Duration::milliseconds(millis.saturating_sub(off))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doubles_to_the_cap_and_jitter_only_shortens() {
        let waits: Vec<_> = (0..8)
            .map(|n| backoff_delay(n, Duration::ZERO, 0).whole_seconds())
            .collect();
        assert_eq!(waits, [1, 2, 4, 8, 16, 30, 30, 30]);
        assert_eq!(backoff_delay(12, HOUR, 0).whole_seconds(), 900);
        assert_eq!(backoff_delay(u32::MAX, HOUR, 0).whole_seconds(), 900);
        let jittered = backoff_delay(3, Duration::ZERO, 255);
        assert!(jittered < Duration::seconds(8) && jittered > Duration::seconds(5));
    }
}
