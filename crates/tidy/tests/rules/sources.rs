//! Rules for every source file.

use crate::assert_no_violations;
use oncharge_tidy::Tree;

/// Maximum number of lines of a file.
const MAX_LINES: usize = 500;

/// Extensions of handwritten code.
const CODE: &[&str] = &["rs", "sql", "js", "mjs", "css", "html", "sh", "toml"];

#[test]
fn no_mod_rs_files() {
    let tree = Tree::load().unwrap();
    let violations: Vec<String> = tree
        .with_extension(&["rs"])
        .filter(|file| file.path.ends_with("/mod.rs"))
        .map(|file| file.path.clone())
        .collect();
    assert_no_violations(
        &violations,
        "name it after its folder: `foo.rs` beside `foo/`, so that editor tabs are distinguishable",
    );
}

#[test]
fn no_rust_file_is_too_long() {
    let tree = Tree::load().unwrap();
    let violations: Vec<String> = tree
        .with_extension(&["rs"])
        .map(|file| (file.text.lines().count(), &file.path))
        .filter(|(lines, _)| *lines > MAX_LINES)
        .map(|(lines, path)| format!("{path}: {lines} lines, {MAX_LINES} at most"))
        .collect();
    assert_no_violations(
        &violations,
        "split it by concern; 150 to 300 lines read well",
    );
}

#[test]
fn no_parameter_is_a_tuple() {
    let tree = Tree::load().unwrap();
    let mut violations = Vec::new();
    for file in tree.with_extension(&["rs"]) {
        violations.extend(file.lines_where(is_tuple_parameter));
    }
    assert_no_violations(
        &violations,
        "pass up to seven arguments, or name a struct where the values belong together",
    );
}

/// Whether the line has a function's parameter of the form `(a, b): (A, B)`.
fn is_tuple_parameter(line: &str) -> bool {
    line.match_indices("): ").any(|(at, found)| {
        let (head, tail) = (line.get(..at), line.get(at + found.len()..));
        let names = head.and_then(|head| head.rsplit_once('('));
        let is_tuple = tail.is_some_and(|tail| tail.trim_start_matches('&').starts_with('('));
        is_tuple
            && names.is_some_and(|(before, names)| {
                let is_parameter = before.trim().is_empty() || before.contains("fn ");
                is_parameter && names.contains(", ") && !before.ends_with('|')
            })
    })
}

#[test]
fn every_rust_file_has_a_module_doc() {
    let tree = Tree::load().unwrap();
    let violations: Vec<String> = tree
        .with_extension(&["rs"])
        .filter(|file| !file.text.starts_with("//! "))
        .map(|file| file.path.clone())
        .collect();
    assert_no_violations(
        &violations,
        "start the file with a `//!` sentence on its purpose",
    );
}

#[test]
fn no_todo_comments() {
    // Split, so that this file does not contain them.
    let marks = [
        concat!("TO", "DO"),
        concat!("FIX", "ME"),
        concat!("to", "do!("),
        concat!("unimple", "mented!("),
        concat!("#[ig", "nore"),
    ];
    let tree = Tree::load().unwrap();
    let mut violations = Vec::new();
    for file in tree.with_extension(CODE) {
        violations.extend(file.lines_where(|line| marks.iter().any(|mark| line.contains(mark))));
    }
    assert_no_violations(
        &violations,
        "do it, or file an issue and remove the comment; an ignored test proves nothing",
    );
}

#[test]
fn lints_are_expected_not_allowed() {
    let attributes = [concat!("#[al", "low("), concat!("#![al", "low(")];
    let tree = Tree::load().unwrap();
    let mut violations = Vec::new();
    for file in tree.with_extension(&["rs"]) {
        violations.extend(file.lines_where(|line| attributes.iter().any(|it| line.contains(it))));
    }
    assert_no_violations(
        &violations,
        "write #[expect(lint, reason = \"…\")]: it warns when it is no longer needed",
    );
}

#[test]
fn no_absolute_paths() {
    let places = [
        concat!("/ho", "me/"),
        concat!("/wo", "rk/"),
        concat!("/ro", "ot/"),
        concat!("/Us", "ers/"),
    ];
    let tree = Tree::load().unwrap();
    let mut violations = Vec::new();
    for file in tree.files() {
        violations
            .extend(file.lines_where(|line| places.iter().any(|place| is_absolute(line, place))));
    }
    assert_no_violations(
        &violations,
        "use a path relative to the root of the repository, or an argument",
    );
}

/// Whether `place` is the start of a path in the line, not a part of a URL or of a longer path.
fn is_absolute(line: &str, place: &str) -> bool {
    line.match_indices(place).any(|(at, _)| {
        let before = line.get(..at).and_then(|head| head.chars().next_back());
        !before.is_some_and(|it| it.is_alphanumeric() || "._-}>".contains(it))
    })
}
