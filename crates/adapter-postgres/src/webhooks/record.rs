//! Writes what came of an attempt to deliver, all or nothing.

use diesel::{
    prelude::*,
    sql_query,
    sql_types::{BigInt, Nullable, Text, Timestamptz, Uuid as SqlUuid},
};
use oncharge_domain::webhook::{DisabledBecause, EndpointChange};
use oncharge_ports::{CommitError, unit_of_work::LeasedItem, webhook_repository::Recorded};
use time::OffsetDateTime;

use super::left_over;
use crate::{
    batch::{Batch, BatchError},
    commit::{Blame, outcome_beside_sessions},
    merchants::merchant_lock,
    pool::Lent,
    rows::{at, attempt::AttemptRow, audit::AuditRow},
    schema::{audit_log, delivery_attempts, webhook_endpoints},
    store::PostgresStore,
};

/// Counts the attempt and gives the lease back, if that holds; how far the delivery is changes only
/// where it was neither redelivered nor ended meanwhile. All in one statement: a row that it waits
/// for is looked at again.
const CHANGE_DELIVERY: &str = "
UPDATE deliveries SET attempts = $3, leased_until = NULL, lease_token = NULL,
    state = CASE WHEN round = $4 AND state = 'pending' THEN $5 ELSE state END,
    failures = CASE WHEN round = $4 AND state = 'pending' THEN $6 ELSE failures END,
    next_try_at = CASE WHEN round = $4 AND state = 'pending' THEN $7 ELSE next_try_at END,
    ended_at = CASE WHEN round = $4 AND state = 'pending' AND $5 <> 'pending' THEN now()
        ELSE ended_at END
WHERE event_id = $1 AND lease_token = $2 AND leased_until > now()";

/// Writes the attempt and what follows from it, in two round trips; where the endpoint that is to
/// be disabled has another URL by now, has recovered or is gone, in four.
pub(super) async fn record(store: &PostgresStore, recorded: &Recorded) -> Result<(), CommitError> {
    // The lease must be this very delivery's.
    if recorded.lease.item != LeasedItem::Delivery(recorded.after.delivery.event) {
        return Err(CommitError::LeaseLost);
    }
    let lent = store.pool.get().await?;
    let written = match write(&lent, recorded, recorded.after.endpoint).await {
        Err(BatchError::NoRow(Blame::Missing(_))) => {
            write(&lent, recorded, EndpointChange::None).await
        }
        written => written,
    };
    written.map_err(outcome_beside_sessions)
}

/// Writes it with this change of the endpoint.
///
/// The endpoint comes first, and before it the merchant's lock, which all that end deliveries hold: all that change it or
/// end its deliveries meet there, so that they cannot block each other in a circle. Where the lease
/// turns out to be lost, that is undone.
async fn write(
    lent: &Lent,
    recorded: &Recorded,
    change: EndpointChange,
) -> Result<(), BatchError<Blame>> {
    let delivery = &recorded.after.delivery;
    let mut batch = Batch::new(lent);
    if let EndpointChange::Disabled(_) = change {
        batch.add(merchant_lock(delivery.merchant));
    }
    change_endpoint(&mut batch, recorded, change);
    change_delivery(&mut batch, recorded);
    if let Some(attempt) = &recorded.attempt {
        let row = AttemptRow::new(delivery.event, attempt);
        let merchant = delivery_attempts::merchant_id.eq(delivery.merchant.uuid());
        batch.add((row, merchant).insert_into(delivery_attempts::table));
    }
    if let EndpointChange::Disabled(_) = change {
        batch.add(left_over::end(delivery.merchant));
        if let Some(entry) = &recorded.audit {
            batch.add(AuditRow::from(entry).insert_into(audit_log::table));
        }
    }
    batch.commit().await
}

/// Changes the endpoint, but only while its URL is the delivery's.
fn change_endpoint(batch: &mut Batch<'_, Blame>, recorded: &Recorded, change: EndpointChange) {
    use webhook_endpoints::{disabled, disabled_at, failing_since, table, url};
    let delivery = &recorded.after.delivery;
    let disabled_now = |because: DisabledBecause| {
        let name = disabled.eq(Some(because.name()));
        (name, disabled_at.eq(Some(at(recorded.at))))
    };
    let row = table
        .find(delivery.merchant.uuid())
        .filter(url.eq(delivery.url.as_str().to_owned()));
    match change {
        EndpointChange::None => {}
        EndpointChange::Recovered => {
            let write = diesel::update(row).set(failing_since.eq(None::<OffsetDateTime>));
            batch.add(write);
        }
        EndpointChange::Failing => {
            let first = row.filter(failing_since.is_null());
            batch.add(diesel::update(first).set(failing_since.eq(Some(at(recorded.at)))));
        }
        EndpointChange::Disabled(because @ DisabledBecause::Gone) => {
            let write = diesel::update(row).set(disabled_now(because));
            batch.require(write, Blame::Missing("an endpoint"));
        }
        // Only what still fails since then: not what was set or has recovered meanwhile.
        EndpointChange::Disabled(because @ DisabledBecause::Failing) => {
            let failing = row.filter(failing_since.eq(recorded.failing_since.map(at)));
            let write = diesel::update(failing).set(disabled_now(because));
            batch.require(write, Blame::Missing("a failing endpoint"));
        }
    }
}

/// Writes what the attempt changes of its delivery, if the lease holds, and gives that back.
fn change_delivery(batch: &mut Batch<'_, Blame>, recorded: &Recorded) {
    let delivery = &recorded.after.delivery;
    let write = sql_query(CHANGE_DELIVERY)
        .bind::<SqlUuid, _>(delivery.event.uuid())
        .bind::<SqlUuid, _>(recorded.lease.token.uuid())
        .bind::<BigInt, _>(i64::from(delivery.attempts))
        .bind::<BigInt, _>(i64::from(delivery.round))
        .bind::<Text, _>(delivery.state.name())
        .bind::<BigInt, _>(i64::from(delivery.failures))
        .bind::<Nullable<Timestamptz>, _>(recorded.after.next_try_at.map(at));
    batch.require(write, Blame::Lease);
}
