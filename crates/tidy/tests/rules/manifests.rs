//! Rules for every `Cargo.toml` and other configuration files.

use crate::assert_no_violations;
use oncharge_tidy::{Tree, Workspace, root};
use std::fs;

#[test]
fn every_crate_uses_the_workspace_lints() {
    let violations: Vec<String> = Workspace::load()
        .unwrap()
        .crates
        .iter()
        .filter(|member| {
            let manifest = fs::read_to_string(&member.manifest_path).unwrap();
            !manifest.contains("[lints]\nworkspace = true")
        })
        .map(|member| member.name.clone())
        .collect();
    assert_no_violations(
        &violations,
        "add to its Cargo.toml:\n\n[lints]\nworkspace = true",
    );
}

#[test]
fn dependency_versions_are_only_in_the_root_manifest() {
    let mut violations = Vec::new();
    for member in Workspace::load().unwrap().crates {
        let manifest = fs::read_to_string(&member.manifest_path).unwrap();
        let mut in_dependencies = false;
        for line in manifest.lines().map(str::trim) {
            if line.starts_with('[') {
                in_dependencies = line.ends_with("dependencies]");
            } else if in_dependencies
                && line.contains('=')
                && !line.starts_with('#')
                && !line.contains("workspace = true")
            {
                violations.push(format!("{}: {line}", member.name));
            }
        }
    }
    assert_no_violations(
        &violations,
        "put the version into [workspace.dependencies] of the root Cargo.toml and write `NAME.workspace = true` here",
    );
}

#[test]
fn package_names_match_their_folders() {
    let violations: Vec<String> = Workspace::load()
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
    assert_no_violations(&violations, "name the package oncharge-FOLDER");
}

#[test]
fn npm_lock_files_name_no_host() {
    let tree = Tree::load().unwrap();
    let mut violations = Vec::new();
    for file in tree
        .files()
        .filter(|file| file.path.ends_with("package-lock.json"))
    {
        violations.extend(file.lines_where(|line| line.contains("\"resolved\"")));
    }
    assert_no_violations(
        &violations,
        "put `omit-lockfile-registry-resolved=true` into the .npmrc beside it and regenerate the lock file: \
         versions and hashes are enough, any mirror will do",
    );
}

#[cfg(unix)]
#[test]
fn scripts_are_executable() {
    use std::os::unix::fs::PermissionsExt as _;
    let mut violations = Vec::new();
    for path in [
        "scripts/test",
        "scripts/postgres",
        "scripts/bench",
        ".ci/run",
    ] {
        match fs::metadata(root().join(path)) {
            Ok(found) if found.permissions().mode() & 0o111 != 0 => {}
            Ok(_) => violations.push(format!("{path}: not executable")),
            Err(error) => violations.push(format!("{path}: {error}")),
        }
    }
    assert_no_violations(&violations, "chmod +x, and commit the mode");
}
