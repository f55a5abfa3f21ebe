//! Names of query parameters and members that a client chose, made fit to be shown to it.

use oncharge_domain::text::mask_card_numbers;

/// How much of a name is shown, in characters.
const LONGEST: usize = 40;

/// A name that may hold anything, as visible ASCII of bounded length: other characters and those
/// that separate names become `?`, card numbers are masked, and a long name is cut.
pub(crate) fn shown(name: &str) -> String {
    if name.is_empty() {
        return "(empty name)".to_owned();
    }
    let is_plain = |c: char| c.is_ascii_graphic() && !matches!(c, ',' | ';' | '"' | '\\');
    let visible = |c: char| if is_plain(c) { c } else { '?' };
    let cut: String = name.chars().take(LONGEST).map(visible).collect();
    let dots = if name.chars().nth(LONGEST).is_some() {
        "..."
    } else {
        ""
    };
    mask_card_numbers(&cut) + dots
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_visible_ascii_and_short() {
        assert_eq!(shown("order_id"), "order_id");
        assert_eq!(shown(""), "(empty name)");
        assert_eq!(shown("a, b\r\nX: \u{202e}é"), "a??b??X:???");
        assert_eq!(shown(&"x".repeat(41)), format!("{}...", "x".repeat(40)));
        assert_eq!(shown("4242424242424242"), "****4242");
    }
}
