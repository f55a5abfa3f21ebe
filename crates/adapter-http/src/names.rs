//! Names of query parameters and members that a client chose, made fit to be shown to it.

use oncharge_domain::text::mask_card_numbers;

/// How much of a name is shown, in characters.
const MAX_LENGTH: usize = 40;

/// A name that may hold anything, as visible ASCII of bounded length: other characters and those
/// that separate names become `?`, card numbers are masked, and a long name is cut.
pub(crate) fn sanitize(name: &str) -> String {
    if name.is_empty() {
        return "(empty name)".to_owned();
    }
    let is_plain = |c: char| c.is_ascii_graphic() && !matches!(c, ',' | ';' | '"' | '\\');
    let visible = |c: char| if is_plain(c) { c } else { '?' };
    let cut: String = name.chars().take(MAX_LENGTH).map(visible).collect();
    let ellipsis = if name.chars().nth(MAX_LENGTH).is_some() {
        "..."
    } else {
        ""
    };
    mask_card_numbers(&cut) + ellipsis
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_sanitized() {
        assert_eq!(sanitize("order_id"), "order_id");
        assert_eq!(sanitize(""), "(empty name)");
        assert_eq!(sanitize("a, b\r\nX: \u{202e}é"), "a??b??X:???");
        assert_eq!(sanitize(&"x".repeat(41)), format!("{}...", "x".repeat(40)));
        assert_eq!(sanitize("4242424242424242"), "****4242");
    }
}
