//! Search filters of the operators' session list, read from the page's URL, so that it can be
//! shared.

use oncharge_application::operator_queries::FindSessions;
use oncharge_domain::{session::StatusName, time::Timestamp};
use time::{
    Date, OffsetDateTime, PrimitiveDateTime,
    format_description::{BorrowedFormatItem, well_known::Rfc3339},
    macros::format_description,
};
use url::form_urlencoded;

/// Sessions per page.
const LIMIT: u32 = 50;
/// Longer than any name of a session.
const MAX_LENGTH: usize = 512;

const DATE: &[BorrowedFormatItem<'_>] = format_description!("[year]-[month]-[day]");
/// The format of `datetime-local` inputs.
const LOCAL: &[BorrowedFormatItem<'_>] = format_description!(
    "[year]-[month]-[day]T[hour]:[minute][optional [:[second][optional [.[subsecond]]]]]"
);

/// The filters as entered.
#[derive(Debug, Default)]
pub(super) struct Filters {
    pub(super) q: String,
    pub(super) merchant: String,
    pub(super) status: String,
    pub(super) from: String,
    pub(super) to: String,
    cursor: Option<String>,
}

/// A field that cannot be parsed.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct BadField {
    pub(super) field: &'static str,
    /// The violated rule.
    pub(super) rule: &'static str,
}

impl Filters {
    /// Parses a query string; unknown parameters are ignored, and the last of repeated ones wins.
    pub(super) fn parse(query: &str) -> Self {
        let mut filters = Self::default();
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            // No name contains control characters, and databases reject NUL.
            let value: String = value
                .chars()
                .filter(|c| !c.is_control())
                .take(MAX_LENGTH)
                .collect();
            let value = value.trim().to_owned();
            match &*name {
                "q" => filters.q = value,
                "merchant" => filters.merchant = value,
                "status" => filters.status = value,
                "from" => filters.from = value,
                "to" => filters.to = value,
                "cursor" => filters.cursor = Some(value).filter(|text| !text.is_empty()),
                _ => {}
            }
        }
        filters
    }

    /// Whether any filter is set.
    pub(super) fn is_active(&self) -> bool {
        let fields = [&self.q, &self.merchant, &self.status, &self.from, &self.to];
        fields.iter().any(|field| !field.is_empty())
    }

    /// Whether this is a later page.
    pub(super) fn is_later_page(&self) -> bool {
        self.cursor.is_some()
    }

    /// The query for the store, or every field that cannot be parsed.
    pub(super) fn query(&self) -> Result<FindSessions, Vec<BadField>> {
        let mut bad = Vec::new();
        let mut read = |field, rule, is_bad: bool| {
            if is_bad {
                bad.push(BadField { field, rule });
            }
        };
        let merchant = optional(&self.merchant, |text| text.parse().ok());
        read(
            "merchant",
            "must be a merchant id (mer_…)",
            merchant.is_err(),
        );
        let status = optional(&self.status, |name| name.parse::<StatusName>().ok());
        read("status", "must be a session status", status.is_err());
        let from = optional(&self.from, time);
        let rule =
            "must be a date or a date and time in UTC, such as 2026-01-31 or 2026-01-31T09:00";
        read("from", rule, from.is_err());
        let to = optional(&self.to, time);
        read("to", rule, to.is_err());
        let (Ok(merchant), Ok(status), Ok(created_after), Ok(created_before)) =
            (merchant, status, from, to)
        else {
            return Err(bad);
        };
        Ok(FindSessions {
            limit: LIMIT,
            cursor: self.cursor.clone(),
            named: (!self.q.is_empty()).then(|| self.q.clone()),
            merchant,
            status,
            created_after,
            created_before,
        })
    }

    /// The URL of the same search at this page.
    pub(super) fn url(&self, cursor: Option<&str>) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        let fields = [
            ("q", &*self.q),
            ("merchant", &*self.merchant),
            ("status", &*self.status),
            ("from", &*self.from),
            ("to", &*self.to),
            ("cursor", cursor.unwrap_or_default()),
        ];
        for (name, value) in fields {
            if !value.is_empty() {
                query.append_pair(name, value);
            }
        }
        let query = query.finish();
        if query.is_empty() {
            "/ops/sessions".to_owned()
        } else {
            format!("/ops/sessions?{query}")
        }
    }
}

/// `None` for an empty field; an error for an invalid one.
fn optional<T>(text: &str, read: impl FnOnce(&str) -> Option<T>) -> Result<Option<T>, ()> {
    if text.is_empty() {
        return Ok(None);
    }
    read(text).map(Some).ok_or(())
}

/// A date, a date and time, or an RFC 3339 time; UTC unless an offset is given.
fn time(text: &str) -> Option<Timestamp> {
    if let Ok(at) = OffsetDateTime::parse(text, &Rfc3339) {
        return Some(Timestamp::new(at));
    }
    let local = PrimitiveDateTime::parse(text, LOCAL).ok();
    let local = local.or_else(|| Some(Date::parse(text, DATE).ok()?.midnight()));
    local.map(|local| Timestamp::new(local.assume_utc()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_and_times_are_parsed() {
        let seconds = |text| time(text).map(Timestamp::unix_seconds);
        for text in [
            "2026-02-07T12:00",
            "2026-02-07T12:00:00",
            "2026-02-07T12:00:00.5",
            "2026-02-07T12:00:00Z",
            "2026-02-07T13:00:00+01:00",
        ] {
            assert_eq!(seconds(text), Some(1_770_465_600), "{text}");
        }
        assert_eq!(seconds("2026-02-07"), Some(1_770_422_400));
        for text in ["yesterday", "2026-02-30", "2026-02-07 12", "7.2.2026"] {
            assert_eq!(seconds(text), None, "{text}");
        }
    }

    #[test]
    fn filters_round_trip_through_the_url() {
        let query = "q=a%26b%00&merchant=&status=captured&from=2026-02-07&other=1";
        let filters = Filters::parse(query);
        assert_eq!(
            filters.url(Some("next")),
            "/ops/sessions?q=a%26b&status=captured&from=2026-02-07&cursor=next"
        );
        assert_eq!(Filters::default().url(None), "/ops/sessions");
        let query = filters.query().unwrap();
        assert_eq!(query.named.as_deref(), Some("a&b"));
        assert_eq!(query.status, Some(StatusName::Captured));
    }

    #[test]
    fn invalid_fields_are_named() {
        let filters = Filters::parse("merchant=me&status=paid&from=x&to=y&q=any");
        let bad = filters.query().unwrap_err();
        let fields: Vec<_> = bad.iter().map(|bad| bad.field).collect();
        assert_eq!(fields, ["merchant", "status", "from", "to"]);
    }
}
