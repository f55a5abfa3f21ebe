//! The card in the simulator's responses: a description that can never make a response invalid.

use oncharge_domain::card::Card;
use serde::Deserialize;
use serde_json::Value;

/// Deserializes the member `card`; anything that is not a valid card counts as absent.
pub(super) fn deserialize<'de, D>(deserializer: D) -> Result<Option<Card>, D::Error>
where
    D: serde::Deserializer<'de>,
{
    let card = Value::deserialize(deserializer)?;
    let text = |name: &str| card.get(name).and_then(Value::as_str);
    Ok(Card::new(text("brand"), text("last4")))
}
