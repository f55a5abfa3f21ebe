//! Pretty-prints JSON.

use serde::de::IgnoredAny;

/// The text with one line per member, preserving order, names and numbers. Invalid JSON is returned
/// unchanged.
pub(crate) fn pretty(json: &str) -> String {
    if serde_json::from_str::<IgnoredAny>(json).is_err() {
        return json.to_owned();
    }
    let mut text = String::with_capacity(json.len().saturating_mul(2));
    let (mut depth, mut opened) = (0_usize, false);
    let (mut in_string, mut escaped) = (false, false);
    for letter in json.chars() {
        if in_string {
            text.push(letter);
            in_string = escaped || letter != '"';
            escaped = !escaped && letter == '\\';
            continue;
        }
        let closes = matches!(letter, '}' | ']');
        if letter.is_ascii_whitespace() {
            continue;
        }
        if closes {
            depth = depth.saturating_sub(1);
        }
        // An empty object or array stays on its line.
        if opened != closes {
            begin_line(&mut text, depth);
        }
        opened = matches!(letter, '{' | '[');
        in_string = letter == '"';
        text.push(letter);
        match letter {
            '{' | '[' => depth = depth.saturating_add(1),
            ',' => begin_line(&mut text, depth),
            ':' => text.push(' '),
            _ => {}
        }
    }
    text
}

fn begin_line(text: &mut String, depth: usize) {
    text.push('\n');
    text.push_str(&"  ".repeat(depth));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_have_lines_and_keep_their_order() {
        let json = r#"{"b":"x, {y}: \"z\\","a":[1.50, {"c":null}],"d":{},"e":[]}"#;
        let expected = [
            "{",
            r#"  "b": "x, {y}: \"z\\","#,
            r#"  "a": ["#,
            "    1.50,",
            "    {",
            r#"      "c": null"#,
            "    }",
            "  ],",
            r#"  "d": {},"#,
            r#"  "e": []"#,
            "}",
        ];
        assert_eq!(pretty(json), expected.join("\n"));
        assert_eq!(pretty(&pretty(json)), pretty(json));
    }

    #[test]
    fn invalid_json_is_unchanged() {
        for text in ["", "<html>", "{", "[1] 2"] {
            assert_eq!(pretty(text), text);
        }
    }
}
