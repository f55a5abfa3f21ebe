//! Lists: filters and pages.

use serde::Deserialize;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};
use url::form_urlencoded::Serializer;

use crate::{error::Error, status::SessionStatus, webhook::EventKind};

/// One page of a list.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub struct Page<T> {
    /// The items of this page, newest first.
    pub data: Vec<T>,
    /// The cursor of the next page; `None` on the last.
    pub next_cursor: Option<String>,
}

/// A filter for sessions; fields that are `None` do not restrict the list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SessionFilter {
    /// Items per page, 1 to 100; the service's default is 20.
    pub limit: Option<u8>,
    /// The `next_cursor` of the previous page.
    pub cursor: Option<String>,
    /// Only in this status.
    pub status: Option<SessionStatus>,
    /// Only with exactly this reference.
    pub reference: Option<String>,
    /// Only with exactly this order number.
    pub order_id: Option<String>,
    /// Only with an operation of this PSP reference: a payment, capture, cancel or refund.
    pub psp_reference: Option<String>,
    /// Only created at this time or later.
    pub created_after: Option<OffsetDateTime>,
    /// Only created before this time.
    pub created_before: Option<OffsetDateTime>,
}

impl SessionFilter {
    pub(crate) fn query(&self) -> Result<String, Error> {
        Ok(query(&[
            ("limit", self.limit.map(|limit| limit.to_string())),
            ("cursor", self.cursor.clone()),
            (
                "status",
                self.status.map(|status| status.as_str().to_owned()),
            ),
            ("reference", self.reference.clone()),
            ("order_id", self.order_id.clone()),
            ("psp_reference", self.psp_reference.clone()),
            (
                "created_after",
                self.created_after.map(rfc3339).transpose()?,
            ),
            (
                "created_before",
                self.created_before.map(rfc3339).transpose()?,
            ),
        ]))
    }
}

/// A filter for refunds; fields that are `None` do not restrict the list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RefundFilter {
    /// Items per page, 1 to 100; the service's default is 20.
    pub limit: Option<u8>,
    /// The `next_cursor` of the previous page.
    pub cursor: Option<String>,
    /// Only of this session.
    pub session_id: Option<String>,
}

impl RefundFilter {
    pub(crate) fn query(&self) -> String {
        query(&[
            ("limit", self.limit.map(|limit| limit.to_string())),
            ("cursor", self.cursor.clone()),
            ("session_id", self.session_id.clone()),
        ])
    }
}

/// A filter for events; fields that are `None` do not restrict the list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EventFilter {
    /// Items per page, 1 to 100; the service's default is 20.
    pub limit: Option<u8>,
    /// The `next_cursor` of the previous page.
    pub cursor: Option<String>,
    /// Only of this session.
    pub session_id: Option<String>,
    /// Only of this kind.
    pub kind: Option<EventKind>,
}

impl EventFilter {
    pub(crate) fn query(&self) -> String {
        query(&[
            ("limit", self.limit.map(|limit| limit.to_string())),
            ("cursor", self.cursor.clone()),
            ("session_id", self.session_id.clone()),
            ("type", self.kind.as_ref().map(ToString::to_string)),
        ])
    }
}

fn rfc3339(at: OffsetDateTime) -> Result<String, Error> {
    at.to_offset(time::UtcOffset::UTC)
        .format(&Rfc3339)
        .map_err(|_| Error::InvalidArgument("a time in a filter is outside the range of RFC 3339"))
}

fn query(pairs: &[(&str, Option<String>)]) -> String {
    let mut query = Serializer::new(String::new());
    for (name, value) in pairs {
        if let Some(value) = value {
            query.append_pair(name, value);
        }
    }
    // A literal plus is encoded as %2B above; some servers do not decode a bare one to a space.
    query.finish().replace('+', "%20")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_set_filters_are_in_the_query() {
        assert_eq!(SessionFilter::default().query().unwrap(), "");
        let filter = SessionFilter {
            limit: Some(5),
            cursor: None,
            status: Some(SessionStatus::Authorized),
            reference: Some("a b+c&d".to_owned()),
            order_id: Some("42".to_owned()),
            psp_reference: None,
            created_after: OffsetDateTime::from_unix_timestamp(1_795_360_150).ok(),
            created_before: None,
        };
        assert_eq!(
            filter.query().unwrap(),
            "limit=5&status=authorized&reference=a%20b%2Bc%26d&order_id=42&created_after=2026-11-22T15%3A09%3A10Z"
        );
    }
}
