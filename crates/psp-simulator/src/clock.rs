//! The simulator's only clock: microseconds since 1970 in UTC.

use time::format_description::BorrowedFormatItem;
use time::macros::format_description;
use time::{Month, OffsetDateTime};

/// RFC 3339 with exactly six decimals, so that texts sort chronologically.
const RFC3339_MICROS: &[BorrowedFormatItem<'_>] =
    format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:6]Z");

#[expect(
    clippy::disallowed_methods,
    reason = "the simulator is a product of its own: this is its clock"
)]
fn utc() -> OffsetDateTime {
    OffsetDateTime::now_utc()
}

/// The current time in microseconds since 1970-01-01 UTC.
pub(crate) fn now() -> i64 {
    i64::try_from(utc().unix_timestamp_nanos() / 1_000).unwrap_or(i64::MAX)
}

/// The present year and month (UTC), for checking a card's expiry.
pub(crate) fn year_and_month() -> (i32, Month) {
    let today = utc().date();
    (today.year(), today.month())
}

/// Formats an instant as RFC 3339 with microseconds.
pub(crate) fn rfc3339(micros: i64) -> String {
    OffsetDateTime::from_unix_timestamp_nanos(i128::from(micros) * 1_000)
        .ok()
        .and_then(|instant| instant.format(RFC3339_MICROS).ok())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    #[test]
    fn instants_are_written_with_six_decimals() {
        assert_eq!(
            super::rfc3339(1_000_000_000_000_000),
            "2001-09-09T01:46:40.000000Z"
        );
        assert_eq!(super::rfc3339(1), "1970-01-01T00:00:00.000001Z");
    }
}
