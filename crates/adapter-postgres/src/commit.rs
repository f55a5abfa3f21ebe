//! Commits a unit of work, all or nothing.

use diesel::{prelude::*, sql_query, sql_types::Array};
use oncharge_domain::{
    id::{EventId, NotificationId, UnitId},
    refund::Refund,
    session::Session,
};
use oncharge_ports::{
    CommitError, StoreError, UnitOfWork,
    inbox::NotificationStatus,
    unit_of_work::{ChangedOperation, NewEvent, NewOperation},
};
use oncharge_store_rows::{
    Bind,
    rows::{
        contact::ContactRow,
        event::EventRow,
        notification::NotificationEnd,
        operation::{OpenColumns, OperationRow, OperationState},
        refund::{RefundRow, RefundState},
        session::{SessionRow, SessionState},
    },
    schema::{contacts, events, operations, psp_notifications, refunds, session_changes, sessions},
    seal::Sealer,
    sql_types::Id,
};

use crate::{
    audit,
    batch::Batch,
    idempotency,
    precondition::{Precondition, commit_error},
    store::PostgresStore,
    work::HeldLease,
};

/// Enqueues deliveries for new events if the merchant has an enabled endpoint.
const INSERT_DELIVERIES: &str = "
INSERT INTO deliveries (event_id, session_id, merchant_id, sequence, endpoint_id, url, state,
    attempts, failures, round, created_at, next_try_at)
SELECT events.id, session_id, merchant_id, sequence, webhook_endpoints.id, url, 'pending', 0, 0, 0,
    events.created_at, events.created_at
FROM events JOIN webhook_endpoints USING (merchant_id)
WHERE events.id = ANY ($1) AND disabled IS NULL";

/// Adds the statements of a unit to a batch.
struct UnitWriter<'a> {
    batch: Batch<'a, Precondition>,
    sealer: &'a Sealer,
}

/// Writes the unit in two round trips.
///
/// The session comes first: all units of a session lock its row first, so that they cannot
/// deadlock. The other statements follow the order of the foreign keys; updates come before
/// inserts, so that an operation that has ended makes room for the next one in flight.
pub(crate) async fn commit(store: &PostgresStore, unit: &UnitOfWork) -> Result<(), CommitError> {
    let pooled = store.pool.get().await?;
    let mut writer = UnitWriter {
        batch: Batch::new(&pooled),
        sealer: &store.sealer,
    };
    writer.write(unit)?;
    writer.batch.commit().await.map_err(commit_error)
}

impl UnitWriter<'_> {
    fn write(&mut self, unit: &UnitOfWork) -> Result<(), StoreError> {
        self.session(&unit.session, unit.id)?;
        // The lease must be held, and its row stays locked until the commit.
        if let Some(lease) = unit.lease {
            self.batch
                .require(HeldLease::of(lease), Precondition::Lease);
        }
        if let Some(notification) = unit.handled {
            self.handled(notification, unit);
        }
        for changed in &unit.changed_operations {
            self.change_operation(changed);
        }
        for new in &unit.operations {
            self.insert_operation(new)?;
        }
        if let Some(refund) = &unit.refund {
            let row = RefundRow::from(refund);
            self.batch.add(row.insert_into(refunds::table));
        }
        for refund in &unit.changed_refunds {
            self.change_refund(refund);
        }
        self.events(&unit.events)?;
        if let Some(key) = &unit.key {
            idempotency::write(&mut self.batch, self.sealer, key)?;
        }
        for entry in &unit.audit {
            audit::write(&mut self.batch, entry);
        }
        Ok(())
    }

    /// Marks the notification as handled and releases its lease.
    fn handled(&mut self, id: NotificationId, unit: &UnitOfWork) {
        let waiting = psp_notifications::table
            .find(Bind(id))
            .filter(psp_notifications::status.eq(NotificationStatus::Waiting.name()));
        let first = unit.changed_operations.first();
        let write = diesel::update(waiting).set(NotificationEnd::of(
            NotificationStatus::Handled,
            first.map(|changed| changed.operation.id),
            Some(unit.session.id),
        ));
        self.batch.require(write, Precondition::NotificationWaiting);
    }

    /// Inserts the events, then the deliveries of all of them.
    fn events(&mut self, new: &[NewEvent]) -> Result<(), StoreError> {
        if new.is_empty() {
            return Ok(());
        }
        for event in new {
            let row = EventRow::try_from(event)?;
            self.batch.add(row.insert_into(events::table));
        }
        let ids: Vec<EventId> = new.iter().map(|event| event.id).collect();
        let deliver = sql_query(INSERT_DELIVERIES).bind::<Array<Id>, _>(ids);
        self.batch.add(deliver);
        Ok(())
    }

    /// Inserts version 1 with its contact data; later versions update the row of the version
    /// before.
    fn session(&mut self, session: &Session, unit: UnitId) -> Result<(), StoreError> {
        if session.version == 1 {
            let row = (
                SessionRow::try_from(session)?,
                sessions::unit_id.eq(Bind(unit)),
            );
            self.batch.add(row.insert_into(sessions::table));
            if let Some(row) = ContactRow::seal(session.id, &session.contact, self.sealer)? {
                let row = (row, contacts::merchant_id.eq(Bind(session.merchant)));
                self.batch.add(row.insert_into(contacts::table));
            }
            return Ok(());
        }
        let id = session.id;
        let version = i64::from(session.version);
        let before = sessions::table
            .filter(sessions::id.eq(Bind(id)))
            .filter(sessions::version.eq(version - 1));
        let write = diesel::update(before).set(SessionState::try_from(session)?);
        self.batch.require(write, Precondition::Version);
        let change = (
            session_changes::unit_id.eq(Bind(unit)),
            session_changes::session_id.eq(Bind(id)),
            session_changes::merchant_id.eq(Bind(session.merchant)),
            session_changes::version.eq(version),
        );
        self.batch.add(change.insert_into(session_changes::table));
        Ok(())
    }

    fn insert_operation(&mut self, new: &NewOperation) -> Result<(), StoreError> {
        let open = OpenColumns::seal(new, self.sealer)?;
        let row = OperationRow::from(&new.operation);
        let row = (row, open, operations::tries.eq(0));
        self.batch.add(row.insert_into(operations::table));
        Ok(())
    }

    fn change_operation(&mut self, changed: &ChangedOperation) {
        let operation = &changed.operation;
        let row = operations::table.find(Bind(operation.id));
        let state = OperationState::from(operation);
        let row_exists = Precondition::RowExists("an operation");
        match changed.next_try_at {
            _ if !operation.is_open() => {
                let write = diesel::update(row).set((state, OpenColumns::default()));
                self.batch.require(write, row_exists);
            }
            Some(next) => {
                let next = operations::next_try_at.eq(Bind(next));
                let write = diesel::update(row).set((state, next));
                self.batch.require(write, row_exists);
            }
            None => {
                let write = diesel::update(row).set(state);
                self.batch.require(write, row_exists);
            }
        }
    }

    fn change_refund(&mut self, refund: &Refund) {
        let row = refunds::table.find(Bind(refund.id));
        let write = diesel::update(row).set(RefundState::from(refund));
        self.batch
            .require(write, Precondition::RowExists("a refund"));
    }
}
