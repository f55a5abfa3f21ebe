//! Texts of the checkout in the shopper's language: one plain message file per language.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use actix_web::http::header::{AcceptLanguage, HeaderValue, Quality, from_comma_delimited};

/// A language of the checkout.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Language {
    /// English, also the fallback for unsupported languages.
    English,
    /// German.
    German,
    /// French.
    French,
    /// Spanish.
    Spanish,
}

impl Language {
    /// All languages, the default first.
    pub const ALL: [Self; 4] = [Self::English, Self::German, Self::French, Self::Spanish];

    /// The primary subtag of BCP 47, as in `<html lang>`.
    pub const fn code(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::German => "de",
            Self::French => "fr",
            Self::Spanish => "es",
        }
    }

    /// The messages of this language.
    pub fn messages(self) -> &'static Messages {
        static ENGLISH: LazyLock<Messages> =
            LazyLock::new(|| Messages::parse(include_str!("../../assets/messages/en.json")));
        static GERMAN: LazyLock<Messages> =
            LazyLock::new(|| Messages::parse(include_str!("../../assets/messages/de.json")));
        static FRENCH: LazyLock<Messages> =
            LazyLock::new(|| Messages::parse(include_str!("../../assets/messages/fr.json")));
        static SPANISH: LazyLock<Messages> =
            LazyLock::new(|| Messages::parse(include_str!("../../assets/messages/es.json")));
        match self {
            Self::English => &ENGLISH,
            Self::German => &GERMAN,
            Self::French => &FRENCH,
            Self::Spanish => &SPANISH,
        }
    }
}

/// The shopper's preference from `Accept-Language`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LanguagePreference {
    /// The language of the texts.
    pub language: Language,
    /// The tag for formatting amounts: the language, with the shopper's region if one was given
    /// (`de-AT` formats amounts differently from `de-DE`).
    pub locale: String,
}

impl LanguagePreference {
    /// Negotiates by an `Accept-Language` header (RFC 9110 §12.5.4): the highest weight wins, then
    /// the order of the header. Invalid ranges are skipped; without a match the result is English.
    pub fn negotiate(header: Option<&str>) -> Self {
        let value = header.and_then(|text| HeaderValue::from_str(text).ok());
        let accepted = from_comma_delimited(value.iter()).map(AcceptLanguage);
        let ranges = accepted.map_or_else(|_| Vec::new(), |accepted| accepted.0);
        let supported = ranges.iter().filter_map(|range| {
            let tag = range.item.item()?;
            let preference = Self::of(tag.primary_language(), tag.region())?;
            (range.quality > Quality::ZERO).then_some((range.quality, preference))
        });
        // Of equal weights, `max_by_key` returns the last one.
        let best = supported.rev().max_by_key(|(weight, _)| *weight);
        best.map_or_else(
            || Self {
                language: Language::English,
                locale: Language::English.code().to_owned(),
            },
            |(_, preference)| preference,
        )
    }

    /// The preference for a language, if the checkout supports it, and a region.
    fn of(primary: &str, region: Option<&str>) -> Option<Self> {
        let is_it = |one: &Language| one.code().eq_ignore_ascii_case(primary);
        let language = Language::ALL.into_iter().find(is_it)?;
        let locale = match region {
            Some(region) => format!("{}-{}", language.code(), region.to_ascii_uppercase()),
            None => language.code().to_owned(),
        };
        Some(Self { language, locale })
    }
}

/// The messages of one language: a flat map from key to text, with `{placeholders}` for values.
#[derive(Debug)]
pub struct Messages(BTreeMap<String, String>);

impl Messages {
    /// An unreadable file would show keys in place of texts; a test reads all of them.
    fn parse(file: &str) -> Self {
        Self(serde_json::from_str(file).unwrap_or_default())
    }

    /// The text for this key; the key itself if there is none, so that a page is never blank.
    pub fn get<'a>(&'a self, key: &'a str) -> &'a str {
        self.0.get(key).map_or(key, String::as_str)
    }

    /// The text for this key with its `{placeholders}` replaced. Values are inserted literally and
    /// not expanded again: a merchant called `{amount}` keeps that name.
    pub fn fill(&self, key: &str, values: &[(&str, &str)]) -> String {
        let mut rest = self.get(key);
        let mut filled = String::with_capacity(rest.len());
        while let Some((before, after)) = rest.split_once('{') {
            filled.push_str(before);
            let Some((name, behind)) = after.split_once('}') else {
                filled.push('{');
                rest = after;
                continue;
            };
            match values.iter().find(|(known, _)| *known == name) {
                Some((_, value)) => filled.push_str(value),
                None => filled.extend(["{", name, "}"]),
            }
            rest = behind;
        }
        filled.push_str(rest);
        filled
    }

