//! Formats values for operators: amounts, times, statuses and external text.

use oncharge_domain::{
    money::Money,
    operation::{CancelPurpose, CompensationMethod, OperationKind, OperationStatus, SendState},
    refund::RefundStatus,
    session::StatusName,
    text::mask_card_numbers,
    time::Timestamp,
    webhook::DeliveryState,
};
use oncharge_ports::inbox::NotificationStatus;
use time::{
    format_description::{BorrowedFormatItem, well_known::Rfc3339},
    macros::format_description,
};

const EXACT: &[BorrowedFormatItem<'_>] =
    format_description!("[year]-[month]-[day] [hour]:[minute]:[second].[subsecond digits:3] UTC");

const CLOCK: &[BorrowedFormatItem<'_>] = format_description!("[hour]:[minute] UTC");

/// A point in time, relative and exact.
pub(super) struct DisplayTime {
    /// For the `datetime` attribute.
    pub(super) rfc3339: String,
    /// With milliseconds.
    pub(super) exact: String,
    /// `5 min ago`, `in 2 h`.
    pub(super) relative: String,
}

impl DisplayTime {
    pub(super) fn new(at: Timestamp, now: Timestamp) -> Self {
        let date = at.as_offset_date_time();
        Self {
            rfc3339: date.format(&Rfc3339).unwrap_or_default(),
            exact: date.format(EXACT).unwrap_or_default(),
            relative: relative_time(at, now),
        }
    }
}

fn relative_time(at: Timestamp, now: Timestamp) -> String {
    let seconds = now.since(at).whole_seconds();
    let span = format_seconds(seconds.unsigned_abs());
    match seconds {
        0 => "now".to_owned(),
        1.. => format!("{span} ago"),
        _ => format!("in {span}"),
    }
}

/// The hour and minute of a time of today.
pub(super) fn clock_time(at: Timestamp) -> String {
    at.as_offset_date_time().format(CLOCK).unwrap_or_default()
}

/// The seconds in the largest unit that is not too coarse.
pub(super) fn format_seconds(seconds: u64) -> String {
    let (unit, name) = match seconds {
        0..120 => (1, "s"),
        120..7_200 => (60, "min"),
        7_200..172_800 => (3_600, "h"),
        _ => (86_400, "d"),
    };
    format!("{} {name}", seconds.checked_div(unit).unwrap_or_default())
}

/// The exact amount with its currency.
pub(super) fn money(amount: Money) -> String {
    format!("{} {}", amount.decimal_text(), amount.currency().code())
}

/// External text, unchanged but for masked card numbers.
pub(super) fn masked(text: &str) -> String {
    mask_card_numbers(text)
}

/// A status with the CSS class of its tone; the tone never carries information alone.
#[derive(Clone)]
pub(super) struct Pill {
    pub(super) text: String,
    pub(super) class: &'static str,
}

const PLAIN: &str = "";
const GOOD: &str = "good";
const BAD: &str = "bad";
const OPEN: &str = "open";

impl Pill {
    fn new(text: &str, class: &'static str) -> Self {
        Self {
            text: text.to_owned(),
            class,
        }
    }

    pub(super) fn good(text: &str) -> Self {
        Self::new(text, GOOD)
    }

    pub(super) fn bad(text: &str) -> Self {
        Self::new(text, BAD)
    }

    pub(super) fn open(text: &str) -> Self {
        Self::new(text, OPEN)
    }
}

impl From<StatusName> for Pill {
    fn from(name: StatusName) -> Self {
        let class = match name {
            StatusName::Authorized | StatusName::Captured => GOOD,
            StatusName::Refused | StatusName::Error => BAD,
            StatusName::Pending => OPEN,
            StatusName::Created | StatusName::Cancelled | StatusName::Expired => PLAIN,
        };
        Self::new(name.name(), class)
    }
}

impl From<OperationStatus> for Pill {
    fn from(status: OperationStatus) -> Self {
        match status {
            OperationStatus::Requested => Self::open("requested"),
            OperationStatus::Succeeded => Self::good("succeeded"),
            OperationStatus::Failed => Self::bad("failed"),
        }
    }
}

impl From<&RefundStatus> for Pill {
    fn from(status: &RefundStatus) -> Self {
        let class = match status {
            RefundStatus::Requested => OPEN,
            RefundStatus::Succeeded => GOOD,
            RefundStatus::Failed(_) => BAD,
        };
        Self::new(status.name(), class)
    }
}

impl From<DeliveryState> for Pill {
    fn from(state: DeliveryState) -> Self {
        let class = match state {
            DeliveryState::Pending => OPEN,
            DeliveryState::Delivered => GOOD,
            DeliveryState::Dead => BAD,
        };
        Self::new(state.name(), class)
    }
}

impl From<NotificationStatus> for Pill {
    fn from(status: NotificationStatus) -> Self {
        let class = match status {
            NotificationStatus::Waiting => OPEN,
            NotificationStatus::Handled => GOOD,
            NotificationStatus::Mismatched
            | NotificationStatus::Unmatched
            | NotificationStatus::Malformed
            | NotificationStatus::Unverified => BAD,
            NotificationStatus::Irrelevant | NotificationStatus::Dismissed => PLAIN,
        };
        Self::new(status.name(), class)
    }
}

/// An operation's kind with its parameters.
pub(super) fn operation_kind(kind: &OperationKind) -> String {
    match kind {
        OperationKind::Authorize { capture: true, .. } => "authorize, with capture".to_owned(),
        OperationKind::Authorize { capture: false, .. } => "authorize".to_owned(),
        OperationKind::Capture { automatic: true } => "capture, automatic".to_owned(),
        OperationKind::Capture { automatic: false } => "capture".to_owned(),
        OperationKind::Cancel(CancelPurpose::Merchant) => "cancel".to_owned(),
        OperationKind::Cancel(CancelPurpose::Abandon) => "cancel, challenge abandoned".to_owned(),
        OperationKind::Cancel(CancelPurpose::Expiry) => "cancel, session expired".to_owned(),
        OperationKind::Refund(_) => "refund".to_owned(),
        OperationKind::Compensation { by, round, .. } => {
            let by = match by {
                CompensationMethod::Void => "void",
                CompensationMethod::Refund => "refund",
            };
            format!("compensation by {by}, round {}", round.saturating_add(1))
        }
    }
}

/// The send state of an operation.
pub(super) fn sending(sending: SendState) -> &'static str {
    match sending {
        SendState::Intended => "intended",
        SendState::NotSent => "not sent",
        SendState::Unknown => "sent, outcome unknown",
        SendState::Mismatched => "sent; the response names another reference or amount",
        SendState::Accepted => "accepted",
    }
}

#[cfg(test)]
mod tests {
    use oncharge_domain::currency::Currency;

    use super::*;

    #[test]
    fn times_are_relative_and_exact() {
        let now = Timestamp::from_unix_micros(1_770_465_600_123_456).unwrap();
        let shown = |seconds| DisplayTime::new(now.plus_seconds(seconds), now).relative;
        let cases = [
            (0, "now"),
            (-5, "5 s ago"),
            (-119, "119 s ago"),
            (-120, "2 min ago"),
            (-7_200, "2 h ago"),
            (-172_800, "2 d ago"),
            (90, "in 90 s"),
            (3_600, "in 60 min"),
        ];
        for (seconds, wanted) in cases {
            assert_eq!(shown(seconds), wanted, "{seconds}");
        }
        let when = DisplayTime::new(now, now);
        assert_eq!(when.exact, "2026-02-07 12:00:00.123 UTC");
        assert_eq!(when.rfc3339, "2026-02-07T12:00:00.123456Z");
    }

    #[test]
    fn amounts_use_the_decimals_of_their_currency() {
        let amount =
            |minor, code| money(Money::new(minor, Currency::parse(code).unwrap()).unwrap());
        assert_eq!(amount(9999, "EUR"), "99.99 EUR");
        assert_eq!(amount(9999, "JPY"), "9999 JPY");
        assert_eq!(amount(12_345, "KWD"), "12.345 KWD");
    }
}
