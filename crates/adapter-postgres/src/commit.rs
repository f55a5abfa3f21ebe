//! A unit of work, written all or nothing.

use diesel::{prelude::*, query_dsl::methods, upsert::excluded};
use oncharge_domain::{
    id::UnitId, idempotency::REMEMBERED_SECONDS, refund::Refund, session::Session, time::Timestamp,
};
use oncharge_ports::{
    CommitError, StoreError, UnitOfWork,
    unit_of_work::{ChangedOperation, KeyScope, KeyWrite, Lease, LeasedItem, NewOperation},
};

use crate::{
    batch::{Batch, BatchError},
    rows::{
        at,
        audit::AuditRow,
        contact::ContactRow,
        event::EventRow,
        idempotency_key::{AnswerColumns, TakenRow},
        operation::{OpenColumns, OperationRow, OperationState},
        refund::{RefundRow, RefundState},
        session::{SessionRow, SessionState},
    },
    schema::{
        audit_log, contacts, database_clock, events, idempotency_keys, operations, refunds,
        session_changes, sessions,
    },
    seal::{REQUEST, Sealer},
    store::PostgresStore,
};

/// Which statement touched no row.
#[derive(Clone, Copy, Debug)]
enum Blame {
    /// The session has another version by now.
    Version,
    /// The lease is over or another's.
    Lease,
    /// The idempotency key is taken.
    Key,
    /// A row that should change is not there: a fault of the caller.
    Missing(&'static str),
}

/// A unit on its way into a batch.
struct Writer<'a> {
    batch: Batch<'a, Blame>,
    sealer: &'a Sealer,
}

/// Writes the unit in two round trips.
///
/// The session comes first: all units of a session meet at its row, so that they cannot block each
/// other in a circle. Then the statements stand in the order of the foreign keys; what has changed
/// comes before what is new, so that an operation that is over makes room for the next in flight.
pub(crate) async fn commit(store: &PostgresStore, unit: &UnitOfWork) -> Result<(), CommitError> {
    let lent = store.pool.get().await?;
    let mut writer = Writer {
        batch: Batch::new(&lent),
        sealer: &store.sealer,
    };
    writer.write(unit)?;
    writer.batch.commit().await.map_err(outcome)
}

fn outcome(error: BatchError<Blame>) -> CommitError {
    match error {
        BatchError::NoRow(Blame::Version) => CommitError::Conflict,
        BatchError::NoRow(Blame::Lease) => CommitError::LeaseLost,
        BatchError::NoRow(Blame::Key) => CommitError::KeyTaken,
        BatchError::NoRow(Blame::Missing(row)) => {
            let text = format!("{row} that should change is not there");
            CommitError::Store(StoreError::Failed(text.into()))
        }
        BatchError::Failed(failure) => failure.into(),
        BatchError::OutcomeUnknown(failure) => {
            tracing::warn!(?failure, "the connection was lost during a commit");
            CommitError::OutcomeUnknown
        }
    }
}

