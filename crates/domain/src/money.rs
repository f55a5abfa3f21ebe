//! Money amounts: whole minor units of a currency, with checked arithmetic, never a float.

use crate::currency::Currency;

/// The maximum amount of a session or a part of it, in minor units.
///
/// Source: the merchant API's rule for `amount` (1 to 99 999 999 999).
pub const MAX_MINOR: i64 = 99_999_999_999;

/// An amount of money: minor units (as in ISO 4217) of a currency, 0 to [`MAX_MINOR`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Money {
    minor: i64,
    currency: Currency,
}

/// Why two amounts could not be combined, or one could not be created.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum MoneyError {
    /// Less than zero or more than [`MAX_MINOR`].
    #[error("the amount is out of range")]
    OutOfRange,
    /// The currencies differ.
    #[error("the currencies differ")]
    CurrencyMismatch,
}

impl Money {
    /// This many minor units; errors outside 0 to [`MAX_MINOR`].
    pub fn new(minor: i64, currency: Currency) -> Result<Self, MoneyError> {
        if (0..=MAX_MINOR).contains(&minor) {
            Ok(Self { minor, currency })
        } else {
            Err(MoneyError::OutOfRange)
        }
    }

    /// Zero in this currency.
    pub fn zero(currency: Currency) -> Self {
        Self { minor: 0, currency }
    }

    /// The minor units, 0 to [`MAX_MINOR`].
    pub fn minor(self) -> i64 {
        self.minor
    }

    /// The currency.
    pub fn currency(self) -> Currency {
        self.currency
    }

    /// Whether the amount is zero.
    pub fn is_zero(self) -> bool {
        self.minor == 0
    }

    /// The sum; errors if it is out of range or the currencies differ.
    pub fn plus(self, other: Self) -> Result<Self, MoneyError> {
        self.same_currency(other)?;
        let sum = self
            .minor
            .checked_add(other.minor)
            .ok_or(MoneyError::OutOfRange)?;
        Self::new(sum, self.currency)
    }

    /// The difference; errors if it is negative or the currencies differ.
    pub fn minus(self, other: Self) -> Result<Self, MoneyError> {
        self.same_currency(other)?;
        let rest = self
            .minor
            .checked_sub(other.minor)
            .ok_or(MoneyError::OutOfRange)?;
        Self::new(rest, self.currency)
    }

    /// Whether this is at most `other`; errors if the currencies differ.
    pub fn at_most(self, other: Self) -> Result<bool, MoneyError> {
        self.same_currency(other)
            .map(|()| self.minor <= other.minor)
    }

    /// The amount without its currency, exact and with a decimal point: `99.99` for 9999 minor
    /// units of EUR.
    pub fn decimal_text(self) -> String {
        let decimals = usize::try_from(self.currency.exponent()).unwrap_or(0);
        let digits = format!(
            "{:0>width$}",
            self.minor,
            width = decimals.saturating_add(1)
        );
        match digits.split_at_checked(digits.len().saturating_sub(decimals)) {
            Some((whole, fraction)) if !fraction.is_empty() => format!("{whole}.{fraction}"),
            _ => digits,
        }
    }

    fn same_currency(self, other: Self) -> Result<(), MoneyError> {
        if self.currency == other.currency {
            Ok(())
        } else {
            Err(MoneyError::CurrencyMismatch)
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn eur(minor: i64) -> Money {
        Money::new(minor, Currency::parse("EUR").unwrap()).unwrap()
    }

    #[test]
    fn range_and_currency_are_kept() {
        let (eur_code, usd) = (
            Currency::parse("EUR").unwrap(),
            Currency::parse("USD").unwrap(),
        );
        assert_eq!(Money::new(-1, eur_code), Err(MoneyError::OutOfRange));
        assert_eq!(
            Money::new(MAX_MINOR + 1, eur_code),
            Err(MoneyError::OutOfRange)
        );
        assert_eq!(
            eur(1).plus(Money::zero(usd)),
            Err(MoneyError::CurrencyMismatch)
        );
        assert_eq!(eur(1).minus(eur(2)), Err(MoneyError::OutOfRange));
        assert_eq!(eur(MAX_MINOR).plus(eur(1)), Err(MoneyError::OutOfRange));
    }

    #[test]
    fn decimal_text_is_exact_in_every_currency() {
        for (minor, code, text) in [
            (9999, "EUR", "99.99"),
            (5, "EUR", "0.05"),
            (50, "EUR", "0.50"),
            (100, "EUR", "1.00"),
            (0, "EUR", "0.00"),
            (9999, "JPY", "9999"),
            (0, "JPY", "0"),
            (12_345, "KWD", "12.345"),
            (7, "KWD", "0.007"),
            (MAX_MINOR, "EUR", "999999999.99"),
        ] {
            let amount = Money::new(minor, Currency::parse(code).unwrap()).unwrap();
            assert_eq!(amount.decimal_text(), text, "{minor} {code}");
        }
    }

    proptest! {
        #[test]
        fn addition_and_subtraction_are_inverse(a in 0..=MAX_MINOR / 2, b in 0..=MAX_MINOR / 2) {
            prop_assert_eq!(eur(a).plus(eur(b)).unwrap().minus(eur(b)).unwrap(), eur(a));
        }
    }
}
