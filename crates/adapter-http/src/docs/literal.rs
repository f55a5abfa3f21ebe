//! JSON values as they are written in the languages of the examples.

use serde_json::Value;

/// A value whose members keep the order that they are documented in.
pub(super) enum Tree {
    /// A text, a number, true, false or null.
    Leaf(Value),
    /// An array.
    List(Vec<Tree>),
    /// An object.
    Object(Vec<(String, Tree)>),
}

/// How a language writes them.
pub(super) struct Style {
    indent: &'static str,
    list: [&'static str; 2],
    object: [&'static str; 2],
    arrow: &'static str,
    has_trailing_comma: bool,
    /// null, true, false
    words: [&'static str; 3],
    name: fn(&str) -> String,
    text: fn(&str) -> String,
}

/// JSON, over several lines.
pub(super) const JSON: Style = Style {
    indent: "  ",
    list: ["[", "]"],
    object: ["{", "}"],
    arrow: ": ",
    has_trailing_comma: false,
    words: ["null", "true", "false"],
    name: json_text,
    text: json_text,
};

/// JavaScript.
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

/// Python.
pub(super) const PYTHON: Style = Style {
    indent: "    ",
    has_trailing_comma: true,
    words: ["None", "True", "False"],
    ..JSON
};

/// PHP.
pub(super) const PHP: Style = Style {
    indent: "    ",
    object: ["[", "]"],
    arrow: " => ",
    has_trailing_comma: true,
    name: php_text,
    text: php_text,
    ..JSON
};

impl Tree {
    /// In a language, over several lines.
    pub(super) fn write(&self, style: &Style) -> String {
        self.at_depth(style, 0)
    }

    /// As JSON on one line.
    pub(super) fn line(&self) -> String {
        match self {
            Self::Leaf(value) => value.to_string(),
            Self::List(items) => format!("[{}]", joined(items.iter().map(Self::line))),
            Self::Object(members) => {
                let each = members
                    .iter()
                    .map(|(name, value)| format!("{}:{}", json_text(name), value.line()));
                format!("{{{}}}", joined(each))
            }
        }
    }

    /// A text member of an object.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        let Self::Object(members) = self else {
            return None;
        };
        members.iter().find_map(|(known, value)| match value {
            Self::Leaf(Value::String(text)) if known == name => Some(text.as_str()),
            _ => None,
        })
    }

    fn at_depth(&self, style: &Style, depth: usize) -> String {
        match self {
            Self::Leaf(value) => leaf(value, style),
            Self::List(items) => {
                let lines = items.iter().map(|item| item.at_depth(style, depth + 1));
                block(style, style.list, depth, &lines.collect::<Vec<_>>())
            }
            Self::Object(members) => {
                let lines = members.iter().map(|(name, value)| {
                    let value = value.at_depth(style, depth + 1);
                    format!("{}{}{value}", (style.name)(name), style.arrow)
                });
                block(style, style.object, depth, &lines.collect::<Vec<_>>())
            }
        }
    }
}

fn leaf(value: &Value, style: &Style) -> String {
    let [null, yes, no] = style.words;
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

fn joined(parts: impl Iterator<Item = String>) -> String {
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

    fn tree() -> Tree {
        let leaf = Tree::Leaf;
        Tree::Object(vec![
            ("b".to_owned(), leaf(json!("it's \"quoted\" \\"))),
            (
                "a-b".to_owned(),
                Tree::List(vec![leaf(json!(1)), leaf(json!(null))]),
            ),
            ("c".to_owned(), Tree::Object(vec![])),
            ("d".to_owned(), leaf(json!(true))),
        ])
    }

    #[test]
    fn each_language_writes_its_own() {
        assert_eq!(
            tree().line(),
            r#"{"b":"it's \"quoted\" \\","a-b":[1,null],"c":{},"d":true}"#
        );
        let json: Value = serde_json::from_str(&tree().write(&JSON)).unwrap();
        assert_eq!(json, serde_json::from_str::<Value>(&tree().line()).unwrap());
        assert_eq!(
            tree().write(&JAVASCRIPT),
            "{\n  b: \"it's \\\"quoted\\\" \\\\\",\n  \"a-b\": [\n    1,\n    null,\n  ],\n  c: {},\n  d: true,\n}"
        );
        assert_eq!(
            tree().write(&PYTHON),
            "{\n    \"b\": \"it's \\\"quoted\\\" \\\\\",\n    \"a-b\": [\n        1,\n        None,\n    ],\n    \"c\": {},\n    \"d\": True,\n}"
        );
        assert_eq!(
            tree().write(&PHP),
            "[\n    'b' => 'it\\'s \"quoted\" \\\\\\\\',\n    'a-b' => [\n        1,\n        null,\n    ],\n    'c' => [],\n    'd' => true,\n]"
                .replace("\\\\\\\\", "\\\\")
        );
    }
}
