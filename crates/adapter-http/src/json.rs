//! Strict JSON: one object, no duplicate keys at any level, at most 32 levels, no trailing data.

use std::{
    cell::{Cell, RefCell},
    collections::{BTreeMap, btree_map::Entry},
    fmt,
};

use serde::de::{self, DeserializeSeed, MapAccess, SeqAccess, Visitor};

use crate::problem::FieldProblem;

/// Maximum nesting of objects and arrays, including the outermost object.
const MAX_DEPTH: u8 = 32;

/// A JSON value, as detailed as any field needs it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Value {
    /// `null`, which counts as absent.
    Null,
    Bool(bool),
    /// An integer within `i64`.
    Integer(i64),
    /// Any other number: with a fraction, an exponent, or outside `i64`.
    OtherNumber,
    String(String),
    /// An array; no field is one, so its elements are validated and dropped.
    Array,
    Object(Object),
}

/// The members of an object, by name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Object(BTreeMap<String, Value>);

impl Object {
    /// The member, unless it is absent or `null`.
    pub(crate) fn get(&self, name: &str) -> Option<&Value> {
        self.0.get(name).filter(|value| **value != Value::Null)
    }

    /// All members that are not `null`.
    pub(crate) fn members(&self) -> impl Iterator<Item = (&String, &Value)> {
        self.0.iter().filter(|(_, value)| **value != Value::Null)
    }
}

/// The bytes are not an acceptable JSON object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidJson {
    problem: &'static str,
    line: usize,
    column: usize,
    member: Option<String>,
}

impl fmt::Display for InvalidJson {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            problem,
            line,
            column,
            ..
        } = self;
        write!(f, "The body {problem}")?;
        if *line > 0 {
            write!(f, " (line {line}, column {column})")
        } else {
            Ok(())
        }
    }
}

impl InvalidJson {
    fn of(problem: &'static str) -> Self {
        Self {
            problem,
            line: 0,
            column: 0,
            member: None,
        }
    }

    /// The member of the outermost object that contains the problem, if known.
    pub(crate) fn field(&self) -> Option<FieldProblem> {
        let member = self.member.clone()?;
        Some(FieldProblem::new(
            member,
            format!("the body {} here", self.problem),
        ))
    }
}

/// Parses the bytes as a single object.
pub(crate) fn parse(bytes: &[u8]) -> Result<Object, InvalidJson> {
    if bytes.is_empty() {
        return Err(InvalidJson::of("must be a JSON object"));
    }
    if std::str::from_utf8(bytes).is_err() {
        return Err(InvalidJson::of("is not UTF-8"));
    }
    let state = ParseState::default();
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let value = ValueSeed {
        depth: 0,
        state: &state,
    }
    .deserialize(&mut deserializer)
    .map_err(|error| state.bad(&error))?;
    if deserializer.end().is_err() {
        return Err(InvalidJson::of("must end after the JSON object"));
    }
    match value {
        Value::Object(object) => Ok(object),
        _ => Err(InvalidJson::of("must be a JSON object")),
    }
}

/// State of the parser.
#[derive(Default)]
struct ParseState {
    /// The member of the outermost object that is being read, if its name may be shown.
    member: RefCell<Option<String>>,
    /// The violated rule that JSON itself does not have.
    broken_rule: Cell<Option<&'static str>>,
}

impl ParseState {
    fn bad(&self, error: &serde_json::Error) -> InvalidJson {
        let syntax_error = if error.is_eof() {
            "ends before the JSON object is complete"
        } else {
            "is not valid JSON"
        };
        InvalidJson {
            problem: self.broken_rule.get().unwrap_or(syntax_error),
            line: error.line(),
            column: error.column(),
            member: self.member.borrow_mut().take(),
        }
    }

    fn rule_error<E: de::Error>(&self, rule: &'static str) -> E {
        self.broken_rule.set(Some(rule));
        E::custom(rule)
    }

    /// A name is shown only if it looks like an API field: any other could contain anything.
    fn enter(&self, name: &str) {
        let plain = (1..=40).contains(&name.len())
            && name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
        *self.member.borrow_mut() = plain.then(|| name.to_owned());
    }

    fn leave(&self) {
        *self.member.borrow_mut() = None;
    }
}

/// Deserializes a value at this depth.
#[derive(Clone, Copy)]
struct ValueSeed<'a> {
    depth: u8,
    state: &'a ParseState,
}

impl ValueSeed<'_> {
    fn nested<E: de::Error>(self) -> Result<Self, E> {
        if self.depth < MAX_DEPTH {
            Ok(Self {
                depth: self.depth + 1,
                ..self
            })
        } else {
            Err(self
                .state
                .rule_error("must be nested at most 32 levels deep"))
        }
    }
}

