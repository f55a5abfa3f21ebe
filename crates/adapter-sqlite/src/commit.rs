//! Commits a unit of work: rows are built outside the transaction, then written in it.

use diesel::prelude::*;
use oncharge_domain::{
    id::{EventId, MerchantId, OperationId, RefundId, SessionId, UnitId},
    refund::Refund,
    time::Timestamp,
};
use oncharge_ports::{
    CommitError, StoreError, UnitOfWork,
    unit_of_work::{ChangedOperation, Lease, NewOperation},
};
use oncharge_store_rows::{
    Bind,
    rows::{
        audit::AuditRow,
        contact::ContactRow,
        event::EventRow,
        idempotency_key::KeyWrite,
        operation::{OpenColumns, OperationRow, OperationState},
        refund::{RefundRow, RefundState},
        session::{SessionRow, SessionState},
    },
    schema::{contacts, events, operations, refunds, session_changes, sessions},
    seal::Sealer,
};

use crate::{
    audit, error, idempotency,
    inbox::HandledNotification,
    returning::{expect_one, touched},
    store::SqliteStore,
    webhooks, work,
    writer::Priority,
};

/// Writes the unit, all or nothing.
pub(crate) async fn commit(store: &SqliteStore, unit: &UnitOfWork) -> Result<(), CommitError> {
    let priority = match unit.lease {
        Some(_) => Priority::Worker,
        None => Priority::Request,
    };
    let rows = UnitRows::of(unit, store.sealer())?;
    let write = |connection: &mut SqliteConnection| rows.write(connection);
    store.write(priority, write).await
}

/// All rows of a unit, sealed and ready to be written.
struct UnitRows {
    lease: Option<Lease>,
    handled: Option<HandledNotification>,
    session: SessionWrite,
    changed_operations: Vec<OperationWrite>,
    operations: Vec<(OperationRow, OpenColumns)>,
    refund: Option<RefundRow>,
    changed_refunds: Vec<RefundWrite>,
    events: Vec<(EventId, EventRow)>,
    key: Option<KeyWrite>,
    audit: Vec<AuditRow>,
}

struct SessionWrite {
    id: SessionId,
    merchant: MerchantId,
    version: i64,
    unit: UnitId,
    rows: SessionRows,
}

enum SessionRows {
    Create(Box<SessionRow>, Option<ContactRow>),
    Change(Box<SessionState>),
}

struct OperationWrite {
    id: OperationId,
    session: SessionId,
    change: OperationState,
    next: NextTry,
}

/// Change of an operation's place in the queue.
enum NextTry {
    Final,
    At(Timestamp),
    Unchanged,
}

struct RefundWrite {
    id: RefundId,
    session: SessionId,
    change: RefundState,
}

impl UnitRows {
    fn of(unit: &UnitOfWork, sealer: &Sealer) -> Result<Self, StoreError> {
        let operations = unit.operations.iter();
        let changed = unit.changed_operations.iter();
        let refunds = unit.changed_refunds.iter();
        let key = unit.key.as_ref();
        Ok(Self {
            lease: unit.lease,
            handled: HandledNotification::of(unit),
            session: SessionWrite::of(unit, sealer)?,
            changed_operations: changed.map(OperationWrite::of).collect(),
            operations: operations
                .map(|new| operation_rows(new, sealer))
                .collect::<Result<_, _>>()?,
            refund: unit.refund.as_ref().map(RefundRow::from),
            changed_refunds: refunds.map(RefundWrite::of).collect(),
            events: unit
                .events
                .iter()
                .map(|new| Ok((new.id, EventRow::try_from(new)?)))
                .collect::<Result<_, StoreError>>()?,
            key: key.map(|key| KeyWrite::seal(key, sealer)).transpose()?,
            audit: unit.audit.iter().map(AuditRow::from).collect(),
        })
    }

    /// Writes the rows inside the caller's transaction; on an error the caller must roll back.
    ///
    /// Operations that end are written before new ones: unique indexes allow only one open
    /// operation of certain kinds per session.
    fn write(self, connection: &mut SqliteConnection) -> Result<(), CommitError> {
        if let Some(lease) = self.lease
            && !work::is_held(connection, lease).map_err(error::commit)?
        {
            return Err(CommitError::LeaseLost);
        }
        if let Some(handled) = self.handled {
            handled.write(connection)?;
        }
        self.session.write(connection)?;
        for changed in self.changed_operations {
            changed.write(connection)?;
        }
        for (row, open) in self.operations {
            let row = (row, open, operations::tries.eq(0));
            let insert = row.insert_into(operations::table);
            insert.execute(connection).map_err(error::commit)?;
        }
        if let Some(refund) = self.refund {
            let insert = refund.insert_into(refunds::table);
            insert.execute(connection).map_err(error::commit)?;
        }
        for changed in self.changed_refunds {
            changed.write(connection)?;
        }
        for (event, row) in self.events {
            let insert = row.insert_into(events::table);
            insert.execute(connection).map_err(error::commit)?;
            webhooks::enqueue_delivery(connection, event).map_err(error::commit)?;
        }
        if let Some(key) = self.key {
            idempotency::write(connection, key)?;
        }
        audit::write(connection, self.audit)
    }
}

