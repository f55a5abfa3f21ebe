//! Images: referenced by a document, present in the repository, and small.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use oncharge_tidy::{Tree, root};

use crate::assert_no_violations;

const FOLDER: &str = "docs/images";
const EXTENSIONS: [&str; 6] = ["webp", "png", "jpg", "jpeg", "gif", "svg"];
/// Every clone contains them, with all their versions.
const MAX_TOTAL_BYTES: u64 = 600_000;

#[test]
fn every_referenced_image_exists() {
    let violations: Vec<String> = referenced_images()
        .unwrap()
        .into_iter()
        .filter(|(image, _)| !root().join(image).is_file())
        .map(|(image, document)| format!("{document} shows {image}"))
        .collect();
    assert_no_violations(
        &violations,
        "create it with scripts/screenshots, or reference another one",
    );
}

#[test]
fn every_image_is_referenced() {
    let referenced_images = referenced_images().unwrap();
    assert!(
        !referenced_images.is_empty(),
        "no document references an image: is the search correct?"
    );
    let violations: Vec<String> = stored_images()
        .unwrap()
        .into_keys()
        .filter(|image| !referenced_images.contains_key(image))
        .collect();
    assert_no_violations(
        &violations,
        "reference it in docs/guide/checkout.md or another document, or remove it",
    );
}

#[test]
fn images_are_small() {
    let bytes: u64 = stored_images().unwrap().values().sum();
    assert!(
        bytes <= MAX_TOTAL_BYTES,
        "{FOLDER} has {bytes} bytes, more than {MAX_TOTAL_BYTES}: see QUALITY in scripts/lib/screenshots.mjs"
    );
}

/// The files of the folder and their sizes.
fn stored_images() -> anyhow::Result<BTreeMap<String, u64>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(root().join(FOLDER))? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        found.insert(format!("{FOLDER}/{name}"), entry.metadata()?.len());
    }
    Ok(found)
}

/// The repository's images that documents reference, each with one such document.
fn referenced_images() -> anyhow::Result<BTreeMap<String, String>> {
    let tree = Tree::load()?;
    let mut found = BTreeMap::new();
    for document in tree.with_extension(&["md"]) {
        for image in image_paths_in(&document.text) {
            found.insert(resolve(&document.path, image), document.path.clone());
        }
    }
    Ok(found)
}

/// The paths of local images in a document.
fn image_paths_in(text: &str) -> BTreeSet<&str> {
    text.split(|it: char| it.is_whitespace() || "\"'()<>`".contains(it))
        .filter(|word| !word.contains("://") && !word.contains('*'))
        .filter(|word| {
            let extension = Path::new(word).extension().and_then(|it| it.to_str());
            extension.is_some_and(|it| EXTENSIONS.contains(&it)) && word.contains('/')
        })
        .collect()
}

/// Resolves a path relative to the document at `document`, from the root.
fn resolve(document: &str, address: &str) -> String {
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
fn relative_image_paths_are_resolved() {
    let text = r#"![a](../images/a.webp) <img src="images/b.png"> https://x.example/c.png `docs/images/*.webp`"#;
    assert_eq!(
        image_paths_in(text),
        BTreeSet::from(["../images/a.webp", "images/b.png"])
    );
    for (document, address, expected) in [
        ("docs/guide/a.md", "../images/b.webp", "docs/images/b.webp"),
        ("README.md", "docs/images/b.webp", "docs/images/b.webp"),
        ("docs/a.md", "./images/b.webp", "docs/images/b.webp"),
    ] {
        assert_eq!(resolve(document, address), expected, "{document}");
    }
}
