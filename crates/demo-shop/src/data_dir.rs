//! The directory of the shop's files.

use std::{
    fs::{self, File, OpenOptions},
    io,
    path::{Path, PathBuf},
};

use anyhow::Context;

/// Writes a file atomically, readable by its owner only.
pub type WritePrivate = fn(&Path, &[u8]) -> anyhow::Result<()>;

/// A directory, and how its files are written.
#[derive(Debug, Clone)]
pub struct DataDir {
    path: PathBuf,
    write_private: WritePrivate,
}

impl DataDir {
    /// The directory must exist.
    pub fn new(path: &Path, write_private: WritePrivate) -> Self {
        Self {
            path: path.to_owned(),
            write_private,
        }
    }

    /// The path of a file.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// The content of a file; `None` if it does not exist.
    pub(crate) fn read(&self, name: &str) -> anyhow::Result<Option<Vec<u8>>> {
        let path = self.file(name);
        match fs::read(&path) {
            Ok(content) => Ok(Some(content)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error).with_context(|| format!("cannot read {}", path.display())),
        }
    }

    /// Replaces the content of a file.
    pub(crate) fn write(&self, name: &str, content: &[u8]) -> anyhow::Result<()> {
        (self.write_private)(&self.file(name), content)
    }

    /// Opens an existing file for appending.
    pub(crate) fn append(&self, name: &str) -> anyhow::Result<File> {
        let path = self.file(name);
        let file = OpenOptions::new().append(true).open(&path);
        file.with_context(|| format!("cannot write {}", path.display()))
    }
}
