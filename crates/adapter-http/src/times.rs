//! Times in the format of the API.

use oncharge_domain::time::Timestamp;
use time::format_description::well_known::Rfc3339;

/// RFC 3339, UTC, whole seconds, `Z`.
pub(crate) fn rfc3339(at: Timestamp) -> String {
    // Fails only beyond the year 9999, which the clock does not reach.
    at.whole_seconds()
        .as_offset_date_time()
        .format(&Rfc3339)
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_seconds_in_utc() {
        let at = Timestamp::from_unix_micros(1_770_465_600_999_999).unwrap();
        assert_eq!(rfc3339(at), "2026-02-07T12:00:00Z");
    }
}
