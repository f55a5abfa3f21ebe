//! Stored card details: the brand and the last four digits of the number.

/// The longest brand that is stored, in characters.
const LONGEST_BRAND: usize = 32;
/// How many digits of a card number may be stored (PCI DSS 3.3 allows the last four).
const KEPT_DIGITS: usize = 4;

/// A card as a PSP describes it. It never holds more than four digits in a row or in total per
/// field, so that no PSP can make this service store a card number.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Card {
    brand: Option<String>,
    last4: Option<String>,
}

impl Card {
    /// Keeps the parts that have the right form and drops the rest: a brand of 1 to 32 printable
    /// ASCII characters with at most four digits, and exactly four digits. `None` if nothing is
    /// left.
    pub fn new(brand: Option<&str>, last4: Option<&str>) -> Option<Self> {
        let brand = brand.filter(|text| is_brand(text)).map(str::to_owned);
        let last4 = last4.filter(|text| is_last4(text)).map(str::to_owned);
        (brand.is_some() || last4.is_some()).then_some(Self { brand, last4 })
    }

    /// The brand as the PSP names it (`visa`).
    pub fn brand(&self) -> Option<&str> {
        self.brand.as_deref()
    }

    /// The last four digits of the number.
    pub fn last4(&self) -> Option<&str> {
        self.last4.as_deref()
    }
}

fn is_brand(text: &str) -> bool {
    let printable = text.bytes().all(|b| b.is_ascii_graphic() || b == b' ');
    let digits = text.bytes().filter(u8::is_ascii_digit).count();
    (1..=LONGEST_BRAND).contains(&text.len())
        && printable
        && text.trim() == text
        && digits <= KEPT_DIGITS
}

fn is_last4(text: &str) -> bool {
    text.len() == KEPT_DIGITS && text.bytes().all(|b| b.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_brand_and_four_digits_are_kept() {
        let longest = "x".repeat(32);
        for brand in ["visa", "mc", "American Express", "up-i_2000", &longest] {
            let card = Card::new(Some(brand), Some("4242")).unwrap();
            assert_eq!((card.brand(), card.last4()), (Some(brand), Some("4242")));
        }
        let card = Card::new(Some("visa"), None).unwrap();
        assert_eq!((card.brand(), card.last4()), (Some("visa"), None));
        let card = Card::new(None, Some("0005")).unwrap();
        assert_eq!((card.brand(), card.last4()), (None, Some("0005")));
        assert_eq!(Card::new(None, None), None);
    }

    #[test]
    fn a_longer_run_of_digits_is_never_kept() {
        let number = "4242424242424242";
        for text in [
            number,
            "424242424242",
            "42424",
            "4242 4242 4242 4242",
            "visa 4242424242424242",
            "42-42-42",
        ] {
            assert_eq!(Card::new(Some(text), Some(text)), None, "{text}");
            let card = Card::new(Some("visa"), Some(text)).unwrap();
            assert_eq!(card.last4(), None, "{text}");
        }
    }

    #[test]
    fn what_has_another_form_is_dropped() {
        let long = "x".repeat(33);
        for brand in ["", " ", " visa", "vi\nsa", "vi\u{202e}sa", "vísa", &long] {
            assert_eq!(Card::new(Some(brand), None), None, "{brand:?}");
        }
        for last4 in ["", "424", "424a", " 424", "４２４２", "+424"] {
            assert_eq!(Card::new(None, Some(last4)), None, "{last4:?}");
        }
    }
}
