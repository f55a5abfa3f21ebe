//! Work that needs a person: one statement per kind.

use diesel::{prelude::*, sql_query, sql_types::BigInt};
use oncharge_domain::time::Timestamp;
use oncharge_ports::{
    StoreError,
    work_queue::{StuckItem, StuckKind},
};
use oncharge_store_rows::{prepared::Prepared, rows::stuck::StuckRow, sql_types::Instant};

use super::deliveries::EARLIER_DELIVERY;
use crate::{error, store::SqliteStore};

/// Implements [`oncharge_ports::WorkQueue::stuck`].
pub(super) fn stuck(
    store: &SqliteStore,
    now: Timestamp,
    limit: u32,
) -> Result<Vec<StuckItem>, StoreError> {
    let mut stuck = Vec::new();
    for kind in StuckKind::ALL {
        let latest = now.plus_seconds(-kind.budget_seconds());
        let query = sql_query(statement(*kind))
            .bind::<Instant, _>(latest)
            .bind::<BigInt, _>(i64::from(limit));
        let found: Vec<StuckRow> =
            store.read(|connection| Prepared(query).load(connection).map_err(error::store))?;
        for row in found {
            stuck.push(row.item(*kind)?);
        }
    }
    stuck.sort_by(|one: &StuckItem, other| (one.since, &one.id).cmp(&(other.since, &other.id)));
    stuck.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
    Ok(stuck)
}

/// The statement for a kind: `?1` is the time before which the item must have begun to wait, `?2`
/// the row limit.
fn statement(kind: StuckKind) -> String {
    let from_where = match kind {
        StuckKind::Operation => format!(
            "{OPEN_OPERATIONS} AND kind <> 'compensation' AND sending <> 'accepted' \
             AND created_at < ?1"
        ),
        StuckKind::Accepted => format!(
            "{OPEN_OPERATIONS} AND kind <> 'compensation' AND sending = 'accepted' \
             AND created_at < ?1"
        ),
        StuckKind::Compensation => {
            format!("{OPEN_OPERATIONS} AND kind = 'compensation' AND created_at <= ?1")
        }
        StuckKind::RefundOfFailedCapture => REFUNDS_OF_FAILED_CAPTURES.to_owned(),
        StuckKind::Contradiction => CONTRADICTIONS.to_owned(),
        StuckKind::Deadline => DEADLINES.to_owned(),
        StuckKind::Notification => format!(
            "{NOTIFICATIONS} WHERE notification.status IN ('mismatched', 'unmatched', 'malformed') \
             AND received_at <= ?1"
        ),
        StuckKind::Waiting => {
            format!("{NOTIFICATIONS} WHERE notification.status = 'waiting' AND received_at < ?1")
        }
        StuckKind::Delivery => format!(
            "SELECT own.event_id AS id, own.session_id, own.merchant_id, \
             own.created_at AS since, substr(own.url, 1, instr(own.url || '?', '?') - 1) AS detail \
             FROM deliveries AS own WHERE own.next_try_at IS NOT NULL \
             AND (own.next_try_at < ?1 OR (own.attempts = 0 AND own.created_at < ?1)) \
             AND (own.attempts > 0 OR NOT EXISTS ({EARLIER_DELIVERY}))"
        ),
        StuckKind::Endpoint => FAILING_ENDPOINTS.to_owned(),
    };
    format!("{from_where} ORDER BY since LIMIT ?2 + 0")
}

const OPEN_OPERATIONS: &str = "SELECT id, session_id, merchant_id, \
     created_at AS since, kind || ', ' || sending AS detail \
     FROM operations WHERE next_try_at IS NOT NULL";

const CONTRADICTIONS: &str = "SELECT id, session_id, merchant_id, \
     created_at AS since, kind || ', ' || failure AS detail FROM operations \
     WHERE contradiction = 'listed' AND created_at <= ?1";

const DEADLINES: &str = "SELECT id, id AS session_id, merchant_id, due_at AS since, \
     status AS detail FROM sessions WHERE due_at < ?1";

/// The condition must be that of the index `webhook_endpoints_failing`.
const FAILING_ENDPOINTS: &str = "SELECT id, NULL AS session_id, merchant_id, \
     failing_since AS since, substr(url, 1, instr(url || '?', '?') - 1) AS detail \
     FROM webhook_endpoints WHERE failing_since < ?1 AND disabled IS NULL";

/// The condition on the session must be exactly that of the index `sessions_capture_failed`.
const REFUNDS_OF_FAILED_CAPTURES: &str = "SELECT refund.id, session.id AS session_id, \
     refund.merchant_id, refund.created_at AS since, session.failure AS detail \
     FROM sessions AS session JOIN refunds AS refund ON refund.session_id = session.id \
     WHERE session.status = 'error' AND session.failure = 'capture_failed' \
     AND refund.status = 'refund_succeeded' AND refund.created_at <= ?1";

const NOTIFICATIONS: &str = "SELECT notification.id, notification.session_id, \
     session.merchant_id, received_at AS since, notification.status AS detail \
     FROM psp_notifications AS notification \
     LEFT JOIN sessions AS session ON session.id = notification.session_id";
