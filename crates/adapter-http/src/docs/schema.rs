//! The fields of a JSON body, as a flat list for display.

use serde_json::Value;

use super::{
    document::{Document, list, members, text},
    literal::Literal,
    markdown,
};

/// Longer lists of values are collapsed.
const MAX_INLINE_VALUES: usize = 14;

/// One field with its constraints.
pub(super) struct Field {
    /// The name; nested members with dots, array elements with `[]`.
    pub(super) name: String,
    /// The type: `string`, `integer or null`, …
    pub(super) kind: String,
    pub(super) is_required: bool,
    /// The description, as HTML.
    pub(super) html: String,
    /// The constraints, each a phrase.
    pub(super) rules: Vec<String>,
    /// The regular expression that it must match.
    pub(super) pattern: Option<String>,
    /// The values of an enumeration.
    pub(super) values: Vec<String>,
    /// An example value.
    pub(super) example: Option<String>,
}

impl Field {
    /// A parameter of a path or query, or a header.
    pub(super) fn parameter(document: &Document, parameter: &Value) -> Self {
        let is_required = parameter.get("required") == Some(&Value::Bool(true));
        let schema = parameter.get("schema").unwrap_or(&Value::Null);
        let mut field = Self::new(document, text(parameter, "name"), schema, is_required);
        field.html = markdown::inline(text(parameter, "description"));
        field.example = parameter.get("example").map(to_text).or(field.example);
        field
    }

    /// Whether the list of values is long enough to be collapsed.
    pub(super) fn has_many_values(&self) -> bool {
        self.values.len() > MAX_INLINE_VALUES
    }

    fn new(document: &Document, name: &str, property: &Value, is_required: bool) -> Self {
        let resolved = ResolvedSchema::of(document, property);
        let schema = resolved.schema;
        let values = list(schema, "enum").filter_map(Value::as_str);
        let pattern = text(schema, "pattern");
        Self {
            name: name.to_owned(),
            kind: resolved.kind(),
            is_required,
            html: markdown::inline(resolved.description),
            rules: rules(schema),
            pattern: (!pattern.is_empty()).then(|| pattern.to_owned()),
            values: values.map(str::to_owned).collect(),
            example: example(schema),
        }
    }
}

/// A schema with references and "or null" resolved.
struct ResolvedSchema<'a> {
    schema: &'a Value,
    is_nullable: bool,
    description: &'a str,
}

impl<'a> ResolvedSchema<'a> {
    fn of(document: &'a Document, property: &'a Value) -> Self {
        if let Some(inner) = list(property, "oneOf").find(|one| text(one, "type") != "null") {
            let inner = Self::of(document, inner);
            return Self {
                is_nullable: true,
                ..inner
            };
        }
        let schema = document.resolve(property);
        let own = text(property, "description");
        Self {
            schema,
            is_nullable: types(schema).contains(&"null"),
            description: if own.is_empty() {
                text(schema, "description")
            } else {
                own
            },
        }
    }

    fn kind(&self) -> String {
        let mut kinds = types(self.schema);
        kinds.retain(|kind| *kind != "null");
        if kinds.is_empty() {
            kinds.push("object");
        }
        if self.is_nullable {
            kinds.push("null");
        }
        kinds.join(" or ")
    }
}

fn types(schema: &Value) -> Vec<&str> {
    match schema.get("type") {
        Some(Value::String(one)) => vec![one],
        Some(Value::Array(several)) => several.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    }
}

/// All fields of a body; nested fields follow their parent.
pub(super) fn fields(document: &Document, schema: &Value) -> Vec<Field> {
    let mut found = Vec::new();
    collect(document, schema, "", &mut found);
    found
}

fn collect(document: &Document, schema: &Value, prefix: &str, found: &mut Vec<Field>) {
    let schema = ResolvedSchema::of(document, schema).schema;
    if let Some(items) = schema.get("items") {
        return collect(document, items, &format!("{prefix}[]"), found);
    }
    for part in list(schema, "allOf") {
        collect(document, part, prefix, found);
    }
    for (name, property) in properties(schema) {
        let is_required = list(schema, "required").any(|one| one == name);
        let dot = if prefix.is_empty() { "" } else { "." };
        let name = format!("{prefix}{dot}{name}");
        found.push(Field::new(document, &name, property, is_required));
        collect(document, property, &name, found);
    }
}

