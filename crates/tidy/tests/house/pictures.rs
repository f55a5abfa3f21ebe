//! The pictures that the documents show, and those that lie there.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use oncharge_tidy::{Tree, root};

use crate::none_may_offend;

const FOLDER: &str = "docs/images";
const EXTENSIONS: [&str; 6] = ["webp", "png", "jpg", "jpeg", "gif", "svg"];
/// Everybody who clones the repository gets them, with all that they ever were.
const MOST_BYTES: u64 = 600_000;

#[test]
fn every_picture_that_a_document_shows_is_there() {
    let offences: Vec<String> = shown()
        .unwrap()
        .into_iter()
        .filter(|(picture, _)| !root().join(picture).is_file())
        .map(|(picture, document)| format!("{document} shows {picture}"))
        .collect();
    none_may_offend(
        &offences,
        "take it with scripts/screenshots, or show another",
    );
}

#[test]
fn every_picture_is_shown_by_a_document() {
    let shown = shown().unwrap();
    assert!(
        !shown.is_empty(),
        "no document shows a picture: is the search right?"
    );
    let offences: Vec<String> = stored()
        .unwrap()
        .into_keys()
        .filter(|picture| !shown.contains_key(picture))
        .collect();
    none_may_offend(
        &offences,
        "show it in docs/guide/checkout.md or wherever it helps, or take no such picture",
    );
}

#[test]
fn pictures_are_small() {
    let bytes: u64 = stored().unwrap().values().sum();
    assert!(
        bytes <= MOST_BYTES,
        "{FOLDER} has {bytes} bytes, more than {MOST_BYTES}: see QUALITY in scripts/lib/screenshots.mjs"
    );
}

/// The files of the folder and their sizes.
fn stored() -> anyhow::Result<BTreeMap<String, u64>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(root().join(FOLDER))? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        found.insert(format!("{FOLDER}/{name}"), entry.metadata()?.len());
    }
    Ok(found)
}

/// The pictures of this repository that documents show, each with one that does.
fn shown() -> anyhow::Result<BTreeMap<String, String>> {
    let tree = Tree::load()?;
    let mut found = BTreeMap::new();
    for document in tree.with_extension(&["md"]) {
        for picture in pictures_in(&document.text) {
            found.insert(resolved(&document.path, picture), document.path.clone());
        }
    }
    Ok(found)
}

/// What stands in a document as the address of a picture and leads nowhere else.
fn pictures_in(text: &str) -> BTreeSet<&str> {
    text.split(|it: char| it.is_whitespace() || "\"'()<>`".contains(it))
        .filter(|word| !word.contains("://") && !word.contains('*'))
        .filter(|word| {
            let extension = Path::new(word).extension().and_then(|it| it.to_str());
            extension.is_some_and(|it| EXTENSIONS.contains(&it)) && word.contains('/')
        })
        .collect()
}

/// A relative address in the document at `document`, from the root.
fn resolved(document: &str, address: &str) -> String {
    let mut parts: Vec<&str> = document.split('/').collect();
    parts.pop();
    for part in address.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            _ => parts.push(part),
        }
    }
    parts.join("/")
}

#[test]
fn addresses_are_read_as_browsers_read_them() {
    let text = r#"![a](../images/a.webp) <img src="images/b.png"> https://x.example/c.png `docs/images/*.webp`"#;
    assert_eq!(
        pictures_in(text),
        BTreeSet::from(["../images/a.webp", "images/b.png"])
    );
    for (document, address, expected) in [
        ("docs/guide/a.md", "../images/b.webp", "docs/images/b.webp"),
        ("README.md", "docs/images/b.webp", "docs/images/b.webp"),
        ("docs/a.md", "./images/b.webp", "docs/images/b.webp"),
    ] {
        assert_eq!(resolved(document, address), expected, "{document}");
    }
}
