//! Points in time: UTC with microsecond precision, which both databases store.

use ::time::{Duration, OffsetDateTime, format_description::well_known::Rfc3339};

/// A point in time in UTC, truncated to whole microseconds so that every database stores it
/// exactly.
///
/// Covers the years that `time` supports; arithmetic saturates at the ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(OffsetDateTime);

impl Timestamp {
    /// The start of 1970, before anything that is stored.
    pub const UNIX_EPOCH: Self = Self(OffsetDateTime::UNIX_EPOCH);

    /// The given instant, truncated to microseconds.
    pub fn new(at: OffsetDateTime) -> Self {
        let at = at.to_offset(::time::UtcOffset::UTC);
        let micros = at.microsecond();
        Self(at.replace_microsecond(micros).unwrap_or(at))
    }

    /// The instant this many seconds after 1970; `None` if out of range.
    pub fn from_unix_seconds(seconds: i64) -> Option<Self> {
        OffsetDateTime::from_unix_timestamp(seconds).ok().map(Self)
    }

    /// The instant this many microseconds after 1970; `None` if out of range.
    pub fn from_unix_micros(micros: i64) -> Option<Self> {
        let nanos = i128::from(micros).checked_mul(1000)?;
        OffsetDateTime::from_unix_timestamp_nanos(nanos)
            .ok()
            .map(Self)
    }

    /// Whole seconds since 1970, rounded down.
    pub fn unix_seconds(self) -> i64 {
        self.0.unix_timestamp()
    }

    /// Microseconds since 1970; saturates at the limits of an `i64`.
    pub fn unix_micros(self) -> i64 {
        i64::try_from(self.0.unix_timestamp_nanos().div_euclid(1000)).unwrap_or(i64::MAX)
    }

    /// Milliseconds since 1970, never negative, as in a `UUIDv7`.
    pub fn unix_millis(self) -> u64 {
        u64::try_from(self.0.unix_timestamp_nanos().div_euclid(1_000_000)).unwrap_or(0)
    }

    /// This instant plus `seconds`.
    #[must_use]
    pub fn plus_seconds(self, seconds: i64) -> Self {
        self.plus(Duration::seconds(seconds))
    }

    /// This instant plus `duration`.
    #[must_use]
    pub fn plus(self, duration: Duration) -> Self {
        Self::new(self.0.saturating_add(duration))
    }

    /// This instant truncated to whole seconds, as the API shows it.
    #[must_use]
    pub fn whole_seconds(self) -> Self {
        Self(self.0.replace_nanosecond(0).unwrap_or(self.0))
    }

    /// The format of the API: RFC 3339, UTC, whole seconds, `Z`.
    pub fn rfc3339(self) -> String {
        // Fails only beyond the year 9999, which the clock does not reach.
        self.whole_seconds().0.format(&Rfc3339).unwrap_or_default()
    }

    /// The time from `earlier` to this instant; negative if `earlier` is later.
    pub fn since(self, earlier: Self) -> Duration {
        let nanos = self
            .0
            .unix_timestamp_nanos()
            .saturating_sub(earlier.0.unix_timestamp_nanos());
        Duration::nanoseconds(i64::try_from(nanos).unwrap_or(i64::MAX))
    }

    /// The value for crates that use `time`.
    pub fn as_offset_date_time(self) -> OffsetDateTime {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nanoseconds_are_truncated() {
        let at = OffsetDateTime::from_unix_timestamp_nanos(1_795_360_150_123_456_789).unwrap();
        assert_eq!(Timestamp::new(at).unix_micros(), 1_795_360_150_123_456);
        assert_eq!(
            Timestamp::new(at).whole_seconds().unix_micros(),
            1_795_360_150_000_000
        );
    }

    #[test]
    fn rfc3339_has_whole_seconds_in_utc() {
        let at = Timestamp::from_unix_micros(1_770_465_600_999_999).unwrap();
        assert_eq!(at.rfc3339(), "2026-02-07T12:00:00Z");
    }
}
