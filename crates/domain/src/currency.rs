//! ISO 4217 currencies in use.

use std::fmt;

/// An ISO 4217 currency in use: no superseded, fund or special code.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Currency(iso_currency::Currency);

/// The text is not the alphabetic code of a currency in use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be an ISO 4217 code in use, in upper case")]
pub struct UnknownCurrency;

impl Currency {
    /// Parses an upper-case alphabetic code (`EUR`).
    pub fn parse(code: &str) -> Result<Self, UnknownCurrency> {
        let currency = iso_currency::Currency::from_code(code).ok_or(UnknownCurrency)?;
        // The flags are: superseded, fund, special.
        let in_use =
            currency.code() == code && currency.flags().is_empty() && currency.exponent().is_some();
        if in_use {
            Ok(Self(currency))
        } else {
            Err(UnknownCurrency)
        }
    }

    /// The alphabetic code, three upper-case letters.
    pub fn code(self) -> &'static str {
        self.0.code()
    }

    /// The number of decimals of the minor unit (0 for JPY, 2 for EUR, 3 for KWD).
    pub fn exponent(self) -> u32 {
        self.0.exponent().map_or(0, u32::from)
    }

    /// Every currency that [`Currency::parse`] accepts.
    pub fn all() -> impl Iterator<Item = Self> {
        use iso_currency::IntoEnumIterator;
        iso_currency::Currency::iter().filter_map(|c| Self::parse(c.code()).ok())
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl fmt::Debug for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_in_use_are_read() {
        for (code, exponent) in [("USD", 2), ("JPY", 0), ("KWD", 3), ("EUR", 2), ("CHF", 2)] {
            assert_eq!(
                Currency::parse(code).unwrap().exponent(),
                exponent,
                "{code}"
            );
        }
        assert!(Currency::all().count() > 140);
    }

    #[test]
    fn everything_else_is_refused() {
        for code in [
            "usd", "US", "USDX", "", "XXX", "XTS", "XAU", "DEM", "CHE", "USN", "840",
        ] {
            assert_eq!(Currency::parse(code), Err(UnknownCurrency), "{code}");
        }
    }
}
