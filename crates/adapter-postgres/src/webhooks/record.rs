//! Records the result of a delivery attempt, all or nothing.

use diesel::{
    prelude::*,
    sql_query,
    sql_types::{BigInt, Nullable, Text},
};
use oncharge_domain::{
    time::Timestamp,
    webhook::{DisableReason, EndpointChange},
};
use oncharge_ports::{CommitError, unit_of_work::LeasedItem, webhook_repository::AttemptRecord};
use oncharge_store_rows::{
    Bind,
    rows::attempt::AttemptRow,
    schema::{delivery_attempts, webhook_endpoints},
    sql_types::{Id, Instant},
};

use super::orphaned_deliveries;
use crate::{
    audit,
    batch::{Batch, BatchError},
    merchants::merchant_lock,
    pool::PooledConnection,
    precondition::{Precondition, commit_error_outside_session},
    store::PostgresStore,
};

/// Counts the attempt and releases its lease, if the lease is held. The delivery's state changes
/// only if it was neither redelivered nor ended meanwhile. A single statement, because PostgreSQL
/// re-evaluates its conditions for a row that it had to wait for.
const CHANGE_DELIVERY: &str = "
UPDATE deliveries SET attempts = $3, leased_until = NULL, lease_token = NULL,
    state = CASE WHEN round = $4 AND state = 'pending' THEN $5 ELSE state END,
    failures = CASE WHEN round = $4 AND state = 'pending' THEN $6 ELSE failures END,
    next_try_at = CASE WHEN round = $4 AND state = 'pending' THEN $7 ELSE next_try_at END,
    ended_at = CASE WHEN round = $4 AND state = 'pending' AND $5 <> 'pending' THEN now()
        ELSE ended_at END
WHERE event_id = $1 AND lease_token = $2 AND leased_until > now()";

/// Writes the attempt and its consequences, in two round trips; in four if the endpoint to be
/// disabled has another URL by now, has recovered or is gone.
pub(super) async fn record(
    store: &PostgresStore,
    attempt_record: &AttemptRecord,
) -> Result<(), CommitError> {
    // The lease must be for this delivery.
    if attempt_record.lease.item != LeasedItem::Delivery(attempt_record.after.delivery.event) {
        return Err(CommitError::LeaseLost);
    }
    let pooled = store.pool.get().await?;
    let written = match write(&pooled, attempt_record, attempt_record.after.endpoint).await {
        Err(BatchError::PreconditionFailed(Precondition::RowExists(_))) => {
            write(&pooled, attempt_record, EndpointChange::None).await
        }
        written => written,
    };
    written.map_err(commit_error_outside_session)
}

/// Writes the attempt with this change of the endpoint.
///
/// Lock order: the merchant's lock, which everyone who ends deliveries holds, then the endpoint,
/// then the delivery, so that concurrent changes cannot deadlock. If the lease turns out to be
/// lost, everything is rolled back.
async fn write(
    pooled: &PooledConnection,
    attempt_record: &AttemptRecord,
    change: EndpointChange,
) -> Result<(), BatchError<Precondition>> {
    let delivery = &attempt_record.after.delivery;
    let mut batch = Batch::new(pooled);
    if let EndpointChange::Disabled(_) = change {
        batch.add(merchant_lock(delivery.merchant));
    }
    change_endpoint(&mut batch, attempt_record, change);
    change_delivery(&mut batch, attempt_record);
    if let Some(attempt) = &attempt_record.attempt {
        let row = AttemptRow::new(delivery.event, attempt);
        let merchant = delivery_attempts::merchant_id.eq(Bind(delivery.merchant));
        batch.add((row, merchant).insert_into(delivery_attempts::table));
    }
    if let EndpointChange::Disabled(_) = change {
        batch.add(orphaned_deliveries::end(delivery.merchant));
        if let Some(entry) = &attempt_record.audit {
            audit::write(&mut batch, entry);
        }
    }
    batch.commit().await
}

/// Changes the endpoint, but only if it still has the delivery's URL.
fn change_endpoint(
    batch: &mut Batch<'_, Precondition>,
    attempt_record: &AttemptRecord,
    change: EndpointChange,
) {
    use webhook_endpoints::{disabled, disabled_at, failing_since, table, url};
    let delivery = &attempt_record.after.delivery;
    let disabled_now = |reason: DisableReason| {
        let name = disabled.eq(Some(reason.name()));
        (name, disabled_at.eq(Some(Bind(attempt_record.at))))
    };
    let row = table
        .find(Bind(delivery.merchant))
        .filter(url.eq(delivery.url.as_str().to_owned()));
    match change {
        EndpointChange::None => {}
        EndpointChange::Recovered => {
            let write = diesel::update(row).set(failing_since.eq(None::<Bind<Timestamp>>));
            batch.add(write);
        }
        EndpointChange::Failing => {
            let first = row.filter(failing_since.is_null());
            batch.add(diesel::update(first).set(failing_since.eq(Some(Bind(attempt_record.at)))));
        }
        EndpointChange::Disabled(reason @ DisableReason::Gone) => {
            let write = diesel::update(row).set(disabled_now(reason));
            batch.require(write, Precondition::RowExists("an endpoint"));
        }
        // Only if it has been failing since then: not if it was set again or has recovered
        // meanwhile.
        EndpointChange::Disabled(reason @ DisableReason::Failing) => {
            let failing = row.filter(failing_since.eq(attempt_record.failing_since.map(Bind)));
            let write = diesel::update(failing).set(disabled_now(reason));
            batch.require(write, Precondition::RowExists("a failing endpoint"));
        }
    }
}

/// Updates the delivery and releases its lease, if the lease is held.
fn change_delivery(batch: &mut Batch<'_, Precondition>, attempt_record: &AttemptRecord) {
    let delivery = &attempt_record.after.delivery;
    let write = sql_query(CHANGE_DELIVERY)
        .bind::<Id, _>(delivery.event)
        .bind::<Id, _>(attempt_record.lease.token)
        .bind::<BigInt, _>(i64::from(delivery.attempts))
        .bind::<BigInt, _>(i64::from(delivery.round))
        .bind::<Text, _>(delivery.state.name())
        .bind::<BigInt, _>(i64::from(delivery.failures))
        .bind::<Nullable<Instant>, _>(attempt_record.after.next_try_at);
    batch.require(write, Precondition::Lease);
}
