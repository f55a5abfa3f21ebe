//! Reads the workspace from cargo and the file system, so that tests can check rules over it. The
//! rules are in `tests/rules/`, one test each.

mod file_cycles;
mod modules;
mod references;
mod tree;
mod workspace;

pub use file_cycles::{Cycle, file_cycles};
pub use tree::{File, Tree};
pub use workspace::{Crate, Dependency, Kind, Workspace, locked_packages};

use std::path::{Path, PathBuf};

/// The root of the repository: two folders above this crate.
#[must_use]
pub fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).unwrap_or(here).to_path_buf()
}
