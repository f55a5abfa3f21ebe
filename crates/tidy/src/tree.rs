//! The text files of the repository, without generated or downloaded ones.

use crate::root;
use anyhow::Context as _;
use std::fs;
use std::path::Path;

/// Folders without handwritten files.
const IGNORED_FOLDERS: [&str; 5] = [
    ".git",
    ".oncharge",
    "node_modules",
    "target",
    "test-results",
];

/// Every text file in the repository.
#[derive(Debug)]
pub struct Tree {
    files: Vec<File>,
}

/// One text file.
#[derive(Debug)]
pub struct File {
    /// Its path from the root, with `/` on every system.
    pub path: String,
    /// Its content.
    pub text: String,
}

impl Tree {
    /// Reads the repository from the disk. Files that are not UTF-8 are skipped.
    pub fn load() -> anyhow::Result<Self> {
        let mut files = Vec::new();
        read_folder(&root(), "", &mut files)?;
        files.sort_by(|one, other| one.path.cmp(&other.path));
        Ok(Self { files })
    }

    /// All files, by path.
    pub fn files(&self) -> impl Iterator<Item = &File> {
        self.files.iter()
    }

    /// The files with one of these extensions.
    pub fn with_extension<'a>(&'a self, wanted: &'a [&str]) -> impl Iterator<Item = &'a File> {
        self.files().filter(move |file| {
            let extension = Path::new(&file.path).extension().and_then(|it| it.to_str());
            extension.is_some_and(|it| wanted.contains(&it))
        })
    }

    /// The file at this path.
    #[must_use]
    pub fn file(&self, path: &str) -> Option<&File> {
        self.files().find(|file| file.path == path)
    }
}

impl File {
    /// The lines that match `predicate`, each as `path:line: text`.
    pub fn lines_where(&self, predicate: impl Fn(&str) -> bool) -> Vec<String> {
        self.text
            .lines()
            .enumerate()
            .filter(|(_, line)| predicate(line))
            .map(|(index, line)| {
                format!("{}:{}: {}", self.path, index.saturating_add(1), line.trim())
            })
            .collect()
    }
}

fn read_folder(folder: &Path, path: &str, files: &mut Vec<File>) -> anyhow::Result<()> {
    for entry in fs::read_dir(folder).with_context(|| format!("cannot read {path}"))? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = if path.is_empty() {
            name.clone()
        } else {
            format!("{path}/{name}")
        };
        let kind = entry.file_type()?;
        if kind.is_dir() && !IGNORED_FOLDERS.contains(&name.as_str()) {
            read_folder(&entry.path(), &path, files)?;
        } else if kind.is_file()
            && let Ok(text) = fs::read_to_string(entry.path())
        {
            files.push(File { path, text });
        }
    }
    Ok(())
}
