//! Points in time, for storage and display.

use serde::{Deserialize, Serialize};
use time::{
    OffsetDateTime,
    format_description::{BorrowedFormatItem, well_known::Rfc3339},
    macros::format_description,
};

const TIME_OF_DAY: &[BorrowedFormatItem<'_>] = format_description!("[hour]:[minute]:[second] UTC");
const DAY_AND_TIME: &[BorrowedFormatItem<'_>] =
    format_description!("[year]-[month]-[day] [hour]:[minute] UTC");

/// A point in time, in UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Moment(#[serde(with = "time::serde::rfc3339")] OffsetDateTime);

impl Moment {
    /// The current time, in whole seconds.
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place where the shop reads the clock"
    )]
    pub(crate) fn now() -> Self {
        Self(OffsetDateTime::now_utc().truncate_to_second())
    }

    /// Seconds since 1970-01-01 UTC.
    pub(crate) fn unix_seconds(self) -> i64 {
        self.0.unix_timestamp()
    }

    /// For the `datetime` attribute of `<time>`.
    pub(crate) fn rfc3339(self) -> String {
        self.0.format(&Rfc3339).unwrap_or_default()
    }

    /// For display on a page about a single day.
    pub(crate) fn time_of_day(self) -> String {
        self.0.format(TIME_OF_DAY).unwrap_or_default()
    }

    /// For display where the date matters.
    pub(crate) fn day_and_time(self) -> String {
        self.0.format(DAY_AND_TIME).unwrap_or_default()
    }
}

impl From<OffsetDateTime> for Moment {
    fn from(at: OffsetDateTime) -> Self {
        Self(at.to_offset(time::UtcOffset::UTC))
    }
}
