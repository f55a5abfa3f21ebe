//! Validated texts from merchants; each type guarantees its rule.

use std::{collections::BTreeMap, fmt};

use email_address::{EmailAddress, Options};
use unicode_normalization::UnicodeNormalization as _;
use url::{Host, Url};

/// The rule that a text violates; the message is safe for the API and never contains the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TextError {
    /// Empty although required.
    #[error("must not be empty")]
    Empty,
    /// More characters than the rule allows.
    #[error("must be at most {0} characters")]
    TooLong(usize),
    /// Only blanks.
    #[error("must not be blank")]
    Blank,
    /// A control character.
    #[error("must not contain control characters")]
    Control,
    /// A character that is invisible, or that changes the direction of the text around it.
    #[error("must not contain invisible or bidirectional control characters")]
    Invisible,
    /// Not a syntactically valid e-mail address.
    #[error("must be a valid e-mail address")]
    Email,
    /// Not a possible E.164 number.
    #[error("must be a phone number in E.164 form with a known country code and a possible length")]
    Phone,
    /// Not an absolute `https` URL as the rule requires.
    #[error("must be an absolute https URL without user info and fragment")]
    Url,
    /// A literal IP address that is not on the public internet.
    #[error("must not point to a private, loopback, link-local, multicast or reserved address")]
    Address,
    /// More than 50 members.
    #[error("must have at most {0} members")]
    TooMany(usize),
    /// A key of invalid length.
    #[error("keys must be 1 to {0} characters without control characters")]
    Key(usize),
}

fn plain(text: &str, most: usize) -> Result<String, TextError> {
    if text.is_empty() {
        return Err(TextError::Empty);
    }
    if text.chars().count() > most {
        return Err(TextError::TooLong(most));
    }
    if text.chars().any(char::is_control) {
        return Err(TextError::Control);
    }
    if text.chars().any(is_invisible) {
        return Err(TextError::Invisible);
    }
    if text.trim().is_empty() {
        return Err(TextError::Blank);
    }
    Ok(text.to_owned())
}

/// Whether a character has no glyph of its own: texts that differ only in it look alike, and it can
/// reorder the text around it. These are Unicode's default-ignorable code points, which include the
/// bidirectional controls, and the separators and blanks outside of its white space.
fn is_invisible(c: char) -> bool {
    matches!(
        c,
        '\u{ad}'
            | '\u{34f}'
            | '\u{61c}'
            | '\u{115f}'..='\u{1160}'
            | '\u{17b4}'..='\u{17b5}'
            | '\u{180b}'..='\u{180f}'
            | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{2800}'
            | '\u{3164}'
            | '\u{fe00}'..='\u{fe0f}'
            | '\u{feff}'
            | '\u{ffa0}'
            | '\u{fff0}'..='\u{fffb}'
            | '\u{1bca0}'..='\u{1bca3}'
            | '\u{1d173}'..='\u{1d17a}'
            | '\u{e0000}'..='\u{e0fff}'
    )
}

macro_rules! texts {
    ($($(#[$doc:meta])* $name:ident, $parse:expr;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Hash)]
        pub struct $name(String);

        impl $name {
            /// Parses the text; errors with the rule that it violates.
            pub fn parse(text: &str) -> Result<Self, TextError> {
                let parse: fn(&str) -> Result<String, TextError> = $parse;
                parse(text).map(Self)
            }

            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }
    )*};
}

texts! {
    /// The merchant's own reference of a session or refund: 1 to 255 characters, not blank, no
    /// control or invisible characters; need not be unique.
    Reference, |text| plain(text, 255);
    /// The merchant's order number: 1 to 255 characters, not blank, no control or invisible
    /// characters.
    OrderId, |text| plain(text, 255);
    /// A merchant's name as shoppers see it: 1 to 100 characters, not blank, no control or
    /// invisible characters.
    MerchantName, |text| plain(text, 100);
    /// A syntactically valid e-mail address of at most 254 characters; personal data.
    Email, parse_email;
    /// A phone number in E.164 form; personal data.
    Phone, parse_phone;
}

macro_rules! shown {
    ($($name:ident),*) => {$(impl fmt::Debug for $name {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str(&mask_card_numbers(&self.0))
        }
    })*};
}
macro_rules! hidden {
    ($($name:ident),*) => {$(impl fmt::Debug for $name {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str(concat!(stringify!($name), "(…)"))
        }
    })*};
}
shown!(Reference, OrderId, MerchantName);
hidden!(Email, Phone);

