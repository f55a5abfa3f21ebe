//! Exact conversion between our minor units (ISO 4217) and a provider's.

use oncharge_domain::{currency::Currency, money::Money};
use oncharge_ports::psp::UnsupportedAmount;

/// Converts to a provider's units, 10^`exponent` of which are one unit of the currency.
///
/// Refuses amounts without an exact form, and zero: no provider moves an amount of zero.
pub(crate) fn to_provider(amount: Money, exponent: u32) -> Result<i64, UnsupportedAmount> {
    if amount.is_zero() {
        return Err(UnsupportedAmount);
    }
    rescale(amount.minor(), amount.currency().exponent(), exponent).ok_or(UnsupportedAmount)
}

/// Converts from a provider's units; `None` if the amount has no exact form here.
pub(crate) fn from_provider(units: i64, currency: Currency, exponent: u32) -> Option<Money> {
    let minor = rescale(units, exponent, currency.exponent())?;
    Money::new(minor, currency).ok()
}

fn rescale(value: i64, from: u32, to: u32) -> Option<i64> {
    if to >= from {
        return value.checked_mul(10_i64.checked_pow(to - from)?);
    }
    let divisor = 10_i64.checked_pow(from - to)?;
    (value % divisor == 0).then_some(value / divisor)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn money(minor: i64, code: &str) -> Money {
        Money::new(minor, Currency::parse(code).unwrap()).unwrap()
    }

    #[test]
    fn amounts_are_rescaled_exactly_or_refused() {
        // (minor units, currency, the provider's exponent, its units)
        let cases = [
            (1234, "EUR", 2, Some(1234)),
            (500, "JPY", 0, Some(500)),
            (1230, "KWD", 2, Some(123)),
            (1234, "KWD", 2, None),
            (500, "ISK", 2, Some(50_000)),
            (99_999_999_999, "ISK", 12, None),
            (0, "EUR", 2, None),
        ];
        for (minor, code, exponent, expected) in cases {
            let units = to_provider(money(minor, code), exponent);
            assert_eq!(units.ok(), expected, "{minor} {code} at {exponent}");
        }
    }

    #[test]
    fn rescaling_round_trips() {
        for (minor, code, exponent) in [(1, "EUR", 2), (1230, "KWD", 2), (7, "ISK", 2)] {
            let amount = money(minor, code);
            let units = to_provider(amount, exponent).unwrap();
            assert_eq!(
                from_provider(units, amount.currency(), exponent),
                Some(amount)
            );
        }
        let eur = Currency::parse("EUR").unwrap();
        assert_eq!(from_provider(-1, eur, 2), None);
        assert_eq!(from_provider(i64::MAX, eur, 2), None);
        assert_eq!(from_provider(15, eur, 3), None);
    }
}
