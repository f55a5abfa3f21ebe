//! The checkout and the simulator's card fields use the terms of `docs/translations.md`.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test may panic"
)]

use std::collections::BTreeMap;
use std::fs;

use oncharge_tidy::root;

use crate::assert_no_violations;

const GLOSSARY: &str = "docs/translations.md";
const MESSAGES: &str = "crates/adapter-http/assets/messages";
const FIELD_TEXTS: &str = "crates/psp-simulator/src/texts.rs";
const LANGUAGES: [&str; 4] = ["en", "de", "fr", "es"];

/// The texts of one program by language and key.
type Texts = BTreeMap<&'static str, BTreeMap<String, String>>;

/// A row of the glossary.
struct Term {
    /// In the order of [`LANGUAGES`].
    translations: Vec<String>,
    message_keys: Vec<String>,
    field_keys: Vec<String>,
}

#[test]
fn shared_terms_are_translated_alike() {
    let terms = terms(&read(GLOSSARY));
    assert!(terms.len() >= 5, "{GLOSSARY} has no table of terms");
    let violations: Vec<String> = terms
        .iter()
        .flat_map(|term| violations(term, &checkout_messages(), &field_texts()))
        .collect();
    assert_no_violations(
        &violations,
        "use the glossary's term, or change the glossary and all texts of the term",
    );
}

#[test]
fn another_term_and_an_unknown_key_are_reported() {
    let row = "| t | card number | Kartenzahl | numéro de carte | número de tarjeta \
               | `live.invalid.number`, `nowhere` | `number` |";
    let found = violations(&terms(row)[0], &checkout_messages(), &field_texts());
    // German in both programs; the unknown key in four languages.
    assert_eq!(found.len(), 6, "{found:?}");
}

/// Texts that do not contain the term of their language.
fn violations(term: &Term, messages: &Texts, fields: &Texts) -> Vec<String> {
    let mut found = Vec::new();
    for (language, translation) in LANGUAGES.into_iter().zip(&term.translations) {
        for (texts, keys) in [(messages, &term.message_keys), (fields, &term.field_keys)] {
            for key in keys {
                let text = texts[language].get(key).map_or("", String::as_str);
                if !text.to_lowercase().contains(&translation.to_lowercase()) {
                    found.push(format!("{language} {key}: {text:?} has no {translation:?}"));
                }
            }
        }
    }
    found
}

/// The rows of the tables in a Markdown text.
fn terms(markdown: &str) -> Vec<Term> {
    let rows = markdown.lines().filter_map(|line| {
        let cells = line.trim().strip_prefix('|')?.strip_suffix('|')?;
        let cells: Vec<String> = cells
            .split('|')
            .map(|cell| cell.trim().to_owned())
            .collect();
        let is_term = cells.len() == 7 && cells[5].starts_with('`');
        is_term.then(|| Term {
            translations: cells[1..5].to_vec(),
            message_keys: code_spans(&cells[5]),
            field_keys: code_spans(&cells[6]),
        })
    });
    rows.collect()
}

fn code_spans(cell: &str) -> Vec<String> {
    let spans = cell.split('`').skip(1).step_by(2);
    spans.map(str::to_owned).collect()
}

fn checkout_messages() -> Texts {
    let read = |language| {
        let file = read(&format!("{MESSAGES}/{language}.json"));
        (language, serde_json::from_str(&file).unwrap())
    };
    LANGUAGES.into_iter().map(read).collect()
}

/// The fields `key: "text"` of each `Texts { … }`; the simulator shares no code with the checkout, so
/// that its source is read.
fn field_texts() -> Texts {
    let source = read(FIELD_TEXTS);
    let mut texts = Texts::new();
    for block in source.split(": Texts = Texts {").skip(1) {
        let block = block.split("\n};").next().unwrap_or_default();
        let fields: BTreeMap<String, String> = block.split("\",").filter_map(field).collect();
        let language = LANGUAGES.into_iter().find(|it| fields["lang"] == *it);
        texts.insert(language.unwrap(), fields);
    }
    texts
}

fn field(text: &str) -> Option<(String, String)> {
    let (key, value) = text.split_once(':')?;
    let (_, value) = value.split_once('"')?;
    Some((key.trim().to_owned(), value.to_owned()))
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap()
}
