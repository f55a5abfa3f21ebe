//! Writes what came of an attempt to deliver, all or nothing.

use diesel::prelude::*;
use oncharge_domain::{
    time::Timestamp,
    webhook::{Delivery, DeliveryState, EndpointChange},
};
use oncharge_ports::{CommitError, unit_of_work::LeasedItem, webhook_repository::Recorded};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::{
    batch::{Batch, BatchError},
    commit::{Blame, outcome_beside_sessions},
    pool::Lent,
    rows::{at, attempt::AttemptRow, audit::AuditRow},
    schema::{audit_log, database_clock, deliveries, delivery_attempts, webhook_endpoints},
    store::PostgresStore,
};

/// Writes the attempt and what follows from it, in two round trips; where the endpoint that is to
/// be disabled has another URL by now, or is gone, in four.
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
/// The endpoint comes first: all that change it or end its deliveries meet at its row, so that they
/// cannot block each other in a circle. Where the lease turns out to be lost, that is undone.
async fn write(
    lent: &Lent,
    recorded: &Recorded,
    change: EndpointChange,
) -> Result<(), BatchError<Blame>> {
    let delivery = &recorded.after.delivery;
    let mut batch = Batch::new(lent);
    change_endpoint(&mut batch, delivery, (change, recorded.at));
    change_delivery(&mut batch, recorded);
    if let Some(attempt) = &recorded.attempt {
        let row = AttemptRow::new(delivery.event, attempt);
        batch.add(row.insert_into(delivery_attempts::table));
    }
    if let EndpointChange::Disabled(_) = change {
        let open = deliveries::table
            .filter(deliveries::merchant_id.eq(delivery.merchant.uuid()))
            .filter(deliveries::next_try_at.is_not_null())
            .filter(deliveries::url.eq(delivery.url.as_str().to_owned()));
        batch.add(diesel::update(open).set(dead()));
        if let Some(entry) = &recorded.audit {
            batch.add(AuditRow::from(entry).insert_into(audit_log::table));
        }
    }
    batch.commit().await
}

/// Changes the endpoint, but only while its URL is the delivery's.
fn change_endpoint(
    batch: &mut Batch<'_, Blame>,
    delivery: &Delivery,
    (change, now): (EndpointChange, Timestamp),
) {
    use webhook_endpoints::{disabled, failing_since, table, url};
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
            batch.add(diesel::update(first).set(failing_since.eq(Some(at(now)))));
        }
        EndpointChange::Disabled(because) => {
            let write = diesel::update(row).set(disabled.eq(Some(because.name())));
            batch.require(write, Blame::Missing("an endpoint"));
        }
    }
}

/// Writes the delivery as it is afterwards, if the lease holds, and gives that back.
fn change_delivery(batch: &mut Batch<'_, Blame>, recorded: &Recorded) {
    use deliveries::{attempts, failures, lease_token, leased_until, next_try_at, state, table};
    let delivery = &recorded.after.delivery;
    let held = table
        .find(delivery.event.uuid())
        .filter(lease_token.eq(recorded.lease.token.uuid()))
        .filter(leased_until.gt(database_clock()));
    let write = diesel::update(held).set((
        state.eq(delivery.state.name()),
        attempts.eq(i64::from(delivery.attempts)),
        failures.eq(i64::from(delivery.failures)),
        next_try_at.eq(recorded.after.next_try_at.map(at)),
        leased_until.eq(None::<OffsetDateTime>),
        lease_token.eq(None::<Uuid>),
    ));
    batch.require(write, Blame::Lease);
}

/// The columns of a delivery that is given up.
#[diesel::dsl::auto_type(no_type_alias)]
pub(super) fn dead() -> _ {
    let name: &'static str = DeliveryState::Dead.name();
    let next: Option<OffsetDateTime> = None;
    let until: Option<OffsetDateTime> = None;
    let token: Option<Uuid> = None;
    (
        deliveries::state.eq(name),
        deliveries::next_try_at.eq(next),
        deliveries::leased_until.eq(until),
        deliveries::lease_token.eq(token),
    )
}
