//! Commits a unit of work, all or nothing.

use diesel::{
    prelude::*,
    sql_query,
    sql_types::{Array, Uuid as SqlUuid},
};
use oncharge_domain::{
    id::{Id, NotificationId, UnitId},
    refund::Refund,
    session::Session,
};
use oncharge_ports::{
    CommitError, StoreError, UnitOfWork,
    unit_of_work::{ChangedOperation, NewEvent, NewOperation},
};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::{
    batch::{Batch, BatchError},
    idempotency,
    rows::{
        at,
        audit::AuditRow,
        contact::ContactRow,
        event::EventRow,
        operation::{OpenColumns, OperationRow, OperationState},
        refund::{RefundRow, RefundState},
        session::{SessionRow, SessionState},
    },
    schema::{
        audit_log, contacts, events, operations, psp_notifications, refunds, session_changes,
        sessions,
    },
    seal::{REQUEST, Sealer},
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

/// The precondition that failed.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Precondition {
    /// The session's version has changed.
    Version,
    /// The lease has expired or belongs to another worker.
    Lease,
    /// The idempotency key is taken.
    Key,
    /// The notification is no longer waiting.
    NotificationWaiting,
    /// A row to be updated does not exist: a bug of the caller.
    RowExists(&'static str),
}

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

/// Maps a failed batch to the error for the caller of a commit.
pub(crate) fn commit_error(error: BatchError<Precondition>) -> CommitError {
    match error {
        BatchError::PreconditionFailed(Precondition::Version) => CommitError::Conflict,
        BatchError::PreconditionFailed(Precondition::Lease) => CommitError::LeaseLost,
        BatchError::PreconditionFailed(Precondition::Key) => CommitError::IdempotencyKeyTaken,
        BatchError::PreconditionFailed(Precondition::NotificationWaiting) => {
            CommitError::AlreadyHandled
        }
        BatchError::PreconditionFailed(Precondition::RowExists(row)) => {
            let text = format!("{row} to update is missing");
            CommitError::Store(StoreError::Failed(text.into()))
        }
        BatchError::Failed(failure) => failure.into(),
        BatchError::OutcomeUnknown(failure) => {
            tracing::warn!(?failure, "the connection was lost during a commit");
            CommitError::OutcomeUnknown
        }
    }
}

/// As [`commit_error`], for commits that change no session, where a conflict is not about a
/// session.
pub(crate) fn commit_error_outside_session(error: BatchError<Precondition>) -> CommitError {
    match error {
        BatchError::Failed(failure) => CommitError::Store(failure.into()),
        error => commit_error(error),
    }
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
        self.events(&unit.events);
        if let Some(key) = &unit.key {
            idempotency::write(&mut self.batch, self.sealer, key)?;
        }
        for entry in &unit.audit {
            let row = AuditRow::from(entry);
            self.batch.add(row.insert_into(audit_log::table));
        }
        Ok(())
    }

    /// Marks the notification as handled and releases its lease.
    fn handled(&mut self, id: NotificationId, unit: &UnitOfWork) {
        use psp_notifications::{
            lease_token, leased_until, next_try_at, operation_id, session_id, status, table,
        };
        let waiting = table.find(id.uuid()).filter(status.eq("waiting"));
        let first = unit.changed_operations.first();
        let write = diesel::update(waiting).set((
            status.eq("handled"),
            operation_id.eq(first.map(|changed| changed.operation.id.uuid())),
            session_id.eq(unit.session.id.uuid()),
            next_try_at.eq(None::<OffsetDateTime>),
            leased_until.eq(None::<OffsetDateTime>),
            lease_token.eq(None::<Uuid>),
        ));
        self.batch.require(write, Precondition::NotificationWaiting);
    }

    /// Inserts the events, then the deliveries of all of them.
    fn events(&mut self, new: &[NewEvent]) {
        if new.is_empty() {
            return;
        }
        for event in new {
            let row = EventRow::from(event);
            self.batch.add(row.insert_into(events::table));
        }
        let ids: Vec<Uuid> = new.iter().map(|event| Id::uuid(event.id)).collect();
        let deliver = sql_query(INSERT_DELIVERIES).bind::<Array<SqlUuid>, _>(ids);
        self.batch.add(deliver);
    }

    /// Inserts version 1 with its contact data; later versions update the row of the version
    /// before.
    fn session(&mut self, session: &Session, unit: UnitId) -> Result<(), StoreError> {
        if session.version == 1 {
            let row = (SessionRow::from(session), sessions::unit_id.eq(unit.uuid()));
            self.batch.add(row.insert_into(sessions::table));
            if let Some(row) = ContactRow::seal(session.id, &session.contact, self.sealer)? {
                let row = (row, contacts::merchant_id.eq(session.merchant.uuid()));
                self.batch.add(row.insert_into(contacts::table));
            }
            return Ok(());
        }
        let id = session.id.uuid();
        let version = i64::from(session.version);
        let before = sessions::table
            .filter(sessions::id.eq(id))
            .filter(sessions::version.eq(version - 1));
        let write = diesel::update(before).set(SessionState::from(session));
        self.batch.require(write, Precondition::Version);
        let change = (
            session_changes::unit_id.eq(unit.uuid()),
            session_changes::session_id.eq(id),
            session_changes::merchant_id.eq(session.merchant.uuid()),
            session_changes::version.eq(version),
        );
        self.batch.add(change.insert_into(session_changes::table));
        Ok(())
    }

    fn insert_operation(&mut self, new: &NewOperation) -> Result<(), StoreError> {
        let operation = &new.operation;
        let open = if operation.is_open() {
            let row = operation.id.uuid();
            let sealed = self
                .sealer
                .seal(REQUEST, row.as_bytes(), new.request.expose())?;
            OpenColumns {
                request: Some(sealed.bytes),
                request_key_id: Some(sealed.key_id),
                next_try_at: Some(at(new.next_try_at)),
            }
        } else {
            OpenColumns::default()
        };
        let row = (OperationRow::from(operation), open, operations::tries.eq(0));
        self.batch.add(row.insert_into(operations::table));
        Ok(())
    }

    fn change_operation(&mut self, changed: &ChangedOperation) {
        let operation = &changed.operation;
        let row = operations::table.find(operation.id.uuid());
        let state = OperationState::from(operation);
        let row_exists = Precondition::RowExists("an operation");
        match changed.next_try_at {
            _ if !operation.is_open() => {
                let write = diesel::update(row).set((state, OpenColumns::default()));
                self.batch.require(write, row_exists);
            }
            Some(next) => {
                let next = operations::next_try_at.eq(at(next));
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
        let row = refunds::table.find(refund.id.uuid());
        let write = diesel::update(row).set(RefundState::from(refund));
        self.batch
            .require(write, Precondition::RowExists("a refund"));
    }
}