impl<'de> DeserializeSeed<'de> for ValueSeed<'_> {
    type Value = Value;

    fn deserialize<D: de::Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for ValueSeed<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Value, E> {
        Ok(Value::Integer(number))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Value, E> {
        Ok(i64::try_from(number).map_or(Value::OtherNumber, Value::Integer))
    }

    fn visit_f64<E>(self, _: f64) -> Result<Value, E> {
        Ok(Value::OtherNumber)
    }

    fn visit_str<E>(self, text: &str) -> Result<Value, E> {
        Ok(Value::String(text.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let inner = self.nested()?;
        while members.next_element_seed(inner)?.is_some() {}
        Ok(Value::Array)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let inner = self.nested()?;
        let mut object = Object::default();
        while let Some(name) = members.next_key::<String>()? {
            if inner.depth == 1 {
                self.state.enter(&name);
            }
            match object.0.entry(name) {
                Entry::Occupied(_) => return Err(self.state.rule_error("has a duplicate key")),
                Entry::Vacant(slot) => {
                    slot.insert(members.next_value_seed(inner)?);
                }
            }
            if inner.depth == 1 {
                self.state.leave();
            }
        }
        Ok(Value::Object(object))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn refused(text: &[u8]) -> String {
        let shown = String::from_utf8_lossy(text)
            .chars()
            .take(60)
            .collect::<String>();
        match parse(text) {
            Ok(object) => panic!("{shown} was parsed as {object:?}"),
            Err(bad) => bad.to_string(),
        }
    }

    #[test]
    fn numbers_are_integers_or_other() {
        let cases = [
            ("0", Value::Integer(0)),
            ("-1", Value::Integer(-1)),
            ("9223372036854775807", Value::Integer(i64::MAX)),
            ("9223372036854775808", Value::OtherNumber),
            ("18446744073709551616", Value::OtherNumber),
            ("1.0", Value::OtherNumber),
            ("1e3", Value::OtherNumber),
            ("-0.0", Value::OtherNumber),
            ("true", Value::Bool(true)),
            ("false", Value::Bool(false)),
            ("\"1\"", Value::String("1".to_owned())),
            ("[1, {\"a\": []}]", Value::Array),
        ];
        for (text, expected) in cases {
            let object = parse(format!("{{\"amount\":{text}}}").as_bytes()).unwrap();
            assert_eq!(object.get("amount"), Some(&expected), "{text}");
        }
        assert_eq!(
            parse(b"{\"a\":null}").unwrap().get("a"),
            None,
            "null is absent"
        );
    }

    #[test]
    fn non_objects_are_refused() {
        for text in ["", " ", "[]", "1", "\"x\"", "null", "true"] {
            refused(text.as_bytes());
        }
        for text in [
            "{",
            "{\"a\"",
            "{\"a\":",
            "{\"a\":\"x",
            "{\"a\":1,",
            "{'a':1}",
            "{\"a\":01}",
        ] {
            refused(text.as_bytes());
        }
        for text in ["{} {}", "{}x", "{}\0", "{}]"] {
            assert_eq!(
                refused(text.as_bytes()),
                "The body must end after the JSON object"
            );
        }
        assert_eq!(refused(b"{\"a\":\"\xff\"}"), "The body is not UTF-8");
        refused(b"{\"a\":\"\\ud800\"}");
        refused(b"{\"a\":\"\x01\"}");
    }

    #[test]
    fn duplicate_keys_are_refused() {
        for text in [
            r#"{"a":1,"a":1}"#,
            r#"{"a":null,"a":1}"#,
            r#"{"a":{"b":1,"b":2}}"#,
            r#"{"a":[{"b":1,"b":2}]}"#,
            r#"{"a":1,"\u0061":2}"#,
        ] {
            assert!(
                refused(text.as_bytes()).starts_with("The body has a duplicate key"),
                "{text}"
            );
        }
    }

    #[test]
    fn nesting_is_bounded() {
        let nested = |levels: usize| {
            format!(
                "{{\"a\":{}{}}}",
                "[".repeat(levels - 1),
                "]".repeat(levels - 1)
            )
        };
        assert!(parse(nested(32).as_bytes()).is_ok());
        assert!(refused(nested(33).as_bytes()).contains("at most 32 levels"));
        assert!(refused("[".repeat(60_000).as_bytes()).contains("at most 32 levels"));
    }

    #[test]
    fn errors_name_the_member_not_the_value() {
        let bad = parse(br#"{"reference":"x","amount":1e999}"#).unwrap_err();
        assert_eq!(bad.field().unwrap().field, "amount");
        let secret = parse(br#"{"4242424242424242":1,"4242424242424242":1}"#).unwrap_err();
        assert_eq!(secret.field(), None);
        assert!(!secret.to_string().contains("4242"));
        let later = parse(br#"{"amount":1 "x"}"#).unwrap_err();
        assert_eq!(later.field(), None, "an error after a field names no field");
    }
}