fn operation_rows(
    new: &NewOperation,
    sealer: &Sealer,
) -> Result<(OperationRow, OpenColumns), StoreError> {
    let open = OpenColumns::seal(new, sealer)?;
    Ok((OperationRow::from(&new.operation), open))
}

impl SessionWrite {
    fn of(unit: &UnitOfWork, sealer: &Sealer) -> Result<Self, StoreError> {
        let session = &unit.session;
        let rows = if session.version == 1 {
            let contact = ContactRow::seal(session.id, &session.contact, sealer)?;
            SessionRows::Create(Box::new(session.try_into()?), contact)
        } else {
            SessionRows::Change(Box::new(session.try_into()?))
        };
        Ok(Self {
            id: session.id,
            merchant: session.merchant,
            version: session.version.into(),
            unit: unit.id,
            rows,
        })
    }

    fn write(self, connection: &mut SqliteConnection) -> Result<(), CommitError> {
        match self.rows {
            SessionRows::Create(row, contact) => {
                let row = (*row, sessions::unit_id.eq(Bind(self.unit)));
                let insert = row.insert_into(sessions::table);
                insert.execute(connection).map_err(error::commit)?;
                if let Some(contact) = contact {
                    let row = (contact, contacts::merchant_id.eq(Bind(self.merchant)));
                    let insert = row.insert_into(contacts::table);
                    insert.execute(connection).map_err(error::commit)?;
                }
                Ok(())
            }
            SessionRows::Change(change) => {
                let read = sessions::table
                    .find(Bind(self.id))
                    .filter(sessions::version.eq(self.version.saturating_sub(1)));
                let update = diesel::update(read).set(*change).returning(sessions::id);
                if touched(connection, update).map_err(error::commit)? == 0 {
                    return Err(CommitError::Conflict);
                }
                let change = (
                    session_changes::unit_id.eq(Bind(self.unit)),
                    session_changes::session_id.eq(Bind(self.id)),
                    session_changes::merchant_id.eq(Bind(self.merchant)),
                    session_changes::version.eq(self.version),
                );
                let insert = change.insert_into(session_changes::table);
                insert.execute(connection).map_err(error::commit)?;
                Ok(())
            }
        }
    }
}

impl OperationWrite {
    fn of(changed: &ChangedOperation) -> Self {
        let operation = &changed.operation;
        let next = match changed.next_try_at {
            _ if !operation.is_open() => NextTry::Final,
            Some(at) => NextTry::At(at),
            None => NextTry::Unchanged,
        };
        Self {
            id: operation.id,
            session: operation.session,
            change: OperationState::from(operation),
            next,
        }
    }

    fn write(self, connection: &mut SqliteConnection) -> Result<(), CommitError> {
        let row = operations::table
            .find(Bind(self.id))
            .filter(operations::session_id.eq(Bind(self.session)));
        let change = self.change;
        let written = match self.next {
            NextTry::Final => {
                let done = OpenColumns::default();
                let update = diesel::update(row).set((change, done));
                touched(connection, update.returning(operations::id))
            }
            NextTry::At(at) => {
                let next = operations::next_try_at.eq(Bind(at));
                let update = diesel::update(row).set((change, next));
                touched(connection, update.returning(operations::id))
            }
            NextTry::Unchanged => {
                let update = diesel::update(row).set(change);
                touched(connection, update.returning(operations::id))
            }
        };
        expect_one(written, "an operation to update is missing")
    }
}

impl RefundWrite {
    fn of(refund: &Refund) -> Self {
        Self {
            id: refund.id,
            session: refund.session,
            change: RefundState::from(refund),
        }
    }

    fn write(self, connection: &mut SqliteConnection) -> Result<(), CommitError> {
        let row = refunds::table
            .find(Bind(self.id))
            .filter(refunds::session_id.eq(Bind(self.session)));
        let update = diesel::update(row).set(self.change).returning(refunds::id);
        let written = touched(connection, update);
        expect_one(written, "a refund to update is missing")
    }
}
