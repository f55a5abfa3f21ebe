//! What every `Cargo.toml` and the other files around the code keep to.

use crate::none_may_offend;
use oncharge_tidy::{Tree, Workspace, root};
use std::fs;

#[test]
fn every_crate_takes_the_lints_of_the_workspace() {
    let offences: Vec<String> = Workspace::load()
        .unwrap()
        .crates
        .iter()
        .filter(|member| {
            let manifest = fs::read_to_string(&member.manifest_path).unwrap();
            !manifest.contains("[lints]\nworkspace = true")
        })
        .map(|member| member.name.clone())
        .collect();
    none_may_offend(
        &offences,
        "add to its Cargo.toml:\n\n[lints]\nworkspace = true",
    );
}

#[test]
fn versions_stand_in_the_root_manifest_alone() {
    let mut offences = Vec::new();
    for member in Workspace::load().unwrap().crates {
        let manifest = fs::read_to_string(&member.manifest_path).unwrap();
        let mut among_dependencies = false;
        for line in manifest.lines().map(str::trim) {
            if line.starts_with('[') {
                among_dependencies = line.ends_with("dependencies]");
            } else if among_dependencies
                && line.contains('=')
                && !line.starts_with('#')
                && !line.contains("workspace = true")
            {
                offences.push(format!("{}: {line}", member.name));
            }
        }
    }
    none_may_offend(
        &offences,
        "put the version into [workspace.dependencies] of the root Cargo.toml and write `NAME.workspace = true` here",
    );
}

#[test]
fn a_crate_is_called_like_its_folder() {
    let offences: Vec<String> = Workspace::load()
        .unwrap()
        .crates
        .iter()
        .filter(|member| {
            let folder = member
                .manifest_path
                .parent()
                .and_then(|path| path.file_name());
            folder.and_then(|name| name.to_str()) != Some(member.short_name())
        })
        .map(|member| member.name.clone())
        .collect();
    none_may_offend(
        &offences,
        "the package is oncharge-FOLDER, so that either name finds the other",
    );
}

#[test]
fn lock_files_of_npm_name_no_host() {
    let tree = Tree::load().unwrap();
    let mut offences = Vec::new();
    for file in tree
        .files()
        .filter(|file| file.path.ends_with("package-lock.json"))
    {
        offences.extend(file.lines_where(|line| line.contains("\"resolved\"")));
    }
    none_may_offend(
        &offences,
        "put `omit-lockfile-registry-resolved=true` into the .npmrc beside it and make the lock file anew: \
         versions and hashes are enough, any mirror will do",
    );
}

#[cfg(unix)]
#[test]
fn the_commands_can_be_run() {
    use std::os::unix::fs::PermissionsExt as _;
    let mut offences = Vec::new();
    for path in [
        "scripts/test",
        "scripts/postgres",
        "scripts/bench",
        ".ci/run",
    ] {
        match fs::metadata(root().join(path)) {
            Ok(found) if found.permissions().mode() & 0o111 != 0 => {}
            Ok(_) => offences.push(format!("{path}: not executable")),
            Err(error) => offences.push(format!("{path}: {error}")),
        }
    }
    none_may_offend(&offences, "chmod +x, and commit the mode");
}
