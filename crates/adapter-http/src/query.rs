//! Reads query parameters; the error names the first one that violates its rule.

use std::{borrow::Cow, collections::BTreeMap};

use oncharge_domain::{
    psp::PspReference,
    session::{EventKind, StatusName},
    text::{OrderId, Reference},
    time::Timestamp,
};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};
use url::form_urlencoded;

use crate::{
    names,
    problem::{FieldProblem, Problem},
};

/// Default number of items per page.
pub(crate) const DEFAULT_LIMIT: u32 = 20;
/// Maximum number of items per page.
pub(crate) const MAX_LIMIT: u32 = 100;

/// The parameters of a query, all known to the endpoint and each at most once: a misspelled filter
/// must not return unrelated data.
#[derive(Debug)]
pub(crate) struct Query<'a>(BTreeMap<Cow<'a, str>, Cow<'a, str>>);

impl<'a> Query<'a> {
    /// Parses a query string in which only these names are allowed.
    pub(crate) fn parse(query: &'a str, names: &[&'static str]) -> Result<Self, Problem> {
        let mut found = BTreeMap::new();
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            let Some(known) = names.iter().find(|known| **known == name) else {
                return Err(unknown(&name, names));
            };
            // Bytes that are not UTF-8 decode to the replacement character.
            if value.contains('\u{fffd}') {
                return Err(bad(known, "must be UTF-8"));
            }
            if found.insert(name, value).is_some() {
                return Err(bad(known, "must not be repeated"));
            }
        }
        Ok(Self(found))
    }

    /// Refuses every parameter: for endpoints that take none.
    pub(crate) fn expect_empty(query: &'a str) -> Result<(), Problem> {
        Self::parse(query, &[]).map(drop)
    }

    /// The decoded value of a parameter.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(AsRef::as_ref)
    }

    fn read<T>(
        &self,
        name: &'static str,
        rule: impl Into<Cow<'static, str>>,
        read: impl FnOnce(&str) -> Option<T>,
    ) -> Result<Option<T>, Problem> {
        self.text(name)
            .map(|text| read(text).ok_or_else(|| bad(name, rule)))
            .transpose()
    }

    /// `limit`, or its default.
    pub(crate) fn limit(&self) -> Result<u32, Problem> {
        let read = |text: &str| {
            let digits = text.bytes().all(|b| b.is_ascii_digit());
            text.parse()
                .ok()
                .filter(|limit| digits && (1..=MAX_LIMIT).contains(limit))
        };
        let limit = self.read("limit", "must be an integer from 1 to 100", read)?;
        Ok(limit.unwrap_or(DEFAULT_LIMIT))
    }

    /// `status`.
    pub(crate) fn status(&self) -> Result<Option<StatusName>, Problem> {
        let names = StatusName::ALL.iter().map(|status| status.name());
        self.read("status", one_of(names), |name| name.parse().ok())
    }

    /// `type`, of an event.
    pub(crate) fn event_kind(&self) -> Result<Option<EventKind>, Problem> {
        let names = EventKind::ALL.iter().map(|kind| kind.name());
        self.read("type", one_of(names), |name| name.parse().ok())
    }

    /// `reference`.
    pub(crate) fn reference(&self) -> Result<Option<Reference>, Problem> {
        self.read("reference", TEXT, |text| Reference::parse(text).ok())
    }

    /// `order_id`.
    pub(crate) fn order_id(&self) -> Result<Option<OrderId>, Problem> {
        self.read("order_id", TEXT, |text| OrderId::parse(text).ok())
    }

    /// `psp_reference`.
    pub(crate) fn psp_reference(&self) -> Result<Option<PspReference>, Problem> {
        let rule = "must be 1 to 255 visible ASCII characters";
        self.read("psp_reference", rule, |text| PspReference::parse(text).ok())
    }

    /// A point in time in RFC 3339.
    pub(crate) fn time(&self, name: &'static str) -> Result<Option<Timestamp>, Problem> {
        let rule = "must be an RFC 3339 time, such as 2026-02-07T12:00:00Z; in a query, encode the + of \
             an offset as %2B";
        self.read(name, rule, |text| {
            OffsetDateTime::parse(text, &Rfc3339)
                .ok()
                .map(Timestamp::new)
        })
    }
}

/// The rule for references.
const TEXT: &str = "must be 1 to 255 characters, not only spaces, without control characters";

fn one_of(names: impl Iterator<Item = &'static str>) -> String {
    format!("must be one of {}", names.collect::<Vec<_>>().join(", "))
}

fn bad(name: &'static str, problem: impl Into<Cow<'static, str>>) -> Problem {
    Problem::InvalidParameter(FieldProblem::new(name, problem))
}

fn unknown(name: &str, allowed: &[&str]) -> Problem {
    let rule = if allowed.is_empty() {
        "is unknown: this endpoint accepts no query parameters".to_owned()
    } else {
        let allowed = allowed.join(", ");
        format!("is unknown: this endpoint accepts the query parameters {allowed}")
    };
    Problem::InvalidParameter(FieldProblem::new(names::sanitize(name), rule))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAMES: [&str; 4] = ["limit", "status", "reference", "created_after"];

    #[test]
    fn parameters_are_validated() {
        let limit = |query| {
            Query::parse(query, &NAMES)
                .and_then(|query| query.limit())
                .ok()
        };
        assert_eq!(limit(""), Some(20));
        assert_eq!(limit("limit=1"), Some(1));
        assert_eq!(limit("limit=100"), Some(100));
        for bad in [
            "limit=0",
            "limit=101",
            "limit=",
            "limit=+1",
            "limit=1.0",
            "limit=1&limit=1",
            "limit=1&unknown=1",
            "Limit=1",
        ] {
            assert_eq!(limit(bad), None, "{bad}");
        }
        let query = Query::parse(
            "status=captured&reference=a%20b%2B&created_after=2026-02-07T13:00:00%2B01:00",
            &NAMES,
        )
        .unwrap();
        assert_eq!(query.status().unwrap(), Some(StatusName::Captured));
        assert_eq!(query.reference().unwrap().unwrap().as_str(), "a b+");
        let time = query.time("created_after").unwrap().unwrap();
        assert_eq!(time.unix_seconds(), 1_770_465_600);
        for bad in ["status=paid", "status=", "status=Captured"] {
            assert!(
                Query::parse(bad, &NAMES).unwrap().status().is_err(),
                "{bad}"
            );
        }
        for bad in [
            "created_after=2026-02-07",
            "created_after=0",
            "created_after=",
        ] {
            assert!(
                Query::parse(bad, &NAMES)
                    .unwrap()
                    .time("created_after")
                    .is_err(),
                "{bad}"
            );
        }
        assert!(Query::parse("reference=%ff", &NAMES).is_err());
    }
}
