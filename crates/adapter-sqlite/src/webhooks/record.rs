//! What follows from an attempt to deliver an event, as statements.

use diesel::{
    dsl::sql,
    prelude::*,
    sql_types::{BigInt, Nullable},
};
use oncharge_domain::{
    id::{EventId, MerchantId},
    time::Timestamp,
    webhook::{DeliveryState, DisabledBecause, EndpointChange},
};
use oncharge_ports::{CommitError, unit_of_work::Lease, webhook_repository::Recorded};

use super::left_over;
use crate::{
    commit::{expect_one, write_audit},
    error,
    hot::Hot,
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
pub(super) struct Rows {
    lease: Lease,
    attempt: Option<NewAttemptRow>,
    event: Vec<u8>,
    /// The round in which the delivery was read.
    round: i64,
    delivery: DeliveryChange,
    end: AttemptEnd,
    endpoint: EndpointWrite,
    audit: Option<AuditRow>,
}

/// What becomes of the endpoint that the attempt went to.
struct EndpointWrite {
    merchant: MerchantId,
    url: String,
    change: EndpointChange,
    /// Since when it had failed, as it was read before the attempt.
    failing_since: Option<i64>,
    at: i64,
}

impl Rows {
    /// The rows of an attempt to deliver this event.
    pub(super) fn of(event: EventId, recorded: &Recorded) -> Self {
        let delivery = &recorded.after.delivery;
        let attempt = recorded.attempt.as_ref();
        Self {
            lease: recorded.lease,
            attempt: attempt.map(|made| NewAttemptRow::of(event, delivery.merchant, made)),
            event: id_bytes(event),
            round: delivery.round.into(),
            delivery: DeliveryChange::of(&recorded.after),
            end: AttemptEnd::of(&recorded.after),
            endpoint: EndpointWrite {
                merchant: delivery.merchant,
                url: delivery.url.as_str().to_owned(),
                change: recorded.after.endpoint,
                failing_since: recorded.failing_since.map(Timestamp::unix_micros),
                at: recorded.at.unix_micros(),
            },
            audit: recorded.audit.as_ref().map(AuditRow::of),
        }
    }

    /// Writes them, inside a transaction that the caller ends; an error asks for its rollback.
    pub(super) fn write(self, connection: &mut SqliteConnection) -> Result<(), CommitError> {
        if !work::holds(connection, self.lease).map_err(error::commit)? {
            return Err(CommitError::LeaseLost);
        }
        if let Some(attempt) = self.attempt {
            let insert = attempt.insert_into(delivery_attempts::table);
            insert.execute(connection).map_err(error::commit)?;
        }
        // What was redelivered or has died meanwhile is no longer this attempt's to change.
        let meant = deliveries::table
            .find(self.event.clone())
            .filter(deliveries::round.eq(self.round))
            .filter(deliveries::state.eq(DeliveryState::Pending.name()));
        let ended_at = if self.delivery.is_over() {
            CLOCK
        } else {
            "NULL"
        };
        let ended_at = deliveries::ended_at.eq(sql::<Nullable<BigInt>>(ended_at));
        let update = diesel::update(meant).set((self.delivery, ended_at));
        let changed = Hot(update.returning(deliveries::event_id)).touched(connection);
        changed.map_err(error::commit)?;
        let update = diesel::update(deliveries::table.find(self.event)).set(self.end);
        let written = Hot(update.returning(deliveries::event_id)).touched(connection);
        expect_one(written, "a leased delivery must be there")?;
        let disabled = self.endpoint.write(connection).map_err(error::commit)?;
        if disabled {
            write_audit(connection, self.audit)?;
        }
        Ok(())
    }
}

impl EndpointWrite {
    /// Changes it, if it is still the merchant's; whether it is disabled by that.
    fn write(&self, connection: &mut SqliteConnection) -> QueryResult<bool> {
        match self.change {
            EndpointChange::None => Ok(false),
            EndpointChange::Recovered => self.set_failing_since(connection, None),
            EndpointChange::Failing => self.set_failing_since(connection, Some(self.at)),
            EndpointChange::Disabled(because) => self.disable(connection, because),
        }
    }

    /// It begins to fail once, and recovers from that.
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

    /// Nothing goes to it any more, and what was on the way there dies. Given up for failing is only
    /// what still fails since then: not what was set or has recovered meanwhile.
    fn disable(
        &self,
        connection: &mut SqliteConnection,
        because: DisabledBecause,
    ) -> QueryResult<bool> {
        let same = webhook_endpoints::table
            .find(id_bytes(self.merchant))
            .filter(webhook_endpoints::url.eq(&self.url));
        let disabled = (
            webhook_endpoints::disabled.eq(because.name()),
            webhook_endpoints::disabled_at.eq(self.at),
        );
        let touched = match because {
            DisabledBecause::Gone => diesel::update(same).set(disabled).execute(connection)?,
            DisabledBecause::Failing => {
                let still = webhook_endpoints::failing_since.eq(self.failing_since);
                let update = diesel::update(same.filter(still)).set(disabled);
                update.execute(connection)?
            }
        };
        if touched == 0 {
            return Ok(false);
        }
        left_over::end(connection, self.merchant)?;
        Ok(true)
    }
}