fn parse_email(text: &str) -> Result<String, TextError> {
    if text.chars().count() > 254 {
        return Err(TextError::TooLong(254));
    }
    let options = Options::default()
        .without_display_text()
        .with_required_tld();
    // Letters and accents may be separate code points, as some keyboards produce them; the parser
    // accepts only composed ones.
    let composed: String = text.nfc().collect();
    EmailAddress::parse_with_options(&composed, options)
        .map(|_| text.to_owned())
        .map_err(|_| TextError::Email)
}

/// `+`, a known country code, and a possible length for it (libphonenumber's metadata).
fn parse_phone(text: &str) -> Result<String, TextError> {
    let digits = text.strip_prefix('+').ok_or(TextError::Phone)?;
    let plain = (5..=15).contains(&digits.len())
        && !digits.starts_with('0')
        && digits.bytes().all(|b| b.is_ascii_digit());
    let possible = plain && (1..=3).any(|length| is_possible(digits, length));
    if possible {
        Ok(text.to_owned())
    } else {
        Err(TextError::Phone)
    }
}

fn is_possible(digits: &str, code_length: usize) -> bool {
    let Some((code, national)) = digits.split_at_checked(code_length) else {
        return false;
    };
    let Ok(code) = code.parse::<u16>() else {
        return false;
    };
    let regions = phonenumber::metadata::DATABASE
        .by_code(&code)
        .unwrap_or_default();
    // The general descriptor has no lengths: the lengths of all number types together count.
    regions
        .iter()
        .flat_map(|region| KINDS.iter().filter_map(|k| region.descriptors().get(*k)))
        .any(|kind| {
            kind.possible_length()
                .iter()
                .any(|length| usize::from(*length) == national.len())
        })
}

/// The types of phone numbers that a shopper can have.
const KINDS: [phonenumber::Type; 10] = {
    use phonenumber::Type;
    [
        Type::FixedLine,
        Type::Mobile,
        Type::TollFree,
        Type::PremiumRate,
        Type::SharedCost,
        Type::PersonalNumber,
        Type::Voip,
        Type::Pager,
        Type::Uan,
        Type::Voicemail,
    ]
};

/// Where the shopper is redirected after the payment: an absolute `https` URL of at most 2048
/// characters without user info and fragment; in the sandbox also `http` to loopback hosts.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ReturnUrl {
    text: String,
    origin: String,
}

impl ReturnUrl {
    /// Parses the URL; `sandbox` allows `http` to loopback hosts.
    pub fn parse(text: &str, sandbox: bool) -> Result<Self, TextError> {
        let url = web_url(text, sandbox)?;
        Ok(Self {
            text: text.to_owned(),
            origin: url.origin().ascii_serialization(),
        })
    }

    /// The URL as the merchant wrote it.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Its origin (`https://shop.example.com`).
    pub fn origin(&self) -> &str {
        &self.origin
    }
}

/// Parses an absolute `https` URL without user info and fragment, of at most 2048 characters;
/// `sandbox` allows `http` to loopback hosts.
pub(crate) fn web_url(text: &str, sandbox: bool) -> Result<Url, TextError> {
    if text.chars().count() > 2048 {
        return Err(TextError::TooLong(2048));
    }
    if text.chars().any(|c| c.is_control() || c.is_whitespace()) {
        return Err(TextError::Url);
    }
    let url = Url::parse(text).map_err(|_| TextError::Url)?;
    let scheme_fits = match url.scheme() {
        "https" => true,
        "http" => sandbox && url.host().is_some_and(|host| is_loopback(&host)),
        _ => false,
    };
    // The parser repairs `https:/x` and `https:\\x`; later readers of the text may not.
    let whole = text
        .split_once("://")
        .is_some_and(|(_, rest)| !rest.starts_with('/'))
        && !text.contains('\\');
    // Checks the text, since the parser drops empty user info.
    let host = text.split(['/', '?']).nth(2).unwrap_or_default();
    let bare = !host.contains('@') && !text.contains('#');
    if !scheme_fits || !whole || !bare || url.host().is_none() {
        return Err(TextError::Url);
    }
    Ok(url)
}

