//! Card numbers: validity, brand and behavior.

use crate::codes::Behavior;

/// The stored data of a card.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Card {
    pub(crate) brand: &'static str,
    pub(crate) last4: String,
    pub(crate) behavior: Behavior,
}

/// The numbers with special behavior.
const TEST_CARDS: [(&str, Behavior); 5] = [
    ("4000000000000002", Behavior::CardDeclined),
    ("4000000000009995", Behavior::InsufficientFunds),
    ("4000000000000069", Behavior::ExpiredCard),
    ("4000002500003155", Behavior::Challenge),
    ("4000000000000259", Behavior::Chargeback),
];

/// Parses a card number (spaces and hyphens are ignored): 12 to 19 digits with a valid check digit.
pub(crate) fn parse(number: &str) -> Option<Card> {
    let digits: String = number.chars().filter(|c| !matches!(c, ' ' | '-')).collect();
    let right_length = (12..=19).contains(&digits.len());
    if !right_length || !digits.bytes().all(|byte| byte.is_ascii_digit()) || !passes_luhn(&digits) {
        return None;
    }
    let behavior = TEST_CARDS
        .iter()
        .find(|(test_number, _)| *test_number == digits)
        .map_or(Behavior::Approve, |(_, behavior)| *behavior);
    let last4 = digits.get(digits.len() - 4..)?.to_owned();
    Some(Card {
        brand: brand(&digits),
        last4,
        behavior,
    })
}

/// Verifies the check digit of ISO/IEC 7812-1.
fn passes_luhn(digits: &str) -> bool {
    let sum: u32 = digits
        .bytes()
        .rev()
        .enumerate()
        .map(|(place, byte)| {
            let digit = u32::from(byte.saturating_sub(b'0'));
            match place % 2 {
                0 => digit,
                _ if digit > 4 => digit * 2 - 9,
                _ => digit * 2,
            }
        })
        .sum();
    sum.is_multiple_of(10)
}

/// The card scheme, by the issuer ranges that the schemes publish.
fn brand(digits: &str) -> &'static str {
    let prefix = |length: usize| -> u32 {
        digits
            .get(..length)
            .and_then(|start| start.parse().ok())
            .unwrap_or(0)
    };
    match (prefix(1), prefix(2), prefix(4)) {
        (4, _, _) => "visa",
        (_, 51..=55, _) | (_, _, 2221..=2720) => "mastercard",
        (_, 34 | 37, _) => "amex",
        (_, 65, _) | (_, _, 6011) => "discover",
        (_, _, 3528..=3589) => "jcb",
        (_, 36 | 38 | 39, _) | (_, _, 3000..=3059) => "diners",
        _ => "unknown",
    }
}

/// Whether a CVC has the right form: three or four digits.
pub(crate) fn is_cvc(text: &str) -> bool {
    matches!(text.len(), 3 | 4) && text.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::{Behavior, is_cvc, parse};

    #[test]
    fn known_numbers_have_their_brand_and_behavior() {
        let cases = [
            ("4242 4242 4242 4242", "visa", "4242", Behavior::Approve),
            (
                "5555-5555-5555-4444",
                "mastercard",
                "4444",
                Behavior::Approve,
            ),
            ("2223003122003222", "mastercard", "3222", Behavior::Approve),
            ("378282246310005", "amex", "0005", Behavior::Approve),
            ("6011111111111117", "discover", "1117", Behavior::Approve),
            ("3566002020360505", "jcb", "0505", Behavior::Approve),
            ("30569309025904", "diners", "5904", Behavior::Approve),
            ("4000000000000002", "visa", "0002", Behavior::CardDeclined),
            (
                "4000000000009995",
                "visa",
                "9995",
                Behavior::InsufficientFunds,
            ),
            ("4000000000000069", "visa", "0069", Behavior::ExpiredCard),
            ("4000002500003155", "visa", "3155", Behavior::Challenge),
            ("4000000000000259", "visa", "0259", Behavior::Chargeback),
        ];
        for (number, brand, last4, behavior) in cases {
            let card = parse(number).unwrap();
            assert_eq!(
                (card.brand, card.last4.as_str(), card.behavior),
                (brand, last4, behavior)
            );
        }
    }

    #[test]
    fn invalid_card_numbers_are_refused() {
        for number in [
            "",
            "4242424242424241",
            "42424242424",
            "4242x4242",
            "42424242424242424242",
        ] {
            assert_eq!(parse(number), None, "{number:?}");
        }
    }

    #[test]
    fn a_cvc_has_three_or_four_digits() {
        assert!(is_cvc("123") && is_cvc("0000"));
        assert!(!is_cvc("12") && !is_cvc("12345") && !is_cvc("12a") && !is_cvc("١٢٣"));
    }
}
