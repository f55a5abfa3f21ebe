//! How the values of members are parsed.

use std::collections::BTreeMap;

use oncharge_application::checkout::create::CaptureMode;
use oncharge_domain::{
    currency::Currency,
    money::{MAX_MINOR, Money},
    text::{Email, Metadata, OrderId, Phone, Reference, ReturnUrl},
    webhook::EndpointUrl,
};

use super::FieldValue;
use crate::{
    json::Value,
    problem::{FieldProblem, Problem},
};

/// An amount of at least one minor unit, of a currency that another member names.
pub(crate) struct MinorUnits(i64);

impl MinorUnits {
    /// The number of minor units.
    pub(crate) fn get(self) -> i64 {
        self.0
    }

    /// The amount in this currency.
    pub(crate) fn of(self, currency: Currency) -> Result<Money, Problem> {
        Money::new(self.0, currency).map_err(|error| {
            Problem::InvalidFields(vec![FieldProblem::new("amount", error.to_string())])
        })
    }
}

impl FieldValue for MinorUnits {
    fn parse(value: &Value, _: bool) -> Result<Self, String> {
        match value {
            Value::Integer(minor) if (1..=MAX_MINOR).contains(minor) => Ok(Self(*minor)),
            _ => Err(format!(
                "must be an integer from 1 to {MAX_MINOR}, in minor units"
            )),
        }
    }
}

/// `true` or `false`.
impl FieldValue for bool {
    fn parse(value: &Value, _: bool) -> Result<Self, String> {
        match value {
            Value::Bool(value) => Ok(*value),
            _ => Err("must be true or false".to_owned()),
        }
    }
}

fn text(value: &Value) -> Result<&str, String> {
    match value {
        Value::String(text) => Ok(text),
        _ => Err("must be a string".to_owned()),
    }
}

/// Any string.
impl FieldValue for String {
    fn parse(value: &Value, _: bool) -> Result<Self, String> {
        text(value).map(str::to_owned)
    }
}

/// Strings that must satisfy a rule of the domain.
macro_rules! parse_text {
    ($($type:ty: |$text:ident, $sandbox:pat_param| $parse:expr;)*) => {$(
        impl FieldValue for $type {
            fn parse(value: &Value, $sandbox: bool) -> Result<Self, String> {
                let $text = text(value)?;
                $parse.map_err(|problem| problem.to_string())
            }
        }
    )*};
}

parse_text! {
    Currency: |text, _| Self::parse(text);
    Reference: |text, _| Self::parse(text);
    OrderId: |text, _| Self::parse(text);
    Email: |text, _| Self::parse(text);
    Phone: |text, _| Self::parse(text);
    ReturnUrl: |text, sandbox| Self::parse(text, sandbox);
    EndpointUrl: |text, sandbox| Self::parse(text, sandbox);
}

impl FieldValue for Metadata {
    fn parse(value: &Value, _: bool) -> Result<Self, String> {
        let rule = "must be an object with string values";
        let Value::Object(object) = value else {
            return Err(rule.to_owned());
        };
        let pairs = object.members().map(|(key, value)| match value {
            Value::String(text) => Ok((key.clone(), text.clone())),
            _ => Err(rule.to_owned()),
        });
        let pairs = pairs.collect::<Result<BTreeMap<_, _>, String>>()?;
        Self::new(pairs).map_err(|problem| problem.to_string())
    }
}

impl FieldValue for CaptureMode {
    fn parse(value: &Value, _: bool) -> Result<Self, String> {
        match value {
            Value::String(text) if text == "automatic" => Ok(Self::Automatic),
            Value::String(text) if text == "manual" => Ok(Self::Manual),
            _ => Err("must be \"automatic\" or \"manual\"".to_owned()),
        }
    }
}

/// A value that is accepted whatever it is, and not used.
pub(crate) struct Ignored;

impl FieldValue for Ignored {
    fn parse(_: &Value, _: bool) -> Result<Self, String> {
        Ok(Self)
    }
}
