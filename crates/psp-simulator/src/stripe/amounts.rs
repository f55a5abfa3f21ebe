//! Amounts as Stripe accepts them: minimums, currencies with other than two decimals.

use super::error::StripeError;

/// The largest amount, in minor units: eight digits.
const MAX_AMOUNT: i64 = 99_999_999;

/// Currencies whose minor unit is the currency itself.
const ZERO_DECIMAL: [&str; 16] = [
    "bif", "clp", "djf", "gnf", "jpy", "kmf", "krw", "mga", "pyg", "rwf", "ugx", "vnd", "vuv",
    "xaf", "xof", "xpf",
];
/// Currencies with three decimals, of which the last must be zero.
const THREE_DECIMAL: [&str; 5] = ["bhd", "jod", "kwd", "omr", "tnd"];

/// The smallest amounts that Stripe charges, in minor units. Other currencies have no minimum here.
const MINIMUMS: [(&str, i64); 24] = [
    ("usd", 50),
    ("aed", 200),
    ("aud", 50),
    ("bgn", 100),
    ("brl", 50),
    ("cad", 50),
    ("chf", 50),
    ("czk", 1_500),
    ("dkk", 250),
    ("eur", 50),
    ("gbp", 30),
    ("hkd", 400),
    ("huf", 17_500),
    ("inr", 50),
    ("jpy", 50),
    ("mxn", 1_000),
    ("myr", 200),
    ("nok", 300),
    ("nzd", 50),
    ("pln", 200),
    ("ron", 200),
    ("sek", 300),
    ("sgd", 50),
    ("thb", 1_000),
];

/// Checks a currency and returns it in lower case.
pub(super) fn currency(text: &str) -> Result<String, StripeError> {
    let code = text.to_ascii_lowercase();
    if code.len() == 3 && code.bytes().all(|byte| byte.is_ascii_lowercase()) {
        Ok(code)
    } else {
        Err(
            StripeError::invalid("Invalid currency: it must be a three-letter ISO code.")
                .with_param("currency"),
        )
    }
}

/// Checks the amount of a new payment.
pub(super) fn check(amount: i64, currency: &str) -> Result<(), StripeError> {
    let refused = |code, message: &str| {
        Err(StripeError::invalid(message)
            .with_code(code)
            .with_param("amount"))
    };
    if amount > MAX_AMOUNT {
        return refused("amount_too_large", "Amount must be no more than 99999999.");
    }
    let minimum = MINIMUMS
        .iter()
        .find(|(code, _)| *code == currency)
        .map_or(1, |(_, minimum)| *minimum);
    if amount < minimum {
        let least = format(minimum, currency);
        let message = format!("Amount must be at least {least} {currency}.");
        return refused("amount_too_small", &message);
    }
    if THREE_DECIMAL.contains(&currency) && amount % 10 != 0 {
        let message = format!("Amounts in {currency} must be multiples of 10.");
        return refused("parameter_invalid_integer", &message);
    }
    Ok(())
}

/// Formats an amount in major units, such as `10.00`.
pub(super) fn format(amount: i64, currency: &str) -> String {
    let decimals = if ZERO_DECIMAL.contains(&currency) {
        return amount.to_string();
    } else if THREE_DECIMAL.contains(&currency) {
        3
    } else {
        2
    };
    let unit = 10_i64.pow(decimals);
    let width = usize::try_from(decimals).unwrap_or(2);
    format!("{}.{:0width$}", amount / unit, amount % unit)
}

#[cfg(test)]
mod tests {
    use super::{check, currency, format};

    #[test]
    fn amounts_are_formatted_with_the_decimals_of_their_currency() {
        assert_eq!(format(1_005, "eur"), "10.05");
        assert_eq!(format(500, "jpy"), "500");
        assert_eq!(format(1_010, "kwd"), "1.010");
    }

    #[test]
    fn only_what_stripe_charges_is_accepted() {
        for (amount, code) in [
            (50, "eur"),
            (99_999_999, "usd"),
            (50, "jpy"),
            (1_010, "kwd"),
        ] {
            assert!(check(amount, code).is_ok(), "{amount} {code}");
        }
        for (amount, code) in [
            (49, "eur"),
            (100_000_000, "usd"),
            (49, "jpy"),
            (1_015, "kwd"),
        ] {
            assert!(check(amount, code).is_err(), "{amount} {code}");
        }
    }

    #[test]
    fn currencies_are_three_letters() {
        assert_eq!(currency("EUR").unwrap(), "eur");
        assert!(currency("eu").is_err() && currency("€").is_err() && currency("e1r").is_err());
    }
}
