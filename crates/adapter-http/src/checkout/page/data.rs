//! The data block for the page's script: JSON that is inert inside HTML.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{PageModel, ShopperState};
use crate::checkout::messages::Language;

#[derive(Serialize)]
struct Data<'a> {
    session_id: &'a str,
    pay_token: &'a str,
    merchant: &'a str,
    language: &'static str,
    psp_origin: &'a str,
    fields_url: &'a str,
    parents: &'a [String],
    return_url: &'a str,
    expires_in: u64,
    state: &'a ShopperState,
    messages: BTreeMap<&'static str, &'static str>,
}

/// Serializes the data block of this page.
pub(super) fn block(
    model: &PageModel<'_>,
    language: Language,
    psp_origin: &str,
) -> Result<String, serde_json::Error> {
    let data = Data {
        session_id: model.session_id,
        pay_token: model.pay_token,
        merchant: model.merchant_name,
        language: language.code(),
        psp_origin,
        fields_url: model.fields_url.as_str(),
        parents: model.frame_ancestors,
        return_url: model.return_url,
        expires_in: model.expires_in_seconds,
        state: model.state,
        messages: language.messages().script_messages(),
    };
    serde_json::to_string(&data).map(|json| escape_for_html(&json))
}

/// In JSON, these characters occur only in strings, where their escapes mean the same; without them
/// no value can end the element, open a comment, or be parsed as markup.
fn escape_for_html(json: &str) -> String {
    let mut text = String::with_capacity(json.len());
    for character in json.chars() {
        match character {
            '<' => text.push_str("\\u003c"),
            '>' => text.push_str("\\u003e"),
            '&' => text.push_str("\\u0026"),
            '\u{2028}' => text.push_str("\\u2028"),
            '\u{2029}' => text.push_str("\\u2029"),
            other => text.push(other),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::escape_for_html;

    #[test]
    fn the_data_block_is_escaped_without_changing_its_value() {
        let value = "</script><!--<script>&amp;\u{2028}\u{2029}\"'\\";
        let json = serde_json::to_string(value).unwrap();
        let block = escape_for_html(&json);
        for forbidden in ["<", ">", "&", "\u{2028}", "\u{2029}"] {
            assert!(!block.contains(forbidden), "{forbidden:?} in {block}");
        }
        assert_eq!(serde_json::from_str::<String>(&block).unwrap(), value);
    }
}
