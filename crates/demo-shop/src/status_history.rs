//! Records the statuses of a session that the shop has seen. A webhook triggers a retrieval, which
//! returns only the current state: a status skipped in between is derived from its traces.

use oncharge_client::{Session, SessionStatus as Status};

use crate::order::{Order, StatusRecord};

/// Records the session's current state. Returns whether anything was new.
pub(crate) fn record(order: &mut Order, session: &Session) -> bool {
    let before = order.sightings.len();
    if before == 0 {
        order
            .sightings
            .push(status_record(session, Status::Created));
    }
    let authorized = order
        .sightings
        .iter()
        .any(|record| record.status == Status::Authorized);
    let beyond = !matches!(session.status, Status::Authorized);
    if session.amount_authorized > 0 && beyond && !authorized {
        let missed = StatusRecord {
            at_latest: true,
            ..status_record(session, Status::Authorized)
        };
        order.sightings.push(missed);
    }
    if is_new_status(order, session) {
        order.sightings.push(status_record(session, session.status));
    }
    order.sightings.len() > before
}

fn is_new_status(order: &Order, session: &Session) -> bool {
    let Some(last) = order.sightings.last() else {
        return true;
    };
    // A repeated refusal differs from the first only in its time.
    let may_repeat = matches!(session.status, Status::Refused | Status::Error);
    last.status != session.status || (may_repeat && last.at < session.updated_at.into())
}

fn status_record(session: &Session, status: Status) -> StatusRecord {
    let at = match status {
        Status::Created => session.created_at,
        // A session expires by time alone: nothing is written at that moment.
        Status::Expired if session.updated_at <= session.created_at => session.expires_at,
        _ => session.updated_at,
    };
    let failure = session
        .failure
        .as_ref()
        .filter(|_| status == session.status);
    let reason = failure.map(|failure| format!("{} ({})", failure.message, failure.code));
    StatusRecord {
        status,
        at: at.into(),
        at_latest: false,
        reason,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{fixtures::session, moment::Moment};

    fn order() -> Order {
        Order::new(7, Moment::now(), Vec::new())
    }

    fn statuses(order: &Order) -> Vec<(Status, bool)> {
        let sightings = order.sightings.iter();
        sightings
            .map(|record| (record.status, record.at_latest))
            .collect()
    }

    #[test]
    fn skipped_statuses_are_filled_in() {
        let mut order = order();
        assert!(record(&mut order, &session("captured", &json!({}))));
        let expected = [
            (Status::Created, false),
            (Status::Authorized, true),
            (Status::Captured, false),
        ];
        assert_eq!(statuses(&order), expected);
    }

    #[test]
    fn only_refusals_are_recorded_twice() {
        let mut order = order();
        let refused = |at: &str| session("refused", &json!({ "updated_at": at }));
        assert!(record(&mut order, &refused("2026-11-22T12:01:00Z")));
        assert!(!record(&mut order, &refused("2026-11-22T12:01:00Z")));
        assert!(record(&mut order, &refused("2026-11-22T12:02:00Z")));
        assert_eq!(statuses(&order).len(), 3);
    }

    #[test]
    fn an_expired_session_is_dated_by_its_expiry() {
        let mut order = order();
        let changes = json!({ "updated_at": "2026-11-22T12:00:00Z" });
        record(&mut order, &session("expired", &changes));
        let at = order.sightings.last().unwrap().at;
        assert_eq!(at.rfc3339(), "2026-11-22T12:30:00Z");
    }
}
