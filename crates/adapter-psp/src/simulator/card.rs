//! The card in what the simulator reports: a description, which can never make a report unreadable.

use oncharge_domain::card::Card;
use serde::Deserialize;
use serde_json::Value;

/// Reads the member `card`; anything that has not the form of a card counts as absent.
pub(super) fn deserialize<'de, D>(deserializer: D) -> Result<Option<Card>, D::Error>
where
    D: serde::Deserializer<'de>,
{
    let card = Value::deserialize(deserializer)?;
    let text = |name: &str| card.get(name).and_then(Value::as_str);
    Ok(Card::new(text("brand"), text("last4")))
}
