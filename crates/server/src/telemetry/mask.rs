//! Masks possible card numbers in the logs.

use std::{borrow::Cow, io};

use oncharge_domain::text::mask_card_numbers;

/// Minimum number of digits of a card number.
const MIN_CARD_DIGITS: usize = 13;
/// Number of hexadecimal digits after the prefix of an id.
const ID_DIGITS: usize = 32;

/// Writes to the inner writer with card numbers masked.
pub(super) struct MaskingWriter<W>(pub(super) W);

impl<W: io::Write> io::Write for MaskingWriter<W> {
    /// Consumes the whole buffer: a log line arrives in one piece, and half of a number would not
    /// be recognized.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match std::str::from_utf8(bytes) {
            Ok(text) => self.0.write_all(masked(text).as_bytes())?,
            Err(_) => self.0.write_all(bytes)?,
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// The text with every card number outside of ids masked.
fn masked(text: &str) -> Cow<'_, str> {
    if !may_contain_card_number(text) {
        return Cow::Borrowed(text);
    }
    let (mut out, mut rest) = (String::with_capacity(text.len()), text);
    while let Some((before, id, after)) = split_at_id(rest) {
        out.push_str(&mask_card_numbers(before));
        out.push_str(id);
        rest = after;
    }
    out.push_str(&mask_card_numbers(rest));
    Cow::Owned(out)
}

/// Whether the text has enough digits in a row, ignoring single spaces and dashes between them.
fn may_contain_card_number(text: &str) -> bool {
    let (mut digits, mut is_after_digit) = (0_usize, false);
    for byte in text.bytes() {
        if byte.is_ascii_digit() {
            digits += 1;
            if digits == MIN_CARD_DIGITS {
                return true;
            }
        } else if !(is_after_digit && matches!(byte, b' ' | b'-')) {
            digits = 0;
        }
        is_after_digit = byte.is_ascii_digit();
    }
    false
}

/// The first id in a text (`cs_` and 32 hexadecimal digits, which may resemble a card number by
/// chance), with the text before and after it.
fn split_at_id(text: &str) -> Option<(&str, &str, &str)> {
    let mut from = 0;
    loop {
        let underscore = from + text.get(from..)?.find('_')?;
        let (before, after) = text.split_at(underscore + 1);
        let is_hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        let digits = after.bytes().take_while(|byte| is_hex(*byte)).count();
        let letters = before.bytes().rev().skip(1);
        let letters = letters.take_while(u8::is_ascii_lowercase).count();
        if digits == ID_DIGITS && (2..=4).contains(&letters) {
            let (before, _) = text.split_at(underscore - letters);
            let (rest, end) = text.split_at(underscore + 1 + ID_DIGITS);
            return Some((before, rest.get(before.len()..)?, end));
        }
        from = underscore + 1;
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    #[test]
    fn card_numbers_are_masked_and_ids_are_not() {
        let id = "cs_42424242424242424242424242424242";
        for (text, expected) in [
            ("card 4242 4242 4242 4242 refused", "card ****4242 refused"),
            ("reference=4242424242424242\n", "reference=****4242\n"),
            ("order_4242424242424242", "order_****4242"),
            ("4242424242424243", "4242424242424243"),
            ("2026-11-30T14:50:43.123456Z", "2026-11-30T14:50:43.123456Z"),
        ] {
            assert_eq!(masked(text), expected);
            let mut out = Vec::new();
            let mut writer = MaskingWriter(&mut out);
            writer.write_all(text.as_bytes()).unwrap();
            assert_eq!(out, expected.as_bytes());
        }
        let line = format!("session={id} 4242424242424242 {id}");
        assert_eq!(masked(&line), format!("session={id} ****4242 {id}"));
        assert_eq!(masked("_4242424242424242_"), "_****4242_");
    }
}