/// The properties: required ones in their declared order, then the others.
fn properties(schema: &Value) -> Vec<(&str, &Value)> {
    let required: Vec<&str> = list(schema, "required").filter_map(Value::as_str).collect();
    let place = |name: &str| required.iter().position(|one| *one == name);
    let mut all: Vec<(&str, &Value)> = members(schema, "properties")
        .map(|(name, property)| (name.as_str(), property))
        .collect();
    all.sort_by_key(|(name, _)| place(name).unwrap_or(usize::MAX));
    all
}

/// The value with its members in the schema's order.
pub(super) fn order_members(document: &Document, schema: &Value, value: &Value) -> Literal {
    let schema = ResolvedSchema::of(document, schema).schema;
    match value {
        Value::Array(items) => {
            let of = schema.get("items").unwrap_or(&Value::Null);
            let items = items.iter().map(|item| order_members(document, of, item));
            Literal::List(items.collect())
        }
        Value::Object(object) => {
            let parts: Vec<&Value> = std::iter::once(schema)
                .chain(list(schema, "allOf").map(|part| document.resolve(part)))
                .collect();
            let known: Vec<_> = parts.iter().flat_map(|part| properties(part)).collect();
            let place = |name: &str| known.iter().position(|(one, _)| *one == name);
            let mut members: Vec<(&String, &Value)> = object.iter().collect();
            members.sort_by_key(|(name, _)| place(name).unwrap_or(usize::MAX));
            let members = members.into_iter().map(|(name, value)| {
                let property = known.iter().find(|(one, _)| one == name);
                let schema = property.map_or(&Value::Null, |(_, schema)| *schema);
                (name.clone(), order_members(document, schema, value))
            });
            Literal::Object(members.collect())
        }
        leaf => Literal::Scalar(leaf.clone()),
    }
}

fn rules(schema: &Value) -> Vec<String> {
    let mut rules = Vec::new();
    rules.extend(match text(schema, "format") {
        "date-time" => Some("RFC 3339, UTC".to_owned()),
        "uri" => Some("URL".to_owned()),
        "uri-reference" => Some("relative URL".to_owned()),
        "email" => Some("e-mail address".to_owned()),
        _ => None,
    });
    for (min, max, unit) in [
        ("minimum", "maximum", ""),
        ("minLength", "maxLength", " characters"),
        ("minProperties", "maxProperties", " members"),
    ] {
        let number = |name: &str| schema.get(name).and_then(Value::as_u64).map(group_digits);
        rules.extend(match (number(min), number(max)) {
            (Some(min), Some(max)) => Some(format!("{min} to {max}{unit}")),
            (Some(min), None) => Some(format!("at least {min}{unit}")),
            (None, Some(max)) => Some(format!("at most {max}{unit}")),
            (None, None) => None,
        });
    }
    rules
}

/// The number with narrow no-break spaces between thousands.
fn group_digits(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            grouped.push('\u{202f}');
        }
        grouped.push(digit);
    }
    grouped
}

fn example(schema: &Value) -> Option<String> {
    let one = schema.get("example");
    one.or_else(|| schema.pointer("/examples/0")).map(to_text)
}

/// The value as text for display: strings without quotes.
fn to_text(value: &Value) -> String {
    value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_are_separated() {
        for (number, text) in [(1, "1"), (255, "255"), (2048, "2\u{202f}048")] {
            assert_eq!(group_digits(number), text);
        }
        assert_eq!(group_digits(99_999_999_999).split('\u{202f}').count(), 4);
    }

    #[test]
    fn schemas_are_flattened_into_fields() {
        let document = Document::read();
        let new = fields(&document, document.at("/components/schemas/NewSession"));
        let names: Vec<&str> = new.iter().map(|field| field.name.as_str()).collect();
        assert_eq!(
            names[..4],
            ["amount", "currency", "reference", "return_url"]
        );
        assert!(new[0].is_required && new[1].has_many_values());
        assert_eq!(new[0].rules, ["1 to 99\u{202f}999\u{202f}999\u{202f}999"]);
        let capture = new.iter().find(|field| field.name == "capture").unwrap();
        assert!(!capture.is_required);
        assert_eq!(capture.kind, "string or null");
        assert_eq!(capture.values, ["automatic", "manual"]);
        let list = fields(&document, document.at("/components/schemas/Page_Session"));
        let names: Vec<&str> = list.iter().map(|field| field.name.as_str()).collect();
        for name in [
            "data",
            "data[].customer.email",
            "data[].failure.code",
            "next_cursor",
        ] {
            assert!(names.contains(&name), "{name}: {names:?}");
        }
        let refund = fields(&document, document.at("/components/schemas/Refund"));
        assert_eq!(refund[0].name, "refund_id");
        assert!(refund.iter().any(|field| field.name == "failure.message"));
    }
}
