//! The crates of the workspace and what each of them depends on, as `cargo metadata` tells it.

use crate::root;
use anyhow::{Context as _, ensure};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::process::Command;

/// What all packages of ours are called before their folder's name.
const PREFIX: &str = "oncharge-";

/// The workspace: every crate of ours, by package name.
#[derive(Debug, Deserialize)]
pub struct Workspace {
    /// In cargo's order.
    #[serde(rename = "packages")]
    pub crates: Vec<Crate>,
}

/// A crate of ours.
#[derive(Debug, Deserialize)]
pub struct Crate {
    /// The package's name, e.g. `oncharge-domain`.
    pub name: String,
    /// Its `Cargo.toml`, absolute.
    pub manifest_path: PathBuf,
    /// All that it names under dependencies of any kind.
    pub dependencies: Vec<Dependency>,
    /// The cargo features it declares, with what each turns on.
    pub features: BTreeMap<String, Vec<String>>,
}

/// One line under a crate's dependencies.
#[derive(Debug, Deserialize)]
pub struct Dependency {
    /// The package's real name, also where the crate renames it.
    pub name: String,
    /// Where it stands: `None` is an ordinary dependency, which the product carries.
    pub kind: Option<Kind>,
}

/// The kinds of dependency that are not carried into the product as they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Only its tests, benches and examples use it.
    Dev,
    /// Only its build script uses it.
    Build,
}

impl Workspace {
    /// Asks cargo, offline; fails where cargo does.
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
        serde_json::from_slice(&output.stdout).context("cargo metadata answered in another shape")
    }
}

impl Crate {
    /// The name without the prefix, which is also its folder under `crates/`.
    #[must_use]
    pub fn short_name(&self) -> &str {
        self.name.strip_prefix(PREFIX).unwrap_or(&self.name)
    }

    /// The crates of ours that the product's build of this one needs, by short name.
    #[must_use]
    pub fn our_dependencies(&self) -> BTreeSet<&str> {
        self.ours(|kind| kind != Some(Kind::Dev))
    }

    /// The crates of ours that only its tests need, by short name.
    #[must_use]
    pub fn our_dev_dependencies(&self) -> BTreeSet<&str> {
        self.ours(|kind| kind == Some(Kind::Dev))
    }

    /// Whether the product's build of this crate names the package.
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

/// The names of all packages in `Cargo.lock`: everything that any build of ours can contain.
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
