//! Reads the fields of a request body and collects all their errors.

use std::cell::RefCell;

use oncharge_domain::{
    money::MAX_MINOR,
    text::{Reference, TextError},
};

use crate::{
    json::{Object, Value},
    names,
    problem::{FieldProblem, Problem},
};

/// A field's value, or a message saying what is wrong with it.
pub(crate) type FieldResult<T> = Result<T, String>;

/// Maximum number of unknown members that the warning names.
const MAX_NAMED_MEMBERS: usize = 10;

/// The JSON object of a request. Records which members are read, so that all others can be reported
/// to the client: a misspelled optional member would otherwise go unnoticed.
#[derive(Default)]
pub(crate) struct JsonBody {
    members: Object,
    known: RefCell<Vec<&'static str>>,
}

impl JsonBody {
    pub(crate) fn new(members: Object) -> Self {
        let known = RefCell::default();
        Self { members, known }
    }

    fn get(&self, name: &'static str) -> Option<&Value> {
        let mut known = self.known.borrow_mut();
        if !known.contains(&name) {
            known.push(name);
        }
        self.members.get(name)
    }

    /// The text of `Oncharge-Warning`, if there are members that no field read.
    pub(crate) fn warning(&self) -> Option<String> {
        let known = self.known.borrow();
        let is_unknown = |name: &&String| !known.iter().any(|known| known == name);
        let names = self.members.members().map(|(name, _)| name);
        let unknown: Vec<&String> = names.filter(is_unknown).collect();
        let listed: Vec<String> = unknown
            .iter()
            .take(MAX_NAMED_MEMBERS)
            .map(|n| names::sanitize(n))
            .collect();
        let list = listed.join(", ");
        match unknown.len().saturating_sub(MAX_NAMED_MEMBERS) {
            _ if list.is_empty() => None,
            0 => Some(format!("unknown members were ignored: {list}")),
            more => Some(format!(
                "unknown members were ignored: {list} and {more} more"
            )),
        }
    }
}

/// Reads fields one by one; errors are returned together at the end.
pub(crate) struct FieldReader<'a> {
    body: &'a JsonBody,
    problems: Vec<FieldProblem>,
}

impl<'a> FieldReader<'a> {
    pub(crate) fn of(body: &'a JsonBody) -> Self {
        Self {
            body,
            problems: Vec::new(),
        }
    }

    /// A field that must be present.
    pub(crate) fn required<T>(
        &mut self,
        name: &'static str,
        read: impl FnOnce(&Value) -> FieldResult<T>,
    ) -> Option<T> {
        if self.body.get(name).is_none() {
            self.problems.push(FieldProblem::new(name, "is required"));
        }
        self.optional(name, read)
    }

    /// A field that may be absent or `null`.
    pub(crate) fn optional<T>(
        &mut self,
        name: &'static str,
        read: impl FnOnce(&Value) -> FieldResult<T>,
    ) -> Option<T> {
        match read(self.body.get(name)?) {
            Ok(value) => Some(value),
            Err(problem) => {
                self.problems.push(FieldProblem::new(name, problem));
                None
            }
        }
    }

    /// An optional field whose empty string counts as absent, because shops send that.
    pub(crate) fn optional_non_empty<T>(
        &mut self,
        name: &'static str,
        read: impl FnOnce(&Value) -> FieldResult<T>,
    ) -> Option<T> {
        match self.body.get(name)? {
            Value::String(text) if text.is_empty() => None,
            _ => self.optional(name, read),
        }
    }

    /// The required fields together, or all errors.
    pub(crate) fn finish<T>(self, required: Option<T>) -> Result<T, Problem> {
        match required {
            Some(values) if self.problems.is_empty() => Ok(values),
            _ => Err(Problem::InvalidFields(self.problems)),
        }
    }
}

/// Any string.
pub(crate) fn text(value: &Value) -> FieldResult<&str> {
    match value {
        Value::String(text) => Ok(text),
        _ => Err("must be a string".to_owned()),
    }
}

/// `true` or `false`.
pub(crate) fn flag(value: &Value) -> FieldResult<bool> {
    match value {
        Value::Bool(value) => Ok(*value),
        _ => Err("must be true or false".to_owned()),
    }
}

/// A string that must satisfy a rule of the domain.
pub(crate) fn parse_with<T>(
    parse: fn(&str) -> Result<T, TextError>,
) -> impl Fn(&Value) -> FieldResult<T> {
    move |value| parse(text(value)?).map_err(|problem| problem.to_string())
}

/// An amount of at least one minor unit.
pub(crate) fn amount(value: &Value) -> FieldResult<i64> {
    match value {
        Value::Integer(minor) if (1..=MAX_MINOR).contains(minor) => Ok(*minor),
        _ => Err(format!(
            "must be an integer from 1 to {MAX_MINOR}, in minor units"
        )),
    }
}

/// A currency code in use.
pub(crate) fn currency(value: &Value) -> FieldResult<oncharge_domain::currency::Currency> {
    oncharge_domain::currency::Currency::parse(text(value)?).map_err(|problem| problem.to_string())
}

/// The merchant's reference.
pub(crate) fn reference(value: &Value) -> FieldResult<Reference> {
    parse_with(Reference::parse)(value)
}