fn is_loopback(host: &Host<&str>) -> bool {
    match host {
        Host::Domain(name) => *name == "localhost" || name.ends_with(".localhost"),
        Host::Ipv4(address) => address.is_loopback(),
        Host::Ipv6(address) => address.is_loopback(),
    }
}

/// The merchant's own key-value pairs: at most 50, keys 1 to 40, values up to 500 characters.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Metadata(BTreeMap<String, String>);

impl Metadata {
    /// Validates the pairs; errors with the rule that they violate.
    pub fn new(pairs: BTreeMap<String, String>) -> Result<Self, TextError> {
        if pairs.len() > 50 {
            return Err(TextError::TooMany(50));
        }
        for (key, value) in &pairs {
            plain(key, 40).map_err(|_| TextError::Key(40))?;
            if value.chars().count() > 500 {
                return Err(TextError::TooLong(500));
            }
            if value.contains('\0') {
                return Err(TextError::Control);
            }
        }
        Ok(Self(pairs))
    }

    /// The pairs, by key.
    pub fn pairs(&self) -> &BTreeMap<String, String> {
        &self.0
    }
}

impl fmt::Debug for Metadata {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Metadata({} pairs)", self.0.len())
    }
}

/// The shopper's contact data: personal data, sealed in a table of its own.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Contact {
    /// The shopper's e-mail address.
    pub email: Option<Email>,
    /// The shopper's phone number.
    pub phone: Option<Phone>,
}

impl Contact {
    /// Whether there is no contact data.
    pub fn is_empty(&self) -> bool {
        self.email.is_none() && self.phone.is_none()
    }
}

/// The text with every run of 13 to 19 digits that passes the Luhn check masked to its last four,
/// for logging texts that may contain a card number.
///
/// Single blanks and dashes between digits belong to a run.
pub fn mask_card_numbers(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut run = String::new();
    for c in text.chars() {
        let joins = matches!(c, ' ' | '-') && run.ends_with(|last: char| last.is_ascii_digit());
        if c.is_ascii_digit() || joins {
            run.push(c);
        } else {
            flush(&mut out, &mut run);
            out.push(c);
        }
    }
    flush(&mut out, &mut run);
    out
}

fn flush(out: &mut String, run: &mut String) {
    let number = run.trim_end_matches([' ', '-']);
    let digits: Vec<u32> = number.chars().filter_map(|c| c.to_digit(10)).collect();
    if (13..=19).contains(&digits.len()) && passes_luhn(&digits) {
        let plain: String = number.chars().filter(char::is_ascii_digit).collect();
        out.push_str("****");
        out.push_str(
            plain
                .get(plain.len().saturating_sub(4)..)
                .unwrap_or_default(),
        );
        out.push_str(run.get(number.len()..).unwrap_or_default());
    } else {
        out.push_str(run);
    }
    run.clear();
}

fn passes_luhn(digits: &[u32]) -> bool {
    let weigh = |(digit, double): (&u32, bool)| match (double, digit) {
        (false, _) => *digit,
        (true, 0..=4) => digit.saturating_mul(2),
        (true, _) => digit.saturating_mul(2).saturating_sub(9),
    };
    let doubles = [false, true].into_iter().cycle();
    let sum: u32 = digits.iter().rev().zip(doubles).map(weigh).sum();
    sum.checked_rem(10) == Some(0)
}

#[cfg(test)]
mod tests;
