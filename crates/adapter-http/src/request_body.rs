//! A request body: one struct that is its OpenAPI schema and its reader.
//!
//! [`request_body!`] defines the struct. A field's type says whether the member is required and how
//! it is read ([`Field`]); its attributes and documentation are the schema's.

pub(crate) mod values;

use crate::{
    json::{Object, Value},
    names,
    problem::{FieldProblem, Problem},
};

/// Maximum number of unknown members that the warning names.
const MAX_NAMED_MEMBERS: usize = 10;

/// The body of a request, read from a JSON object.
pub(crate) trait RequestBody: Sized {
    /// The names of all members.
    const MEMBERS: &'static [&'static str];

    /// Reads all members; `None` if there are problems, which the reader has then collected.
    fn read_members(members: &mut MemberReader<'_>) -> Option<Self>;

    /// Reads the body, or returns the problems of all members in their order.
    fn read(object: &Object, sandbox: bool) -> Result<Self, Problem> {
        let mut members = MemberReader {
            object,
            sandbox,
            problems: Vec::new(),
        };
        let body = Self::read_members(&mut members);
        body.ok_or(Problem::InvalidFields(members.problems))
    }

    /// The text of `Oncharge-Warning` if the object has members that the body has not: a misspelled
    /// optional member would otherwise go unnoticed.
    fn unknown_members_warning(object: &Object) -> Option<String> {
        let is_unknown = |name: &&String| !Self::MEMBERS.contains(&name.as_str());
        let names = object.members().map(|(name, _)| name);
        let unknown: Vec<&String> = names.filter(is_unknown).collect();
        let listed: Vec<String> = unknown
            .iter()
            .take(MAX_NAMED_MEMBERS)
            .map(|name| names::sanitize(name))
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

/// Defines a [`RequestBody`] with its schema.
macro_rules! request_body {
    (
        $(#[$attribute:meta])*
        $visibility:vis struct $name:ident {
            $($(#[$field_attribute:meta])* $field:ident: $type:ty,)*
        }
    ) => {
        #[derive(utoipa::ToSchema)]
        $(#[$attribute])*
        $visibility struct $name {
            $($(#[$field_attribute])* $field: $type,)*
        }

        impl $crate::request_body::RequestBody for $name {
            const MEMBERS: &'static [&'static str] = &[$(stringify!($field)),*];

            fn read_members(
                members: &mut $crate::request_body::MemberReader<'_>,
            ) -> Option<Self> {
                // All members are read before the first failure returns.
                $(let $field = $crate::request_body::Field::read(members, stringify!($field));)*
                let _ = members;
                Some(Self { $($field: $field?,)* })
            }
        }
    };
}

pub(crate) use request_body;

/// Reads the members of an object one by one and collects their problems.
pub(crate) struct MemberReader<'a> {
    object: &'a Object,
    sandbox: bool,
    problems: Vec<FieldProblem>,
}

impl<'a> MemberReader<'a> {
    fn get(&self, name: &str) -> Option<&'a Value> {
        self.object.get(name)
    }

    fn parse<T: FieldValue>(&mut self, name: &'static str, value: &Value) -> Option<T> {
        match T::parse(value, self.sandbox) {
            Ok(value) => Some(value),
            Err(problem) => {
                self.problems.push(FieldProblem::new(name, problem));
                None
            }
        }
    }
}

/// A value of a member, which violates a rule or is valid.
pub(crate) trait FieldValue: Sized {
    /// Parses the value, or returns what is wrong with it. Some rules are looser in a sandbox.
    fn parse(value: &Value, sandbox: bool) -> Result<Self, String>;
}

/// A member: a [`FieldValue`] if it is required, an `Option` or [`NonEmpty`] if it is optional.
pub(crate) trait Field: Sized {
    /// Reads the member of this name; `None` if there is a problem with it.
    fn read(members: &mut MemberReader<'_>, name: &'static str) -> Option<Self>;
}

impl<T: FieldValue> Field for T {
    fn read(members: &mut MemberReader<'_>, name: &'static str) -> Option<Self> {
        if let Some(value) = members.get(name) {
            members.parse(name, value)
        } else {
            let problem = FieldProblem::new(name, "is required");
            members.problems.push(problem);
            None
        }
    }
}

/// A member that may be absent or `null`.
impl<T: FieldValue> Field for Option<T> {
    fn read(members: &mut MemberReader<'_>, name: &'static str) -> Option<Self> {
        match members.get(name) {
            None => Some(None),
            Some(value) => members.parse(name, value).map(Some),
        }
    }
}

/// An optional member whose empty string counts as absent, because shops send that.
pub(crate) struct NonEmpty<T>(pub(crate) Option<T>);

impl<T: FieldValue> Field for NonEmpty<T> {
    fn read(members: &mut MemberReader<'_>, name: &'static str) -> Option<Self> {
        match members.get(name) {
            Some(Value::String(text)) if text.is_empty() => Some(Self(None)),
            _ => Option::read(members, name).map(Self),
        }
    }
}

request_body! {
    /// An object whose members are ignored.
    pub(crate) struct Empty {}
}
