//! Formats minor units as exact decimal text, without floats.

/// The amount with the currency's decimals and a decimal point: `9999` with 2 decimals is `99.99`.
/// Language-neutral; the browser's `Intl` formats it for the shopper's locale.
pub fn decimal_text(minor: i64, decimals: u8) -> String {
    let sign = if minor < 0 { "-" } else { "" };
    let decimals = usize::from(decimals);
    let digits = format!(
        "{:0>width$}",
        minor.unsigned_abs(),
        width = decimals.saturating_add(1)
    );
    match digits.split_at_checked(digits.len().saturating_sub(decimals)) {
        Some((whole, "")) => format!("{sign}{whole}"),
        Some((whole, fraction)) => format!("{sign}{whole}.{fraction}"),
        None => format!("{sign}{digits}"),
    }
}

#[cfg(test)]
mod tests {
    use super::decimal_text;

    #[test]
    fn amounts_are_exact_in_every_currency() {
        let cases = [
            (9999, 2, "99.99"),
            (5, 2, "0.05"),
            (50, 2, "0.50"),
            (100, 2, "1.00"),
            (0, 2, "0.00"),
            (9999, 0, "9999"),
            (0, 0, "0"),
            (12345, 3, "12.345"),
            (7, 3, "0.007"),
            (12345, 4, "1.2345"),
            (99_999_999_999, 2, "999999999.99"),
            (i64::MAX, 2, "92233720368547758.07"),
            (i64::MIN, 3, "-9223372036854775.808"),
        ];
        for (minor, decimals, expected) in cases {
            assert_eq!(
                decimal_text(minor, decimals),
                expected,
                "{minor} with {decimals}"
            );
        }
    }
}
