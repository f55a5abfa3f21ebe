//! Records the result of a delivery attempt.

use diesel::{dsl::sql, prelude::*, sql_types::Nullable};
use oncharge_domain::{
    id::{EventId, MerchantId, UnitId},
    time::Timestamp,
    webhook::{DeliveryState, DisableReason, EndpointChange},
};
use oncharge_ports::{
    CommitError,
    unit_of_work::{Lease, LeasedItem},
    webhook_repository::AttemptRecord,
};
use oncharge_store_rows::{
    Bind,
    rows::{attempt::AttemptRow, audit::AuditRow},
    schema::{deliveries, delivery_attempts, webhook_endpoints},
    sql_types::Instant,
};

use super::orphaned_deliveries;

use crate::{
    audit,
    clock::CLOCK,
    error,
    returning::{expect_one, touched},
    store::SqliteStore,
    work,
    writer::Priority,
};

/// Writes the attempt and its consequences.
pub(super) async fn record(
    store: &SqliteStore,
    attempt_record: &AttemptRecord,
) -> Result<(), CommitError> {
    // The lease must be for this delivery.
    let event = attempt_record.after.delivery.event;
    if attempt_record.lease.item != LeasedItem::Delivery(event) {
        return Err(CommitError::LeaseLost);
    }
    let rows = AttemptRows::of(event, attempt_record);
    let write = move |connection: &mut SqliteConnection| rows.write(connection);
    store.write(Priority::Worker, write).await
}

/// Changes by an attempt that apply only if the delivery is still in its round.
#[derive(AsChangeset)]
#[diesel(table_name = deliveries, treat_none_as_null = true)]
struct DeliveryChange {
    state: &'static str,
    failures: i64,
    next_try_at: Option<Bind<Timestamp>>,
}

/// Changes by an attempt that always apply: it is counted, and the lease is released.
#[derive(AsChangeset)]
#[diesel(table_name = deliveries, treat_none_as_null = true)]
struct AttemptEnd {
    attempts: i64,
    leased_until: Option<Bind<Timestamp>>,
    lease_token: Option<Bind<UnitId>>,
}

/// All rows of an attempt, ready to be written.
struct AttemptRows {
    lease: Lease,
    attempt: Option<AttemptRow>,
    event: EventId,
    /// The round in which the delivery was read.
    round: i64,
    delivery: DeliveryChange,
    end: AttemptEnd,
    endpoint: EndpointUpdate,
    audit: Option<AuditRow>,
}

/// The change of the endpoint that the attempt was sent to.
struct EndpointUpdate {
    merchant: MerchantId,
    url: String,
    change: EndpointChange,
    /// The endpoint's `failing_since` as it was read before the attempt.
    failing_since: Option<Timestamp>,
    at: Timestamp,
}

impl AttemptRows {
    fn of(event: EventId, attempt_record: &AttemptRecord) -> Self {
        let delivery = &attempt_record.after.delivery;
        let attempt = attempt_record.attempt.as_ref();
        Self {
            lease: attempt_record.lease,
            attempt: attempt.map(|made| AttemptRow::new(event, made)),
            event,
            round: delivery.round.into(),
            delivery: DeliveryChange {
                state: delivery.state.name(),
                failures: delivery.failures.into(),
                next_try_at: attempt_record.after.next_try_at.map(Bind),
            },
            end: AttemptEnd {
                attempts: delivery.attempts.into(),
                leased_until: None,
                lease_token: None,
            },
            endpoint: EndpointUpdate {
                merchant: delivery.merchant,
                url: delivery.url.as_str().to_owned(),
                change: attempt_record.after.endpoint,
                failing_since: attempt_record.failing_since,
                at: attempt_record.at,
            },
            audit: attempt_record.audit.as_ref().map(AuditRow::from),
        }
    }

    /// Writes the rows inside the caller's transaction; on an error the caller must roll back.
    fn write(self, connection: &mut SqliteConnection) -> Result<(), CommitError> {
        if !work::is_held(connection, self.lease).map_err(error::commit)? {
            return Err(CommitError::LeaseLost);
        }
        if let Some(attempt) = self.attempt {
            let merchant = delivery_attempts::merchant_id.eq(Bind(self.endpoint.merchant));
            let insert = (attempt, merchant).insert_into(delivery_attempts::table);
            insert.execute(connection).map_err(error::commit)?;
        }
        // A delivery that was redelivered or ended meanwhile is not changed by this attempt.
        let current = deliveries::table
            .find(Bind(self.event))
            .filter(deliveries::round.eq(self.round))
            .filter(deliveries::state.eq(DeliveryState::Pending.name()));
        let ended_at = if self.delivery.next_try_at.is_none() {
            CLOCK
        } else {
            "NULL"
        };
        let ended_at = deliveries::ended_at.eq(sql::<Nullable<Instant>>(ended_at));
        let update = diesel::update(current).set((self.delivery, ended_at));
        let changed = touched(connection, update.returning(deliveries::event_id));
        changed.map_err(error::commit)?;
        let update = diesel::update(deliveries::table.find(Bind(self.event))).set(self.end);
        let written = touched(connection, update.returning(deliveries::event_id));
        expect_one(written, "a leased delivery is missing")?;
        let disabled = self.endpoint.write(connection).map_err(error::commit)?;
        if disabled {
            audit::write(connection, self.audit)?;
        }
        Ok(())
    }
}

impl EndpointUpdate {
    /// Changes the endpoint if it is still the merchant's; returns whether this disabled it.
    fn write(&self, connection: &mut SqliteConnection) -> QueryResult<bool> {
        match self.change {
            EndpointChange::None => Ok(false),
            EndpointChange::Recovered => self.set_failing_since(connection, None),
            EndpointChange::Failing => self.set_failing_since(connection, Some(self.at)),
            EndpointChange::Disabled(reason) => self.disable(connection, reason),
        }
    }

    /// Sets `failing_since` at the first failure, and clears it on recovery.
    fn set_failing_since(
        &self,
        connection: &mut SqliteConnection,
        since: Option<Timestamp>,
    ) -> QueryResult<bool> {
        let failing_since = webhook_endpoints::failing_since;
        let same = webhook_endpoints::table
            .find(Bind(self.merchant))
            .filter(webhook_endpoints::url.eq(&self.url))
            .filter(failing_since.is_null().eq(since.is_some()));
        let update = diesel::update(same).set(failing_since.eq(since.map(Bind)));
        update.execute(connection)?;
        Ok(false)
    }

    /// Disables the endpoint and ends its open deliveries. For `Failing`, only if it has been
    /// failing since then: not if it was set again or has recovered meanwhile.
    fn disable(
        &self,
        connection: &mut SqliteConnection,
        reason: DisableReason,
    ) -> QueryResult<bool> {
        let same = webhook_endpoints::table
            .find(Bind(self.merchant))
            .filter(webhook_endpoints::url.eq(&self.url));
        let disabled = (
            webhook_endpoints::disabled.eq(reason.name()),
            webhook_endpoints::disabled_at.eq(Bind(self.at)),
        );
        let touched = match reason {
            DisableReason::Gone => diesel::update(same).set(disabled).execute(connection)?,
            DisableReason::Failing => {
                let still = webhook_endpoints::failing_since.eq(self.failing_since.map(Bind));
                let update = diesel::update(same.filter(still)).set(disabled);
                update.execute(connection)?
            }
        };
        if touched == 0 {
            return Ok(false);
        }
        orphaned_deliveries::end(connection, self.merchant)?;
        Ok(true)
    }
}
