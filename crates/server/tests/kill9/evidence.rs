//! Saves evidence after a finding: databases, logs, and the history of each session that a finding
//! names.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use crate::{cluster::Cluster, database_state::DatabaseState};

/// Number of sessions whose history is printed.
const HISTORIES: usize = 5;
/// The prefixes of ids that lead to a session.
const PREFIXES: [&str; 5] = ["cs_", "op_", "ref_", "evt_", "ntf_"];

/// Copies databases and logs to a permanent directory, and reports the histories of the sessions
/// that the findings name; the nodes must be stopped.
pub(crate) async fn save(
    database_state: &DatabaseState,
    cluster: &Cluster,
    run: &str,
    findings: &[String],
) -> String {
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("kill9-{run}"));
    let _ = fs::remove_dir_all(&directory);
    copy(database_state.dir.path(), &directory);
    database_state.export_tables(&directory).await;
    let text = findings.join("\n");
    let ids: BTreeSet<&str> = ids_in(&text).collect();
    let mut report = vec![format!("evidence is kept in {}", directory.display())];
    for session in database_state
        .sessions_of(&ids)
        .await
        .into_iter()
        .take(HISTORIES)
    {
        let history = database_state.history(&session).await;
        let about: BTreeSet<&str> = history.iter().flat_map(|line| ids_in(line)).collect();
        report.push(format!("history of cs_{session}:"));
        report.extend(history.iter().map(|line| format!("  {line}")));
        report.push(format!("log lines about cs_{session}:"));
        report.push(cluster.logs_about(&about));
    }
    report.join("\n")
}

/// The ids in a text.
fn ids_in(text: &str) -> impl Iterator<Item = &str> {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    words.filter(|word| PREFIXES.iter().any(|prefix| word.starts_with(prefix)))
}

/// Copies all files of a directory except the tested program.
fn copy(from: &Path, to: &PathBuf) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let (path, target) = (
            entry.as_ref().unwrap().path(),
            to.join(entry.unwrap().file_name()),
        );
        if path.is_dir() {
            copy(&path, &target);
        } else if path.file_name().is_some_and(|name| name != "oncharge") {
            // A socket or lock file of a process that has just ended may be gone by now.
            let _ = fs::copy(&path, &target);
        }
    }
}
