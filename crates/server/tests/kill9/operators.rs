//! What operators see in the calm: nothing differs at the PSP, nothing is stuck but what the faults
//! rightly left, and every queue is empty.

use std::{collections::BTreeSet, process::Output};

use serde_json::Value;

use crate::cluster::Cluster;

const QUEUES: [&str; 4] = ["operations", "deadlines", "inbox", "deliveries"];

/// What `oncharge reconcile` finds since this time (RFC 3339), and how many operations it compared.
pub(crate) fn reconcile(cluster: &Cluster, since: &str) -> (Vec<String>, u64) {
    let output = cluster.command(&["reconcile", "--since", since]);
    let text = String::from_utf8_lossy(&output.stdout);
    let mut problems: Vec<String> = text
        .lines()
        .map(|line| format!("reconcile finds {line}"))
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
            "reconcile does not say what it compared: {stderr_text}"
        ));
    }
    (problems, compared.unwrap_or_default())
}

/// Whether `oncharge stuck` lists exactly these refunds, which were paid out of captures that were
/// taken back.
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
    problems.extend(wrongly.map(|id| format!("stuck lists {id}, which was not paid out in vain")));
    problems
}

/// Whether every node's gauges say that nothing waits, and how much is stuck.
pub(crate) async fn gauges(cluster: &Cluster, stuck: usize) -> Vec<String> {
    let mut wanted = vec![("oncharge_store_up".to_owned(), 1)];
    for queue in QUEUES {
        wanted.push((format!("oncharge_queue_depth{{queue=\"{queue}\"}}"), 0));
        let oldest = format!("oncharge_queue_oldest_seconds{{queue=\"{queue}\"}}");
        wanted.push((oldest, 0));
    }
    let name = "oncharge_stuck{kind=\"refund_of_failed_capture\"}".to_owned();
    // It counts no further.
    wanted.push((name, stuck.min(1000)));
    let mut problems = Vec::new();
    for metrics in cluster.metrics().await {
        for (name, value) in &wanted {
            let line = format!("{name} {value}");
            if !metrics.lines().any(|found| found == line) {
                let found = metrics.lines().find(|found| found.starts_with(name));
                problems.push(format!("/metrics does not say {line}, but {found:?}"));
            }
        }
    }
    problems
}

fn stderr_text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}
