//! Stuck work on the overview: each item with advice.

use oncharge_domain::time::Timestamp;
use oncharge_ports::work_queue::{StuckItem, StuckKind};

use super::format::{DisplayTime, masked};

pub(super) struct StuckRow {
    pub(super) kind: &'static str,
    pub(super) meaning: &'static str,
    pub(super) id: String,
    pub(super) session: Option<String>,
    pub(super) merchant: Option<String>,
    pub(super) since: DisplayTime,
    pub(super) detail: String,
    pub(super) advice: &'static str,
    /// The command to run, if the advice has one.
    pub(super) command: Option<String>,
}

impl StuckRow {
    pub(super) fn new(item: &StuckItem, now: Timestamp) -> Self {
        Self {
            kind: item.kind.name(),
            meaning: meaning(item.kind),
            id: item.id.clone(),
            session: item.session.map(|id| id.to_string()),
            merchant: item.merchant.map(|id| id.to_string()),
            since: DisplayTime::new(item.since, now),
            detail: masked(&item.detail),
            advice: advice(item.kind),
            command: command(item, now),
        }
    }
}

fn meaning(kind: StuckKind) -> &'static str {
    match kind {
        StuckKind::Operation => "The operation is open for too long",
        StuckKind::Accepted => "Accepted by the processor, but without an outcome for days",
        StuckKind::Compensation => "A payment that no session keeps is being reversed",
        StuckKind::RefundOfFailedCapture => "A refund was paid, but its capture failed afterwards",
        StuckKind::Contradiction => "Failed here, but done at the processor",
        StuckKind::Deadline => "An expiry or a capture is overdue",
        StuckKind::Notification => "A notification is mismatched, unmatched or malformed",
        StuckKind::Waiting => "A notification has not been applied for too long",
        StuckKind::Delivery => "A webhook has not been attempted for too long",
        StuckKind::Endpoint => "Every delivery to this endpoint fails",
    }
}

fn advice(kind: StuckKind) -> &'static str {
    match kind {
        StuckKind::Operation => "Recovery continues automatically. Compare with the processor:",
        StuckKind::Accepted => "Ask the processor. Compare with its current state:",
        StuckKind::Compensation => "Nothing. If the item stays, ask the processor.",
        StuckKind::RefundOfFailedCapture => "Settle with the merchant.",
        StuckKind::Contradiction => {
            "Compare with the processor, settle with the merchant, then dismiss the item:"
        }
        StuckKind::Deadline | StuckKind::Waiting | StuckKind::Delivery => {
            "No worker runs, or the workers cannot keep up. Check that a process runs with --role \
             all or worker, and read its log."
        }
        StuckKind::Endpoint => {
            "Inform the merchant. The endpoint is disabled after five days without a successful \
             delivery."
        }
        StuckKind::Notification => "Investigate, then dismiss the item:",
    }
}

fn command(item: &StuckItem, now: Timestamp) -> Option<String> {
    match item.kind {
        StuckKind::Operation | StuckKind::Accepted => {
            let hours = now.since(item.since).whole_hours().max(0).saturating_add(1);
            Some(format!("oncharge reconcile --since {hours}h"))
        }
        StuckKind::Compensation
        | StuckKind::RefundOfFailedCapture
        | StuckKind::Deadline
        | StuckKind::Waiting
        | StuckKind::Delivery
        | StuckKind::Endpoint => None,
        StuckKind::Contradiction | StuckKind::Notification => {
            Some(format!("oncharge stuck --dismiss {}", item.id))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_covers_the_item() {
        let now = Timestamp::from_unix_micros(1_770_465_600_000_000).unwrap();
        for (kind, ago, wanted) in [
            (
                StuckKind::Operation,
                901,
                Some("oncharge reconcile --since 1h"),
            ),
            (
                StuckKind::Accepted,
                259_201,
                Some("oncharge reconcile --since 73h"),
            ),
            (StuckKind::Compensation, 60, None),
            (StuckKind::Delivery, 301, None),
            (StuckKind::Endpoint, 3601, None),
            (
                StuckKind::Notification,
                1,
                Some("oncharge stuck --dismiss ntf_1"),
            ),
            (
                StuckKind::Contradiction,
                1,
                Some("oncharge stuck --dismiss ntf_1"),
            ),
        ] {
            let item = StuckItem {
                kind,
                id: "ntf_1".to_owned(),
                since: now.plus_seconds(-ago),
                session: None,
                merchant: None,
                detail: String::new(),
            };
            let row = StuckRow::new(&item, now);
            assert_eq!(row.command.as_deref(), wanted, "{kind:?}");
            let leads_on = row.advice.ends_with(':');
            assert_eq!(leads_on, wanted.is_some(), "{kind:?}: {}", row.advice);
        }
    }
}
