//! Query parameters: one struct that is their OpenAPI description and their reader.
//!
//! [`query_parameters!`] defines the struct; an error names the first parameter that violates its
//! rule.

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
const DEFAULT_LIMIT: u32 = 20;
/// Maximum number of items per page.
const MAX_LIMIT: u32 = 100;

/// The query parameters of an endpoint.
pub(crate) trait QueryParameters: Sized {
    /// Reads a query string.
    fn read(query: &str) -> Result<Self, Problem>;
}

/// Defines [`QueryParameters`] with their description.
macro_rules! query_parameters {
    (
        $(#[$attribute:meta])*
        $visibility:vis struct $name:ident {
            $($(#[$field_attribute:meta])* $field:ident: $type:ty,)*
        }
    ) => {
        #[derive(utoipa::IntoParams)]
        #[into_params(parameter_in = Query)]
        $(#[$attribute])*
        $visibility struct $name {
            $($(#[$field_attribute])* $field: $type,)*
        }

        impl $crate::query::QueryParameters for $name {
            fn read(query: &str) -> Result<Self, $crate::problem::Problem> {
                use $crate::query::{Parameter, Query, parameter_name};
                let names = [$(parameter_name(stringify!($field))),*];
                let query = Query::parse(query, &names)?;
                Ok(Self {
                    $($field: Parameter::read(&query, parameter_name(stringify!($field)))?,)*
                })
            }
        }
    };
}

pub(crate) use query_parameters;

/// The name of a field's parameter: `type` for `r#type`.
pub(crate) fn parameter_name(field: &'static str) -> &'static str {
    field.strip_prefix("r#").unwrap_or(field)
}

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

    fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(AsRef::as_ref)
    }
}

/// A query parameter.
pub(crate) trait Parameter: Sized {
    /// Reads the parameter of this name.
    fn read(query: &Query<'_>, name: &'static str) -> Result<Self, Problem>;
}

/// A parameter that may be absent.
impl<T: ParameterValue> Parameter for Option<T> {
    fn read(query: &Query<'_>, name: &'static str) -> Result<Self, Problem> {
        query
            .text(name)
            .map(|text| T::parse(text).map_err(|rule| bad(name, rule)))
            .transpose()
    }
}

/// The maximum number of items on a page, or its default.
pub(crate) struct PageLimit(pub(crate) u32);

impl Parameter for PageLimit {
    fn read(query: &Query<'_>, name: &'static str) -> Result<Self, Problem> {
        Option::read(query, name).map(|limit| limit.unwrap_or(Self(DEFAULT_LIMIT)))
    }
}

/// A value of a parameter.
pub(crate) trait ParameterValue: Sized {
    /// Parses the text, or returns what is wrong with it.
    fn parse(text: &str) -> Result<Self, Cow<'static, str>>;
}

impl ParameterValue for PageLimit {
    fn parse(text: &str) -> Result<Self, Cow<'static, str>> {
        let has_only_digits = text.bytes().all(|b| b.is_ascii_digit());
        match text.parse() {
            Ok(limit) if has_only_digits && (1..=MAX_LIMIT).contains(&limit) => Ok(Self(limit)),
            _ => Err(format!("must be an integer from 1 to {MAX_LIMIT}").into()),
        }
    }
}

/// Any text.
impl ParameterValue for String {
    fn parse(text: &str) -> Result<Self, Cow<'static, str>> {
        Ok(text.to_owned())
    }
}

/// A point in time in RFC 3339.
impl ParameterValue for Timestamp {
    fn parse(text: &str) -> Result<Self, Cow<'static, str>> {
        let rule = "must be an RFC 3339 time, such as 2026-02-07T12:00:00Z; in a query, encode the + of \
             an offset as %2B";
        let time = OffsetDateTime::parse(text, &Rfc3339).map_err(|_| rule)?;
        Ok(Self::new(time))
    }
}

impl ParameterValue for StatusName {
    fn parse(text: &str) -> Result<Self, Cow<'static, str>> {
        let names = || Self::ALL.iter().map(|status| status.name());
        text.parse().map_err(|_| one_of(names()).into())
    }
}

impl ParameterValue for EventKind {
    fn parse(text: &str) -> Result<Self, Cow<'static, str>> {
        let names = || Self::ALL.iter().map(|kind| kind.name());
        text.parse().map_err(|_| one_of(names()).into())
    }
}

impl ParameterValue for Reference {
    fn parse(text: &str) -> Result<Self, Cow<'static, str>> {
        Self::parse(text).map_err(|_| TEXT.into())
    }
}

impl ParameterValue for OrderId {
    fn parse(text: &str) -> Result<Self, Cow<'static, str>> {
        Self::parse(text).map_err(|_| TEXT.into())
    }
}

impl ParameterValue for PspReference {
    fn parse(text: &str) -> Result<Self, Cow<'static, str>> {
        Self::parse(text).map_err(|_| "must be 1 to 255 visible ASCII characters".into())
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

    query_parameters! {
        struct Filter {
            #[param(value_type = Option<u32>)]
            limit: PageLimit,
            #[param(value_type = Option<String>)]
            status: Option<StatusName>,
            #[param(value_type = Option<String>)]
            reference: Option<Reference>,
            #[param(value_type = Option<String>)]
            created_after: Option<Timestamp>,
        }
    }

    #[test]
    fn parameters_are_validated() {
        let limit = |query| Filter::read(query).ok().map(|filter| filter.limit.0);
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
            "status=paid",
            "status=",
            "status=Captured",
            "created_after=2026-02-07",
            "created_after=0",
            "created_after=",
            "reference=%ff",
        ] {
            assert_eq!(limit(bad), None, "{bad}");
        }
        let filter = Filter::read(
            "status=captured&reference=a%20b%2B&created_after=2026-02-07T13:00:00%2B01:00",
        )
        .unwrap();
        assert_eq!(filter.status, Some(StatusName::Captured));
        assert_eq!(filter.reference.unwrap().as_str(), "a b+");
        let time = filter.created_after.unwrap();
        assert_eq!(time.unix_seconds(), 1_770_465_600);
    }
}
