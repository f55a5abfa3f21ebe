//! Sanitizes names of query parameters and members before they are returned to the client.

use oncharge_domain::text::mask_card_numbers;

/// Maximum length of a returned name, in characters.
const MAX_LENGTH: usize = 40;

/// Reduces arbitrary text to visible ASCII of bounded length: other characters and separators
/// become `?`, card numbers are masked, and long names are cut.
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
