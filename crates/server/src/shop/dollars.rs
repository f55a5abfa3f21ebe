//! The shop's prices: whole cents, never a float.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The one currency of the shop.
pub(super) const CURRENCY: &str = "USD";
/// Cents in a dollar.
const CENTS_PER_DOLLAR: i64 = 100;

/// An amount in US dollars, kept in cents: the minor units that the API speaks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Dollars(i64);

impl Dollars {
    /// So many cents.
    pub(super) const fn cents(cents: i64) -> Self {
        Self(cents)
    }

    /// In minor units, as the API takes it.
    pub(super) const fn minor(self) -> i64 {
        self.0
    }

    /// The price of several.
    pub(super) fn times(self, quantity: u32) -> Self {
        Self(self.0.saturating_mul(i64::from(quantity)))
    }

    /// Without the sign of the currency: `12.34`, what a person types.
    pub(super) fn plain(self) -> String {
        format!(
            "{}.{:02}",
            self.0.div_euclid(CENTS_PER_DOLLAR),
            self.0.rem_euclid(CENTS_PER_DOLLAR)
        )
    }

    /// Reads `12`, `12.3` or `12.34`; `None` for everything else.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (dollars, cents) = text.trim().split_once('.').unwrap_or((text.trim(), "00"));
        let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        let cents = match cents.len() {
            1 => format!("{cents}0"),
            2 => cents.to_owned(),
            _ => return None,
        };
        if dollars.is_empty() || !digits(dollars) || !digits(&cents) {
            return None;
        }
        let whole: i64 = dollars.parse().ok()?;
        whole
            .checked_mul(CENTS_PER_DOLLAR)?
            .checked_add(cents.parse().ok()?)
            .map(Self)
    }
}

impl std::iter::Sum for Dollars {
    fn sum<I: Iterator<Item = Self>>(amounts: I) -> Self {
        Self(amounts.fold(0, |sum, amount| sum.saturating_add(amount.0)))
    }
}

impl fmt::Display for Dollars {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "${}", self.plain())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_and_parse_round_trip() {
        for cents in [0, 1, 10, 99, 100, 1850, 123_456] {
            assert_eq!(
                Dollars::parse(&Dollars(cents).plain()),
                Some(Dollars(cents))
            );
        }
    }

    #[test]
    fn cents_are_optional() {
        assert_eq!(Dollars::parse(" 12 "), Some(Dollars(1200)));
        assert_eq!(Dollars::parse("12.3"), Some(Dollars(1230)));
    }

    #[test]
    fn invalid_amounts_are_rejected() {
        for text in [
            "",
            ".",
            ".5",
            "5.",
            "1.234",
            "-1",
            "+1",
            "1,00",
            "1e3",
            "12.+3",
            "9".repeat(30).as_str(),
        ] {
            assert_eq!(Dollars::parse(text), None, "{text}");
        }
    }
}