impl Writer<'_> {
    fn write(&mut self, unit: &UnitOfWork) -> Result<(), StoreError> {
        self.session(&unit.session, unit.id)?;
        if let Some(lease) = unit.lease {
            self.hold(lease);
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
        for event in &unit.events {
            let row = EventRow::from(event);
            self.batch.add(row.insert_into(events::table));
        }
        if let Some(key) = &unit.key {
            self.key(key)?;
        }
        for entry in &unit.audit {
            let row = AuditRow::from(entry);
            self.batch.add(row.insert_into(audit_log::table));
        }
        Ok(())
    }

    /// The lease must hold, and stays locked until the commit.
    fn hold(&mut self, lease: Lease) {
        let token = lease.token.uuid();
        match lease.item {
            LeasedItem::Operation(id) => {
                let row = operations::table
                    .select(operations::id)
                    .filter(operations::id.eq(id.uuid()))
                    .filter(operations::lease_token.eq(token))
                    .filter(operations::leased_until.gt(database_clock()))
                    .for_no_key_update();
                self.batch.require(row, Blame::Lease);
            }
            LeasedItem::Session(id) => {
                let row = sessions::table
                    .select(sessions::id)
                    .filter(sessions::id.eq(id.uuid()))
                    .filter(sessions::lease_token.eq(token))
                    .filter(sessions::leased_until.gt(database_clock()))
                    .for_no_key_update();
                self.batch.require(row, Blame::Lease);
            }
        }
    }

    /// Version 1 is inserted with its contact data; any other is written over the one before it.
    fn session(&mut self, session: &Session, unit: UnitId) -> Result<(), StoreError> {
        if session.version == 1 {
            let row = (SessionRow::from(session), sessions::unit_id.eq(unit.uuid()));
            self.batch.add(row.insert_into(sessions::table));
            if let Some(row) = ContactRow::seal(session.id, &session.contact, self.sealer)? {
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
        self.batch.require(write, Blame::Version);
        let change = (
            session_changes::session_id.eq(id),
            session_changes::version.eq(version),
            session_changes::unit_id.eq(unit.uuid()),
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
        let missing = Blame::Missing("an operation");
        match changed.next_try_at {
            _ if !operation.is_open() => {
                let write = diesel::update(row).set((state, OpenColumns::default()));
                self.batch.require(write, missing);
            }
            Some(next) => {
                let next = operations::next_try_at.eq(at(next));
                let write = diesel::update(row).set((state, next));
                self.batch.require(write, missing);
            }
            None => {
                let write = diesel::update(row).set(state);
                self.batch.require(write, missing);
            }
        }
    }

    fn change_refund(&mut self, refund: &Refund) {
        let row = refunds::table.find(refund.id.uuid());
        let write = diesel::update(row).set(RefundState::from(refund));
        self.batch.require(write, Blame::Missing("a refund"));
    }

    fn key(&mut self, key: &KeyWrite) -> Result<(), StoreError> {
        match key {
            KeyWrite::Reserve {
                scope,
                fingerprint,
                operation,
                at,
            } => {
                let rest = (AnswerColumns::default(), *at);
                let row = TakenRow::new(scope, *fingerprint, Some(*operation), rest);
                self.take(row, *at);
            }
            KeyWrite::Answer {
                scope,
                fingerprint,
                answer,
                at,
            } => {
                let answer = AnswerColumns::seal(scope, answer, *at, self.sealer)?;
                let row = TakenRow::new(scope, *fingerprint, None, (answer, *at));
                self.take(row, *at);
            }
            KeyWrite::Remember { scope, answer, at } => {
                let answer = AnswerColumns::seal(scope, answer, *at, self.sealer)?;
                let write = diesel::update(unanswered(scope)).set(answer);
                self.batch.add(write);
            }
            KeyWrite::Free { scope } => self.batch.add(diesel::delete(unanswered(scope))),
        }
        Ok(())
    }

    /// Takes the key; over another's record only where that was answered long enough ago.
    fn take(&mut self, row: TakenRow, present: Timestamp) {
        use idempotency_keys::{
            answered_at, body, body_key_id, content_type, created_at, fingerprint, key,
            merchant_id, operation_id, status, table,
        };
        let forgotten = at(present.plus_seconds(-REMEMBERED_SECONDS));
        let write = diesel::insert_into(table)
            .values(row)
            .on_conflict((merchant_id, key))
            .do_update()
            .set((
                fingerprint.eq(excluded(fingerprint)),
                operation_id.eq(excluded(operation_id)),
                created_at.eq(excluded(created_at)),
                answered_at.eq(excluded(answered_at)),
                status.eq(excluded(status)),
                content_type.eq(excluded(content_type)),
                body.eq(excluded(body)),
                body_key_id.eq(excluded(body_key_id)),
            ));
        let write = methods::FilterDsl::filter(write, answered_at.lt(forgotten));
        self.batch.require(write, Blame::Key);
    }
}

/// The record of this scope, if it was not answered yet.
#[diesel::dsl::auto_type(no_type_alias)]
fn unanswered(scope: &KeyScope) -> _ {
    let merchant: uuid::Uuid = scope.merchant.uuid();
    let key: String = scope.key.as_str().to_owned();
    idempotency_keys::table
        .filter(idempotency_keys::merchant_id.eq(merchant))
        .filter(idempotency_keys::key.eq(key))
        .filter(idempotency_keys::answered_at.is_null())
}
