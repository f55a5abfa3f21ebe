//! The crates of the workspace and their dependencies, from `cargo metadata`.

use crate::root;
use anyhow::{Context as _, ensure};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::process::Command;

/// The prefix of the names of the workspace's packages.
const PREFIX: &str = "oncharge-";

/// The workspace: its crates, by package name.
#[derive(Debug, Deserialize)]
pub struct Workspace {
    /// In cargo's order.
    #[serde(rename = "packages")]
    pub crates: Vec<Crate>,
}

/// A crate of the workspace.
#[derive(Debug, Deserialize)]
pub struct Crate {
    /// The package's name, e.g. `oncharge-domain`.
    pub name: String,
    /// Its `Cargo.toml`, absolute.
    pub manifest_path: PathBuf,
    /// Its dependencies of any kind.
    pub dependencies: Vec<Dependency>,
    /// Its cargo features, with what each enables.
    pub features: BTreeMap<String, Vec<String>>,
}

/// A dependency of a crate.
#[derive(Debug, Deserialize)]
pub struct Dependency {
    /// The package's real name, even if the crate renames it.
    pub name: String,
    /// Its kind; `None` is a normal dependency, which the product includes.
    pub kind: Option<Kind>,
}

/// The kinds of dependencies that the product does not include directly.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Only its tests, benches and examples use it.
    Dev,
    /// Only its build script uses it.
    Build,
}

impl Workspace {
    /// Runs cargo offline; fails if cargo fails.
    pub fn load() -> anyhow::Result<Self> {
        let output = Command::new("cargo")
            .args(["metadata", "--format-version=1", "--no-deps", "--offline"])
            .current_dir(root())
            .output()
            .context("cargo could not be started")?;
        ensure!(
            output.status.success(),
            "cargo metadata: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        serde_json::from_slice(&output.stdout).context("cargo metadata has an unexpected format")
    }
}

impl Crate {
    /// The name without the prefix, which is also the folder under `crates/`.
    #[must_use]
    pub fn short_name(&self) -> &str {
        self.name.strip_prefix(PREFIX).unwrap_or(&self.name)
    }

    /// The workspace's crates that this crate's product build needs, by short name.
    #[must_use]
    pub fn our_dependencies(&self) -> BTreeSet<&str> {
        self.ours(|kind| kind != Some(Kind::Dev))
    }

    /// The workspace's crates that only this crate's tests need, by short name.
    #[must_use]
    pub fn our_dev_dependencies(&self) -> BTreeSet<&str> {
        self.ours(|kind| kind == Some(Kind::Dev))
    }

    /// Whether this crate's product build depends on the package.
    #[must_use]
    pub fn depends_on(&self, package: &str) -> bool {
        self.dependencies
            .iter()
            .any(|dependency| dependency.name == package && dependency.kind != Some(Kind::Dev))
    }

    fn ours(&self, wanted: impl Fn(Option<Kind>) -> bool) -> BTreeSet<&str> {
        self.dependencies
            .iter()
            .filter(|dependency| wanted(dependency.kind))
            .filter_map(|dependency| dependency.name.strip_prefix(PREFIX))
            .collect()
    }
}

/// The names of all packages in `Cargo.lock`: everything that any build can contain.
pub fn locked_packages() -> anyhow::Result<BTreeSet<String>> {
    let lock = std::fs::read_to_string(root().join("Cargo.lock")).context("Cargo.lock")?;
    let names = lock
        .lines()
        .filter_map(|line| line.strip_prefix("name = \"")?.strip_suffix('"'))
        .map(str::to_owned)
        .collect::<BTreeSet<_>>();
    ensure!(!names.is_empty(), "Cargo.lock names no package");
    Ok(names)
}
