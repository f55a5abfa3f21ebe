//! The shared blocklist: banned shoppers, stored only as peppered hashes.

use std::{borrow::Cow, fmt};

use phonenumber::metadata::DATABASE;
use ring::hmac;
use unicode_normalization::UnicodeNormalization;

use strum::IntoStaticStr;

use crate::{
    id::BanId,
    keyring::{DerivedKeys, KeyFingerprint, KeyId, Keyring},
    text::{Contact, Email, Phone, TextError},
    time::Timestamp,
};

/// The default duration of a ban, in days.
pub const DEFAULT_DAYS: u32 = 365;

/// The type of a shopper's identifier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub enum IdentifierType {
    /// An e-mail address.
    Email,
    /// A phone number.
    Phone,
}

impl IdentifierType {
    /// The name in the API and in the store.
    pub fn name(self) -> &'static str {
        self.into()
    }
}

/// A normalized identifier: two spellings of one mailbox or number are equal. Personal data.
#[derive(Clone, PartialEq, Eq)]
pub struct Identifier {
    kind: IdentifierType,
    text: String,
}

impl Identifier {
    /// An e-mail address: Unicode-normalized, case-folded, without quotes, domain in ASCII form;
    /// for well-known mail hosts also their alias domains, dots and `+tag`.
    pub fn email(email: &Email) -> Self {
        let folded: String = email.as_str().nfkc().collect::<String>().to_lowercase();
        let (local, domain) = folded.rsplit_once('@').unwrap_or((&folded, ""));
        let ascii = idna::domain_to_ascii(domain).unwrap_or_else(|_| domain.to_owned());
        let host = MailHost::of(&ascii);
        let local: String = host.local(&unquoted(local)).nfc().collect();
        let domain = host.canonical.unwrap_or(&ascii);
        Self {
            kind: IdentifierType::Email,
            text: format!("{local}@{domain}"),
        }
    }

    /// A number in E.164 form, without the trunk zero, which is dialed only within a country but
    /// often left in (`+49 0170…` becomes `+49 170…`).
    pub fn phone(phone: &Phone) -> Self {
        Self {
            kind: IdentifierType::Phone,
            text: without_trunk_zero(phone.as_str()),
        }
    }

    /// Parses a number as people write it, with blanks, dashes, dots, brackets, `(0)` and a leading
    /// `00`.
    pub fn phone_from_input(text: &str) -> Result<Self, TextError> {
        let kept: String = text
            .replace("(0)", "")
            .chars()
            .filter(|c| !" -./()\u{a0}".contains(*c))
            .collect();
        let international = kept
            .strip_prefix("00")
            .map(|rest| format!("+{rest}"))
            .unwrap_or(kept);
        Phone::parse(&international).map(|phone| Self::phone(&phone))
    }

    /// All identifiers in a shopper's contact data.
    pub fn of_contact(contact: &Contact) -> Vec<Self> {
        let email = contact.email.as_ref().map(Self::email);
        let phone = contact.phone.as_ref().map(Self::phone);
        email.into_iter().chain(phone).collect()
    }

    /// Its type.
    pub fn kind(&self) -> IdentifierType {
        self.kind
    }
}

impl fmt::Debug for Identifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Identifier({}, …)", self.kind.name())
    }
}

/// In countries with the trunk prefix 0, no international number begins with it.
fn without_trunk_zero(number: &str) -> String {
    let without = |code_length: usize| {
        let (code, national) = number.split_at_checked(code_length.checked_add(1)?)?;
        let regions = DATABASE.by_code(&code.strip_prefix('+')?.parse().ok()?)?;
        let dialled = regions.iter().all(|it| it.national_prefix() == Some("0"));
        let rest = national.strip_prefix('0')?;
        dialled.then(|| [code, rest].concat())
    };
    (1..=3)
        .find_map(without)
        .unwrap_or_else(|| number.to_owned())
}

/// `"a\.b"` and `a.b` are one mailbox.
fn unquoted(local: &str) -> Cow<'_, str> {
    let inner = local
        .strip_prefix('"')
        .and_then(|rest| rest.strip_suffix('"'));
    let Some(inner) = inner else {
        return Cow::Borrowed(local);
    };
    let mut plain = String::with_capacity(inner.len());
    let mut chars = inner.chars();
    while let Some(c) = chars.next() {
        let escaped = (c == '\\').then(|| chars.next()).flatten();
        plain.push(escaped.unwrap_or(c));
    }
    Cow::Owned(plain)
}

/// A mail host whose equivalent spellings of a mailbox are known.
struct MailHost {
    canonical: Option<&'static str>,
    ignores_dots: bool,
    tag: Option<char>,
}

impl MailHost {
    fn of(domain: &str) -> Self {
        let host = |canonical, ignores_dots| Self {
            canonical: Some(canonical),
            ignores_dots,
            tag: Some('+'),
        };
        match domain {
            "gmail.com" | "googlemail.com" => host("gmail.com", true),
            "outlook.com" | "hotmail.com" | "live.com" | "msn.com" => {
                // Separate mailboxes: they have only the tag in common.
                Self {
                    canonical: None,
                    ignores_dots: false,
                    tag: Some('+'),
                }
            }
            "icloud.com" | "me.com" | "mac.com" => host("icloud.com", false),
            "protonmail.com" | "proton.me" | "pm.me" => host("proton.me", true),
            "fastmail.com" | "fastmail.fm" => host("fastmail.com", false),
            "yandex.ru" | "yandex.com" | "ya.ru" => host("yandex.ru", false),
            "yahoo.com" | "ymail.com" => Self {
                canonical: None,
                ignores_dots: false,
                tag: Some('-'),
            },
            _ => Self {
                canonical: None,
                ignores_dots: false,
                tag: None,
            },
        }
    }

