//! Stripe's test cards that the engine does not know by their number.

use crate::cards::{self, Card};
use crate::codes::Behavior;

/// The published numbers, with the engine's behavior that is nearest to Stripe's.
const TEST_CARDS: [(&str, Behavior); 11] = [
    // Declined: attached but not charged, lost, stolen, wrong security code, processing error,
    // velocity exceeded, blocked as fraudulent.
    ("4000000000000341", Behavior::CardDeclined),
    ("4000000000009987", Behavior::CardDeclined),
    ("4000000000009979", Behavior::CardDeclined),
    ("4000000000000127", Behavior::CardDeclined),
    ("4000000000000119", Behavior::CardDeclined),
    ("4000000000006975", Behavior::CardDeclined),
    ("4100000000000019", Behavior::CardDeclined),
    // Requires 3-D Secure.
    ("4000000000003220", Behavior::Challenge),
    ("4000002760003184", Behavior::Challenge),
    ("4000003800000446", Behavior::Challenge),
    // Disputed as not received.
    ("4000000000002685", Behavior::Chargeback),
];

/// Parses a card number; `None` if it is invalid.
pub(super) fn parse(number: &str) -> Option<Card> {
    let card = cards::parse(number)?;
    let digits: String = number.chars().filter(char::is_ascii_digit).collect();
    let behavior = TEST_CARDS
        .iter()
        .find(|(test_number, _)| *test_number == digits)
        .map_or(card.behavior, |(_, behavior)| *behavior);
    Some(Card { behavior, ..card })
}

#[cfg(test)]
mod tests {
    use super::{TEST_CARDS, parse};
    use crate::codes::Behavior;

    #[test]
    fn every_test_card_is_a_valid_number() {
        for (number, behavior) in TEST_CARDS {
            assert_eq!(parse(number).unwrap().behavior, behavior, "{number}");
        }
    }

    #[test]
    fn other_numbers_behave_as_in_the_engine() {
        assert_eq!(
            parse("4000 0000 0000 9995").unwrap().behavior,
            Behavior::InsufficientFunds
        );
        assert_eq!(
            parse("4242424242424242").unwrap().behavior,
            Behavior::Approve
        );
        assert!(parse("4242424242424241").is_none());
    }
}
