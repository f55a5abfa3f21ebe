//! Operators' views after the load: no difference at the PSP, only expected items stuck, and empty
//! queues.

use std::{collections::BTreeSet, process::Output};

use serde_json::Value;

use crate::cluster::Cluster;

const QUEUES: [&str; 4] = ["operations", "deadlines", "inbox", "deliveries"];

/// The findings of `oncharge reconcile` since this time (RFC 3339), and the number of compared
/// operations.
pub(crate) fn reconcile(cluster: &Cluster, since: &str) -> (Vec<String>, u64) {
    let output = cluster.command(&["reconcile", "--since", since]);
    let text = String::from_utf8_lossy(&output.stdout);
    let mut problems: Vec<String> = text
        .lines()
        .map(|line| format!("reconcile found {line}"))
        .collect();
    let stderr_text = stderr_text(&output);
    if !output.status.success() {
        problems.push(format!(
            "reconcile ends with {}: {stderr_text}",
            output.status
        ));
    }
    let summary = stderr_text
        .lines()
        .find(|line| line.contains("operations compared"));
    let mut words = summary.unwrap_or_default().split_whitespace();
    let compared = words.find_map(|word| word.parse().ok());
    if compared.is_none() {
        problems.push(format!(
            "reconcile does not report what it compared: {stderr_text}"
        ));
    }
    (problems, compared.unwrap_or_default())
}

/// Checks that `oncharge stuck` lists exactly these refunds, which were paid out of captures that
/// were reversed.
pub(crate) fn stuck(cluster: &Cluster, refunds: &BTreeSet<String>) -> Vec<String> {
    let output = cluster.command(&["stuck", "--limit", "10000"]);
    if !output.status.success() {
        return vec![format!(
            "stuck ends with {}: {}",
            output.status,
            stderr_text(&output)
        )];
    }
    let (mut listed, mut problems) = (BTreeSet::new(), Vec::new());
    for line in String::from_utf8_lossy(&output.stdout).lines() {
        let item: Value = serde_json::from_str(line).unwrap();
        if item["kind"] == "refund_of_failed_capture" {
            listed.insert(item["id"].as_str().unwrap().to_owned());
        } else {
            problems.push(format!("stuck lists {line}"));
        }
    }
    let missing = refunds.difference(&listed);
    problems.extend(missing.map(|id| format!("stuck does not list {id}")));
    let wrongly = listed.difference(refunds);
    problems.extend(wrongly.map(|id| format!("stuck lists {id}, whose capture was not reversed")));
    problems
}

/// Checks that the gauges of every node report empty queues and this number of stuck items.
pub(crate) async fn gauges(cluster: &Cluster, stuck: usize) -> Vec<String> {
    let mut wanted = vec![("oncharge_store_up".to_owned(), 1)];
    for queue in QUEUES {
        wanted.push((format!("oncharge_queue_depth{{queue=\"{queue}\"}}"), 0));
        let oldest = format!("oncharge_queue_oldest_seconds{{queue=\"{queue}\"}}");
        wanted.push((oldest, 0));
    }
    let name = "oncharge_stuck{kind=\"refund_of_failed_capture\"}".to_owned();
    // The gauge does not count further.
    wanted.push((name, stuck.min(1000)));
    let mut problems = Vec::new();
    for metrics in cluster.metrics().await {
        for (name, value) in &wanted {
            let line = format!("{name} {value}");
            if !metrics.lines().any(|found| found == line) {
                let found = metrics.lines().find(|found| found.starts_with(name));
                problems.push(format!("/metrics reports {found:?} instead of {line}"));
            }
        }
    }
    problems
}

fn stderr_text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}