    fn local(&self, local: &str) -> String {
        let untagged = match self.tag.and_then(|tag| local.split_once(tag)) {
            Some((name, _)) if !name.is_empty() => name,
            _ => local,
        };
        untagged
            .chars()
            .filter(|c| !(self.ignores_dots && *c == '.'))
            .collect()
    }
}

/// An identifier hashed under a pepper, the only form that the blocklist stores.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PepperedHash {
    /// The pepper's id.
    pub pepper: KeyId,
    /// HMAC-SHA256 of type and normalized identifier under that pepper.
    pub hash: [u8; 32],
}

/// Hashes identifiers under every pepper of the deployment.
#[derive(Clone, Debug)]
pub struct Peppers {
    keys: DerivedKeys,
    fingerprints: Vec<KeyFingerprint>,
}

impl Peppers {
    /// Derives the hash keys from the deployment's peppers; the first is used for new bans.
    pub fn new(peppers: &Keyring) -> Self {
        Self {
            keys: peppers.derive("blocklist"),
            fingerprints: peppers.fingerprints(),
        }
    }

    /// The hash under each pepper, the first one first; never empty for a parsed keyring.
    pub fn hashes(&self, identifier: &Identifier) -> Vec<PepperedHash> {
        let text = [identifier.kind.name(), ":", &identifier.text].concat();
        let hash = |(pepper, key): (&KeyId, &hmac::Key)| {
            let mut bytes = [0; 32];
            bytes.copy_from_slice(hmac::sign(key, text.as_bytes()).as_ref());
            PepperedHash {
                pepper: pepper.clone(),
                hash: bytes,
            }
        };
        self.keys.iter().map(hash).collect()
    }

    /// The fingerprint of each pepper, in the order of [`Peppers::hashes`].
    pub fn fingerprints(&self) -> &[KeyFingerprint] {
        &self.fingerprints
    }
}

/// A ban; it can be revoked or expire, but is never deleted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ban {
    /// Its id.
    pub id: BanId,
    /// The type of the banned identifier.
    pub kind: IdentifierType,
    /// The banned identifier under a pepper.
    pub hash: PepperedHash,
    /// Who added it (`operator`).
    pub source: String,
    /// An operator's note; must not contain personal data.
    pub reason: Option<String>,
    /// When it was added.
    pub created_at: Timestamp,
    /// When it expires.
    pub expires_at: Timestamp,
    /// When it was revoked.
    pub revoked_at: Option<Timestamp>,
}

impl Ban {
    /// Whether it is in force at this time.
    pub fn is_live(&self, now: Timestamp) -> bool {
        self.revoked_at.is_none() && now < self.expires_at
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn email(text: &str) -> Identifier {
        Identifier::email(&Email::parse(text).unwrap())
    }

    #[test]
    fn equivalent_emails_are_equal() {
        for (a, b) in [
            ("Shopper@Example.COM", "shopper@example.com"),
            ("j.doe+shop@gmail.com", "JDOE@googlemail.com"),
            ("j.doe@proton.me", "jdoe+x@pm.me"),
            ("jane+a@icloud.com", "jane@me.com"),
            ("a@bücher.example", "a@xn--bcher-kva.example"),
            ("ﬁne@example.com", "fine@example.com"),
            ("gru\u{308}n@bu\u{308}cher.example", "grün@bücher.example"),
            (r#""jane"@example.com"#, "jane@example.com"),
            (r#""j\.doe+x"@gmail.com"#, "jdoe@gmail.com"),
        ] {
            assert_eq!(email(a), email(b), "{a} {b}");
        }
    }

    #[test]
    fn different_mailboxes_stay_different() {
        for (a, b) in [
            ("j.doe@example.com", "jdoe@example.com"),
            ("jane+a@example.com", "jane@example.com"),
            ("a@hotmail.com", "a@outlook.com"),
            ("a@gmail.com", "a@example.com"),
        ] {
            assert_ne!(email(a), email(b), "{a} {b}");
        }
    }

    #[test]
    fn phone_numbers_in_common_notations() {
        let plain = Identifier::phone(&Phone::parse("+15551234567").unwrap());
        for text in ["+1 (555) 123-4567", "001 555.123.4567", "+15551234567"] {
            assert_eq!(Identifier::phone_from_input(text).unwrap(), plain, "{text}");
        }
        let german = Identifier::phone_from_input("+491701234567").unwrap();
        for text in ["+4901701234567", "+49 (0)170 1234567", "0049 170/1234567"] {
            let read = Identifier::phone_from_input(text).unwrap();
            assert!(read == german, "{text}: {}", read.text);
        }
        let london = Identifier::phone_from_input("+44 (0)20 7183 8750").unwrap();
        assert_eq!(london.text, "+442071838750");
        // The zero is part of an Italian number.
        let rome = Identifier::phone_from_input("+39 06 6982 1234").unwrap();
        assert_eq!(rome.text, "+390669821234");
        assert!(Identifier::phone_from_input("555").is_err());
    }

    #[test]
    fn one_hash_per_pepper_and_types_do_not_mix() {
        let entry =
            |id: &str, byte| Keyring::entry(&KeyId::parse(id).unwrap(), &[byte; 32]).to_string();
        let peppers =
            Peppers::new(&Keyring::parse(&[entry("new", 2), entry("old", 1)].join(",")).unwrap());
        let hashes = peppers.hashes(&email("a@example.com"));
        assert_eq!(hashes.len(), 2);
        assert_eq!(hashes[0].pepper.as_str(), "new");
        assert_ne!(hashes[0].hash, hashes[1].hash);
        assert_ne!(peppers.hashes(&email("b@example.com")), hashes);
    }
}
