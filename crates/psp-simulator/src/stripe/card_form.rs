//! A card as Stripe.js sends it, reduced to what may be stored.

use super::error::StripeError;
use super::form::Form;
use super::test_cards;
use crate::cards::{self, Card};
use crate::clock;
use crate::entropy::{self, NoEntropy};
use crate::store::tokens::Token;

/// Maximum validity of a card, in years.
const MAX_VALIDITY_YEARS: i64 = 50;

/// A valid card with its expiry.
#[derive(Debug)]
pub(super) struct NewCard {
    card: Card,
    exp_month: i32,
    exp_year: i32,
}

impl NewCard {
    /// Takes `{prefix}[number]`, `[exp_month]`, `[exp_year]` and `[cvc]`.
    pub(super) fn read(form: &mut Form, prefix: &str) -> Result<Self, StripeError> {
        let name = |member: &str| format!("{prefix}[{member}]");
        let number = form.required(&name("number"))?;
        let month = form.integer(&name("exp_month"))?;
        let year = form.integer(&name("exp_year"))?;
        let cvc = form.take(&name("cvc"));
        let refuse = |member: &str, code: &str, message: &str| {
            StripeError::card(message)
                .with_code(code)
                .with_param(member)
        };
        let card = test_cards::parse(&number).ok_or_else(|| {
            refuse(
                "number",
                "incorrect_number",
                "Your card number is incorrect.",
            )
        })?;
        let (this_year, this_month) = clock::year_and_month();
        let (this_year, this_month) = (i64::from(this_year), i64::from(u8::from(this_month)));
        let month = month
            .filter(|month| (1..=12).contains(month))
            .ok_or_else(|| {
                let message = "Your card's expiration month is invalid.";
                refuse("exp_month", "invalid_expiry_month", message)
            })?;
        let year = year
            .map(|year| if year < 100 { year + 2_000 } else { year })
            .filter(|year| (this_year..=this_year + MAX_VALIDITY_YEARS).contains(year))
            .filter(|year| *year > this_year || month >= this_month)
            .ok_or_else(|| {
                let message = "Your card's expiration year is invalid.";
                refuse("exp_year", "invalid_expiry_year", message)
            })?;
        if cvc.is_some_and(|cvc| !cards::is_cvc(&cvc)) {
            let message = "Your card's security code is invalid.";
            return Err(refuse("cvc", "invalid_cvc", message));
        }
        Ok(Self {
            card,
            exp_month: i32::try_from(month).unwrap_or(1),
            exp_year: i32::try_from(year).unwrap_or(i32::MAX),
        })
    }

    /// The card as a payment method with a new id.
    pub(super) fn into_payment_method(self, now: i64) -> Result<Token, NoEntropy> {
        Ok(Token {
            id: entropy::hex_id("pm_")?,
            brand: self.card.brand.to_owned(),
            last4: self.card.last4,
            behavior: self.card.behavior,
            exp_month: Some(self.exp_month),
            exp_year: Some(self.exp_year),
            created_at: now,
            used_by: None,
        })
    }
}
