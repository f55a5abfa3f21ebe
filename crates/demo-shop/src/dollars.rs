//! The shop's prices, in whole cents, without floats.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The shop's only currency.
pub(crate) const CURRENCY: &str = "USD";
const CENTS_PER_DOLLAR: i64 = 100;

/// An amount in US dollars, stored in cents, the API's minor units.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Dollars(i64);

impl Dollars {
    pub(crate) const fn cents(cents: i64) -> Self {
        Self(cents)
    }

    /// The amount in the API's minor units.
    pub(crate) const fn minor(self) -> i64 {
        self.0
    }

    /// The price of this quantity.
    pub(crate) fn times(self, quantity: u32) -> Self {
        Self(self.0.saturating_mul(i64::from(quantity)))
    }

    /// The amount without the currency sign: `12.34`, as typed by people.
    pub(crate) fn plain(self) -> String {
        format!(
            "{}.{:02}",
            self.0.div_euclid(CENTS_PER_DOLLAR),
            self.0.rem_euclid(CENTS_PER_DOLLAR)
        )
    }

    /// Parses `12`, `12.3` or `12.34`; `None` for anything else.
    pub(crate) fn parse(text: &str) -> Option<Self> {
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
