//! Queue depths and stuck items of the in-memory store.

use oncharge_domain::{
    operation::{Contradiction, Operation, OperationKind, SendState},
    refund::{Refund, RefundStatus},
    session::{FailureCode, StatusName},
    time::Timestamp,
};
use oncharge_ports::work_queue::{QueueDepth, QueueName, StuckItem, StuckKind};

use super::state::State;

impl State {
    /// The depth of each queue.
    pub(super) fn depths(&self, now: Timestamp) -> Vec<QueueDepth> {
        let depth = |queue: &QueueName| {
            let since = self.waiting(*queue, now);
            QueueDepth {
                queue: *queue,
                depth: since.len() as u64,
                oldest: since.into_iter().min(),
            }
        };
        QueueName::ALL.iter().map(depth).collect()
    }

    /// Since when each item of a queue has been waiting.
    fn waiting(&self, queue: QueueName, now: Timestamp) -> Vec<Timestamp> {
        match queue {
            QueueName::Operations => {
                let rows = self.operations.values().map(|row| &row.operation);
                let open = rows.filter(|operation| operation.is_open());
                open.map(|operation| operation.created_at).collect()
            }
            QueueName::Deadlines => {
                let rows = self.sessions.values();
                let due = rows.filter_map(|row| row.session.due_at());
                due.filter(|at| *at <= now).collect()
            }
            QueueName::Inbox => {
                let rows = self.notifications.values().filter(|row| row.is_waiting());
                rows.map(|row| row.stored.new.received_at).collect()
            }
            QueueName::Deliveries => {
                let rows = self.deliveries.values();
                let pending = rows.filter(|row| row.next_try_at.is_some());
                pending.map(|row| row.created_at).collect()
            }
        }
    }

    /// All items that are stuck at `now`, in any order.
    pub(super) fn stuck(&self, now: Timestamp) -> Vec<StuckItem> {
        let mut found = self.stuck_operations(now);
        found.extend(self.contradictions());
        found.extend(self.refunds.values().filter_map(|r| self.stuck_refund(r)));
        found.extend(self.stuck_sessions(now));
        found.extend(self.stuck_notifications(now));
        found.extend(self.stuck_deliveries(now));
        found.extend(self.stuck_endpoints(now));
        found
    }

    fn stuck_operations(&self, now: Timestamp) -> Vec<StuckItem> {
        let rows = self.operations.values().map(|row| &row.operation);
        let item = |operation: &Operation| {
            let kind = match (&operation.kind, operation.sending) {
                (OperationKind::Compensation { .. }, _) => StuckKind::Compensation,
                (_, SendState::Accepted) => StuckKind::Accepted,
                _ => StuckKind::Operation,
            };
            let since = operation.created_at;
            let counts = kind == StuckKind::Compensation || is_over(since, kind, now);
            (operation.is_open() && counts).then(|| StuckItem {
                kind,
                id: operation.id.to_string(),
                session: Some(operation.session),
                merchant: Some(operation.merchant),
                since,
                detail: format!("{} {:?}", operation.kind.name(), operation.sending),
            })
        };
        rows.filter_map(item).collect()
    }

    fn contradictions(&self) -> Vec<StuckItem> {
        let rows = self.operations.values().map(|row| &row.operation);
        let listed = rows.filter(|row| row.contradiction == Some(Contradiction::Listed));
        let item = |operation: &Operation| StuckItem {
            kind: StuckKind::Contradiction,
            id: operation.id.to_string(),
            session: Some(operation.session),
            merchant: Some(operation.merchant),
            since: operation.created_at,
            detail: operation.kind.name().to_owned(),
        };
        listed.map(item).collect()
    }

    fn stuck_refund(&self, refund: &Refund) -> Option<StuckItem> {
        let session = &self.sessions.get(&refund.session)?.session;
        let has_failed = session.status_name() == StatusName::Error
            && session.failure() == Some(FailureCode::CaptureFailed);
        (has_failed && refund.status == RefundStatus::Succeeded).then(|| StuckItem {
            kind: StuckKind::RefundOfFailedCapture,
            id: refund.id.to_string(),
            session: Some(refund.session),
            merchant: Some(refund.merchant),
            since: refund.updated_at,
            detail: refund.status.name().to_owned(),
        })
    }

    fn stuck_sessions(&self, now: Timestamp) -> Vec<StuckItem> {
        let rows = self.sessions.values();
        rows.filter_map(|row| {
            let (session, since) = (&row.session, row.session.due_at()?);
            is_over(since, StuckKind::Deadline, now).then(|| StuckItem {
                kind: StuckKind::Deadline,
                id: session.id.to_string(),
                session: Some(session.id),
                merchant: Some(session.merchant),
                since,
                detail: session.status_name().name().to_owned(),
            })
        })
        .collect()
    }

    fn stuck_notifications(&self, now: Timestamp) -> Vec<StuckItem> {
        let mut found = Vec::new();
        for row in self.notifications.values() {
            let (new, status) = (&row.stored.new, row.stored.status);
            let is_late = row.is_waiting() && is_over(new.received_at, StuckKind::Waiting, now);
            let kind = match (status.is_stuck(), is_late) {
                (true, _) => StuckKind::Notification,
                (_, true) => StuckKind::Waiting,
                _ => continue,
            };
            let session = row.session.and_then(|id| self.sessions.get(&id));
            found.push(StuckItem {
                kind,
                id: new.id.to_string(),
                session: row.session,
                merchant: session.map(|row| row.session.merchant),
                since: new.received_at,
                detail: status.name().to_owned(),
            });
        }
        found
    }

    fn stuck_deliveries(&self, now: Timestamp) -> Vec<StuckItem> {
        let first = self.deliveries.values();
        let first = first.filter(|row| !self.is_blocked_by_earlier(row));
        first
            .filter(|row| {
                let over = |at| is_over(at, StuckKind::Delivery, now);
                let untried = row.delivery.attempts == 0 && over(row.created_at);
                row.next_try_at.is_some_and(|at| untried || over(at))
            })
            .map(|row| StuckItem {
                kind: StuckKind::Delivery,
                id: row.delivery.event.to_string(),
                session: Some(row.delivery.session),
                merchant: Some(row.delivery.merchant),
                since: row.created_at,
                detail: row.delivery.url.without_query().to_owned(),
            })
            .collect()
    }

    fn stuck_endpoints(&self, now: Timestamp) -> Vec<StuckItem> {
        let enabled = self.endpoints.values();
        let enabled = enabled.filter(|endpoint| endpoint.disabled.is_none());
        enabled
            .filter_map(|endpoint| {
                let since = endpoint.failing_since?;
                is_over(since, StuckKind::Endpoint, now).then(|| StuckItem {
                    kind: StuckKind::Endpoint,
                    id: endpoint.id.to_string(),
                    session: None,
                    merchant: Some(endpoint.merchant),
                    since,
                    detail: endpoint.url.without_query().to_owned(),
                })
            })
            .collect()
    }
}

/// Whether an item that has been waiting since then is past its budget.
fn is_over(since: Timestamp, kind: StuckKind, now: Timestamp) -> bool {
    since.plus_seconds(kind.budget_seconds()) < now
}
