//! Records the result of a delivery attempt.

use diesel::{
    dsl::sql,
    prelude::*,
    sql_types::{BigInt, Nullable},
};
use oncharge_domain::{
    id::{EventId, MerchantId},
    time::Timestamp,
    webhook::{DeliveryState, DisableReason, EndpointChange},
};
use oncharge_ports::{CommitError, unit_of_work::Lease, webhook_repository::AttemptRecord};

use super::orphaned_deliveries;
use crate::{
    commit::{expect_one, write_audit},
    error,
    prepared::Prepared,
    rows::{
        attempt::NewAttemptRow,
        audit::AuditRow,
        delivery::{AttemptEnd, DeliveryChange},
        id_bytes,
    },
    schema::{deliveries, delivery_attempts, webhook_endpoints},
    work::{self, CLOCK},
};

/// All rows of an attempt, ready to be written.
pub(super) struct AttemptRows {
    lease: Lease,
    attempt: Option<NewAttemptRow>,
    event: Vec<u8>,
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
    failing_since: Option<i64>,
    at: i64,
}

impl AttemptRows {
    pub(super) fn of(event: EventId, attempt_record: &AttemptRecord) -> Self {
        let delivery = &attempt_record.after.delivery;
        let attempt = attempt_record.attempt.as_ref();
        Self {
            lease: attempt_record.lease,
            attempt: attempt.map(|made| NewAttemptRow::of(event, delivery.merchant, made)),
            event: id_bytes(event),
            round: delivery.round.into(),
            delivery: DeliveryChange::of(&attempt_record.after),
            end: AttemptEnd::of(&attempt_record.after),
            endpoint: EndpointUpdate {
                merchant: delivery.merchant,
                url: delivery.url.as_str().to_owned(),
                change: attempt_record.after.endpoint,
                failing_since: attempt_record.failing_since.map(Timestamp::unix_micros),
                at: attempt_record.at.unix_micros(),
            },
            audit: attempt_record.audit.as_ref().map(AuditRow::of),
        }
    }

    /// Writes the rows inside the caller's transaction; on an error the caller must roll back.
    pub(super) fn write(self, connection: &mut SqliteConnection) -> Result<(), CommitError> {
        if !work::is_held(connection, self.lease).map_err(error::commit)? {
            return Err(CommitError::LeaseLost);
        }
        if let Some(attempt) = self.attempt {
            let insert = attempt.insert_into(delivery_attempts::table);
            insert.execute(connection).map_err(error::commit)?;
        }
        // A delivery that was redelivered or ended meanwhile is not changed by this attempt.
        let current = deliveries::table
            .find(self.event.clone())
            .filter(deliveries::round.eq(self.round))
            .filter(deliveries::state.eq(DeliveryState::Pending.name()));
        let ended_at = if self.delivery.is_over() {
            CLOCK
        } else {
            "NULL"
        };
        let ended_at = deliveries::ended_at.eq(sql::<Nullable<BigInt>>(ended_at));
        let update = diesel::update(current).set((self.delivery, ended_at));
        let changed = Prepared(update.returning(deliveries::event_id)).touched(connection);
        changed.map_err(error::commit)?;
        let update = diesel::update(deliveries::table.find(self.event)).set(self.end);
        let written = Prepared(update.returning(deliveries::event_id)).touched(connection);
        expect_one(written, "a leased delivery is missing")?;
        let disabled = self.endpoint.write(connection).map_err(error::commit)?;
        if disabled {
            write_audit(connection, self.audit)?;
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
        since: Option<i64>,
    ) -> QueryResult<bool> {
        let failing_since = webhook_endpoints::failing_since;
        let same = webhook_endpoints::table
            .find(id_bytes(self.merchant))
            .filter(webhook_endpoints::url.eq(&self.url))
            .filter(failing_since.is_null().eq(since.is_some()));
        let update = diesel::update(same).set(failing_since.eq(since));
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
            .find(id_bytes(self.merchant))
            .filter(webhook_endpoints::url.eq(&self.url));
        let disabled = (
            webhook_endpoints::disabled.eq(reason.name()),
            webhook_endpoints::disabled_at.eq(self.at),
        );
        let touched = match reason {
            DisableReason::Gone => diesel::update(same).set(disabled).execute(connection)?,
            DisableReason::Failing => {
                let still = webhook_endpoints::failing_since.eq(self.failing_since);
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
