//! JSON values as literals of the example languages.

use serde_json::Value;

/// A JSON value whose members keep their documented order.
pub(super) enum Literal {
    Scalar(Value),
    List(Vec<Literal>),
    Object(Vec<(String, Literal)>),
}

/// The literal syntax of a language.
pub(super) struct Style {
    indent: &'static str,
    list: [&'static str; 2],
    object: [&'static str; 2],
    arrow: &'static str,
    has_trailing_comma: bool,
    /// null, true, false
    keywords: [&'static str; 3],
    name: fn(&str) -> String,
    text: fn(&str) -> String,
}

/// JSON on several lines.
pub(super) const JSON: Style = Style {
    indent: "  ",
    list: ["[", "]"],
    object: ["{", "}"],
    arrow: ": ",
    has_trailing_comma: false,
    keywords: ["null", "true", "false"],
    name: json_text,
    text: json_text,
};

pub(super) const JAVASCRIPT: Style = Style {
    has_trailing_comma: true,
    name: |name| {
        let is_plain = |c: char| c == '_' || c.is_ascii_alphanumeric();
        if name.chars().all(is_plain) && !name.starts_with(|c: char| c.is_ascii_digit()) {
            name.to_owned()
        } else {
            json_text(name)
        }
    },
    ..JSON
};

pub(super) const PYTHON: Style = Style {
    indent: "    ",
    has_trailing_comma: true,
    keywords: ["None", "True", "False"],
    ..JSON
};

pub(super) const PHP: Style = Style {
    indent: "    ",
    object: ["[", "]"],
    arrow: " => ",
    has_trailing_comma: true,
    name: php_text,
    text: php_text,
    ..JSON
};

impl Literal {
    /// Renders the value on several lines.
    pub(super) fn render(&self, style: &Style) -> String {
        self.render_at(style, 0)
    }

    /// Renders the value as JSON on one line.
    pub(super) fn to_line(&self) -> String {
        match self {
            Self::Scalar(value) => value.to_string(),
            Self::List(items) => format!("[{}]", join_with_commas(items.iter().map(Self::to_line))),
            Self::Object(members) => {
                let each = members
                    .iter()
                    .map(|(name, value)| format!("{}:{}", json_text(name), value.to_line()));
                format!("{{{}}}", join_with_commas(each))
            }
        }
    }

    /// A string member of an object.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        let Self::Object(members) = self else {
            return None;
        };
        members.iter().find_map(|(known, value)| match value {
            Self::Scalar(Value::String(text)) if known == name => Some(text.as_str()),
            _ => None,
        })
    }

    fn render_at(&self, style: &Style, depth: usize) -> String {
        match self {
            Self::Scalar(value) => render_scalar(value, style),
            Self::List(items) => {
                let lines = items.iter().map(|item| item.render_at(style, depth + 1));
                block(style, style.list, depth, &lines.collect::<Vec<_>>())
            }
            Self::Object(members) => {
                let lines = members.iter().map(|(name, value)| {
                    let value = value.render_at(style, depth + 1);
                    format!("{}{}{value}", (style.name)(name), style.arrow)
                });
                block(style, style.object, depth, &lines.collect::<Vec<_>>())
            }
        }
    }
}

fn render_scalar(value: &Value, style: &Style) -> String {
    let [null, yes, no] = style.keywords;
    match value {
        Value::Null => null.to_owned(),
        Value::Bool(true) => yes.to_owned(),
        Value::Bool(false) => no.to_owned(),
        Value::String(text) => (style.text)(text),
        other => other.to_string(),
    }
}

fn block(style: &Style, [open, close]: [&str; 2], depth: usize, lines: &[String]) -> String {
    if lines.is_empty() {
        return format!("{open}{close}");
    }
    let outer = style.indent.repeat(depth);
    let inner = style.indent.repeat(depth + 1);
    let last = if style.has_trailing_comma { "," } else { "" };
    let lines = lines.join(&format!(",\n{inner}"));
    format!("{open}\n{inner}{lines}{last}\n{outer}{close}")
}

fn join_with_commas(parts: impl Iterator<Item = String>) -> String {
    parts.collect::<Vec<_>>().join(",")
}

fn json_text(text: &str) -> String {
    Value::from(text).to_string()
}

fn php_text(text: &str) -> String {
    format!("'{}'", text.replace('\\', r"\\").replace('\'', r"\'"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn literal() -> Literal {
        let scalar = Literal::Scalar;
        Literal::Object(vec![
            ("b".to_owned(), scalar(json!("it's \"quoted\" \\"))),
            (
                "a-b".to_owned(),
                Literal::List(vec![scalar(json!(1)), scalar(json!(null))]),
            ),
            ("c".to_owned(), Literal::Object(vec![])),
            ("d".to_owned(), scalar(json!(true))),
        ])
    }

    #[test]
    fn literals_are_rendered_in_each_language() {
        assert_eq!(
            literal().to_line(),
            r#"{"b":"it's \"quoted\" \\","a-b":[1,null],"c":{},"d":true}"#
        );
        let json: Value = serde_json::from_str(&literal().render(&JSON)).unwrap();
        assert_eq!(
            json,
            serde_json::from_str::<Value>(&literal().to_line()).unwrap()
        );
        assert_eq!(
            literal().render(&JAVASCRIPT),
            "{\n  b: \"it's \\\"quoted\\\" \\\\\",\n  \"a-b\": [\n    1,\n    null,\n  ],\n  c: {},\n  d: true,\n}"
        );
        assert_eq!(
            literal().render(&PYTHON),
            "{\n    \"b\": \"it's \\\"quoted\\\" \\\\\",\n    \"a-b\": [\n        1,\n        None,\n    ],\n    \"c\": {},\n    \"d\": True,\n}"
        );
        assert_eq!(
            literal().render(&PHP),
            "[\n    'b' => 'it\\'s \"quoted\" \\\\\\\\',\n    'a-b' => [\n        1,\n        null,\n    ],\n    'c' => [],\n    'd' => true,\n]"
                .replace("\\\\\\\\", "\\\\")
        );
    }
}
