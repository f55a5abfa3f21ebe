//! The OpenAPI document, with access by member names.

use serde_json::Value;

use crate::openapi;

pub(super) struct Document(Value);

impl Document {
    /// Parses the document that `/openapi.json` serves.
    pub(super) fn read() -> Self {
        Self(serde_json::from_str(&openapi::document()).unwrap_or_default())
    }

    /// The value at this JSON pointer.
    pub(super) fn at(&self, pointer: &str) -> &Value {
        self.0.pointer(pointer).unwrap_or(&Value::Null)
    }

    /// Follows a reference to the schema itself.
    pub(super) fn resolve<'a>(&'a self, schema: &'a Value) -> &'a Value {
        let mut schema = schema;
        while let Some(reference) = schema.get("$ref").and_then(Value::as_str) {
            schema = self.at(reference.trim_start_matches('#'));
        }
        schema
    }
}

/// A string member, or the empty string.
pub(super) fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value.get(name).and_then(Value::as_str).unwrap_or_default()
}

/// The elements of an array member.
pub(super) fn list<'a>(value: &'a Value, name: &str) -> impl Iterator<Item = &'a Value> {
    value
        .get(name)
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
}

/// The members of an object member, in alphabetical order.
pub(super) fn members<'a>(
    value: &'a Value,
    name: &str,
) -> impl Iterator<Item = (&'a String, &'a Value)> {
    value
        .get(name)
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
}
