//! Reads a JSON body member by member and reports all its errors at once.
//!
//! Values are never echoed: a body may contain a card number.

use actix_web::HttpRequest;
use actix_web::http::header::CONTENT_TYPE;
use serde_json::{Map, Value};
use url::Url;

use crate::problem::{FieldProblem, Problem};

/// The members of a JSON object that have not been read yet, and the errors of the others.
///
/// The readers below return a placeholder for an invalid member; it is never used, because
/// [`Body::finish`] then refuses the call.
pub(crate) struct Body {
    members: Map<String, Value>,
    problems: Vec<FieldProblem>,
}

/// Returns 415 unless the body is declared as `application/json`. A page of another origin cannot
/// send that without a preflight, which the simulator never answers.
pub(crate) fn require_json(request: &HttpRequest) -> Result<(), Problem> {
    let declared = request
        .headers()
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.split(';').next())
        .is_some_and(|essence| essence.trim().eq_ignore_ascii_case("application/json"));
    if declared {
        Ok(())
    } else {
        Err(Problem::UnsupportedMediaType)
    }
}

impl Body {
    /// Parses a JSON object.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, Problem> {
        match serde_json::from_slice(bytes) {
            Ok(Value::Object(members)) => Ok(Self {
                members,
                problems: Vec::new(),
            }),
            _ => Err(Problem::Malformed("the body must be a JSON object")),
        }
    }

    /// Adds an error for a member.
    pub(crate) fn add_problem(&mut self, field: &str, problem: &str) {
        self.problems.push(FieldProblem {
            field: field.to_owned(),
            problem: problem.to_owned(),
        });
    }

    /// Takes the raw value of a member; `null` counts as absent.
    pub(crate) fn take(&mut self, field: &str) -> Option<Value> {
        self.members.remove(field).filter(|value| !value.is_null())
    }

    /// A text of 1 to `max_length` characters.
    pub(crate) fn text(&mut self, field: &str, max_length: usize) -> String {
        match self.take(field) {
            Some(Value::String(text)) if !text.is_empty() && text.chars().count() <= max_length => {
                text
            }
            Some(_) => {
                self.add_problem(field, "must be a text that is neither empty nor too long");
                String::new()
            }
            None => {
                self.add_problem(field, "is required");
                String::new()
            }
        }
    }

    /// An amount in minor units, at least 1.
    pub(crate) fn amount(&mut self, field: &str) -> i64 {
        match self.take(field).map(|value| value.as_i64()) {
            Some(Some(amount)) if amount > 0 => amount,
            Some(_) => {
                self.add_problem(
                    field,
                    "must be an integer number of minor units, at least 1",
                );
                1
            }
            None => {
                self.add_problem(field, "is required");
                1
            }
        }
    }

    /// A currency code of three capital letters (ISO 4217).
    pub(crate) fn currency(&mut self, field: &str) -> String {
        let code = self.text(field, 3);
        if !code.is_empty() && (code.len() != 3 || !code.bytes().all(|b| b.is_ascii_uppercase())) {
            self.add_problem(field, "must be three upper-case letters");
        }
        code
    }

    /// A boolean; false if absent.
    pub(crate) fn flag(&mut self, field: &str) -> bool {
        match self.take(field) {
            Some(Value::Bool(flag)) => flag,
            Some(_) => {
                self.add_problem(field, "must be true or false");
                false
            }
            None => false,
        }
    }

    /// An optional `http` or `https` URL of at most 2,048 characters.
    pub(crate) fn optional_url(&mut self, field: &str) -> Option<String> {
        let value = self.take(field)?;
        let text = value
            .as_str()
            .filter(|text| text.len() <= 2_048 && is_web_url(text));
        if text.is_none() {
            self.add_problem(field, "must be an http or https URL");
        }
        text.map(str::to_owned)
    }

    /// Refuses remaining members as unknown, and reports all errors.
    pub(crate) fn finish(mut self) -> Result<(), Problem> {
        let unknown: Vec<String> = self.members.keys().cloned().collect();
        for field in unknown {
            self.add_problem(&field, "is unknown");
        }
        if self.problems.is_empty() {
            Ok(())
        } else {
            Err(Problem::Invalid(self.problems))
        }
    }
}

fn is_web_url(text: &str) -> bool {
    Url::parse(text)
        .is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.host().is_some())
}