    /// The messages that the page's script needs: those under `live.`.
    pub fn script_messages(&self) -> BTreeMap<&str, &str> {
        self.0
            .iter()
            .filter(|(key, _)| key.starts_with("live."))
            .map(|(key, text)| (key.as_str(), text.as_str()))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn placeholders(text: &str) -> BTreeSet<&str> {
        text.split('{')
            .skip(1)
            .filter_map(|part| Some(part.split_once('}')?.0))
            .collect()
    }

    #[test]
    fn every_language_has_the_same_messages_and_placeholders() {
        let english = Language::English.messages();
        assert!(
            english.0.len() > 40,
            "the English messages could not be read"
        );
        for language in Language::ALL {
            let messages = language.messages();
            let keys: Vec<_> = messages.0.keys().collect();
            assert_eq!(keys, english.0.keys().collect::<Vec<_>>(), "{language:?}");
            for (key, text) in &messages.0 {
                assert!(!text.trim().is_empty(), "{language:?} {key} is empty");
                assert_eq!(
                    placeholders(text),
                    placeholders(english.get(key)),
                    "{language:?} {key}"
                );
            }
        }
    }

    /// French puts a space before these marks; it must be non-breaking, or a mark could begin a
    /// line.
    #[test]
    fn french_punctuation_follows_a_non_breaking_space() {
        for (key, text) in &Language::French.messages().0 {
            for mark in [" :", " ;", " !", " ?"] {
                assert!(!text.contains(mark), "{key}: a plain space before {mark:?}");
            }
        }
    }

    #[test]
    fn every_message_exists_and_is_used() {
        let template = include_str!("../../templates/checkout.html");
        let script = crate::checkout::page::assets::SCRIPT;
        let rust = include_str!("page.rs");
        let messages = Language::English.messages();
        let asked = template
            .split("messages.get(\"")
            .skip(1)
            .filter_map(|part| Some(part.split_once('"')?.0.to_owned()))
            .chain(
                script
                    .split("views.text(\"")
                    .skip(1)
                    .filter_map(|part| Some(format!("live.{}", part.split_once('"')?.0))),
            );
        for key in asked {
            let known = messages.0.keys().any(|one| *one == key)
                || (key.ends_with('.') && messages.0.keys().any(|one| one.starts_with(&key)));
            assert!(known, "no message {key}");
        }
        // These keys are built from codes that the service returns.
        let by_reason = [
            "card_declined",
            "insufficient_funds",
            "expired_card",
            "authentication_failed",
        ];
        for key in messages.0.keys() {
            let short = key.strip_prefix("live.").unwrap_or(key);
            let used = [template, script, rust]
                .iter()
                .any(|text| text.contains(&format!("\"{short}\"")))
                || short.starts_with("invalid.")
                || by_reason.contains(&short);
            assert!(used, "the message {key} is never shown");
        }
    }

    #[test]
    fn the_best_supported_language_is_chosen() {
        let cases = [
            (None, Language::English, "en"),
            (Some(""), Language::English, "en"),
            (Some("de"), Language::German, "de"),
            (Some("DE-at,de;q=0.9,en;q=0.8"), Language::German, "de-AT"),
            (
                Some("ja, nl;q=0.9, fr-CH;q=0.5, en;q=0.4"),
                Language::French,
                "fr-CH",
            ),
            (Some("en;q=0.1, es-419;q=0.9"), Language::Spanish, "es-419"),
            (Some("de;q=0, en-GB"), Language::English, "en-GB"),
            (Some("de-Latn-CH-x-private"), Language::German, "de-CH"),
            (Some("fr;q=2, de;q=0.1"), Language::German, "de"),
            (Some("fr;q=é, *;q=0.5"), Language::English, "en"),
            (Some("de\"></script>,fr"), Language::French, "fr"),
            (Some("en, de"), Language::English, "en"),
        ];
        for (header, language, locale) in cases {
            let expected = LanguagePreference {
                language,
                locale: locale.to_owned(),
            };
            assert_eq!(
                LanguagePreference::negotiate(header),
                expected,
                "{header:?}"
            );
        }
    }

    #[test]
    fn placeholder_values_are_not_expanded_again() {
        let messages = Messages::parse(r#"{"a": "{x} and {y}, {unknown} {"}"#);
        let filled = messages.fill("a", &[("x", "{y}"), ("y", "2")]);
        assert_eq!(filled, "{y} and 2, {unknown} {");
        assert_eq!(messages.fill("missing", &[]), "missing");
    }
}
