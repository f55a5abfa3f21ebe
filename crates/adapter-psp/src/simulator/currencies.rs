//! The number of decimals of each currency at the simulator; every connector has its own table.
//!
//! The simulator follows ISO 4217. The table is written out nevertheless: it documents a guarantee
//! of the provider, and a currency that is added to ISO 4217 is refused until somebody has checked
//! how the provider handles it.

use oncharge_domain::currency::Currency;

const NO_DECIMALS: &[&str] = &[
    "BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "VND", "VUV",
    "XAF", "XOF", "XPF",
];

const TWO_DECIMALS: &[&str] = &[
    "AED", "AFN", "ALL", "AMD", "AOA", "ARS", "AUD", "AWG", "AZN", "BAM", "BBD", "BDT", "BMD",
    "BND", "BOB", "BRL", "BSD", "BTN", "BWP", "BYN", "BZD", "CAD", "CDF", "CHF", "CNY", "COP",
    "CRC", "CUP", "CVE", "CZK", "DKK", "DOP", "DZD", "EGP", "ERN", "ETB", "EUR", "FJD", "FKP",
    "GBP", "GEL", "GHS", "GIP", "GMD", "GTQ", "GYD", "HKD", "HNL", "HTG", "HUF", "IDR", "ILS",
    "INR", "IRR", "JMD", "KES", "KGS", "KHR", "KPW", "KYD", "KZT", "LAK", "LBP", "LKR", "LRD",
    "LSL", "MAD", "MDL", "MGA", "MKD", "MMK", "MNT", "MOP", "MRU", "MUR", "MVR", "MWK", "MXN",
    "MYR", "MZN", "NAD", "NGN", "NIO", "NOK", "NPR", "NZD", "PAB", "PEN", "PGK", "PHP", "PKR",
    "PLN", "QAR", "RON", "RSD", "RUB", "SAR", "SBD", "SCR", "SDG", "SEK", "SGD", "SHP", "SLE",
    "SOS", "SRD", "SSP", "STN", "SVC", "SYP", "SZL", "THB", "TJS", "TMT", "TOP", "TRY", "TTD",
    "TWD", "TZS", "UAH", "USD", "UYU", "UZS", "VED", "WST", "XCD", "XCG", "YER", "ZAR", "ZMW",
    "ZWG",
];

const THREE_DECIMALS: &[&str] = &["BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"];

/// The simulator's number of decimals for this currency; `None` if it is not in the table.
pub(super) fn exponent(currency: Currency) -> Option<u32> {
    exponent_of(currency.code())
}

fn exponent_of(code: &str) -> Option<u32> {
    [(0, NO_DECIMALS), (2, TWO_DECIMALS), (3, THREE_DECIMALS)]
        .into_iter()
        .find_map(|(exponent, codes)| codes.contains(&code).then_some(exponent))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exponents_match_iso_4217() {
        for currency in Currency::all() {
            assert_eq!(exponent(currency), Some(currency.exponent()), "{currency}");
        }
    }

    #[test]
    fn the_table_has_each_active_currency_once() {
        let mut codes = [NO_DECIMALS, TWO_DECIMALS, THREE_DECIMALS].concat();
        let all = codes.len();
        codes.sort_unstable();
        codes.dedup();
        assert_eq!(codes.len(), all);
        assert_eq!(all, Currency::all().count());
        assert_eq!(exponent_of("XXX"), None);
    }
}
