//! Commits a unit of work: rows are built outside the transaction, then written in it.

use diesel::prelude::*;
use oncharge_domain::{operation::Operation, refund::Refund};
use oncharge_ports::{
    CommitError, StoreError, UnitOfWork,
    unit_of_work::{ChangedOperation, Lease},
};

use crate::{
    error,
    idempotency::KeyRows,
    inbox::HandledNotification,
    prepared::Prepared,
    rows::{
        audit::AuditRow,
        contact::{ContactRow, NewContactRow},
        event::EventRow,
        id_bytes,
        operation::{NewOperationRow, OpenColumns, OperationState},
        refund::{RefundRow, RefundState},
        session::{NewSessionRow, SessionState},
    },
    schema::{audit_log, contacts, events, operations, refunds, session_changes, sessions},
    seal::Sealer,
    webhooks, work,
};

/// All rows of a unit, sealed and ready to be written.
pub(crate) struct UnitRows {
    lease: Option<Lease>,
    handled: Option<HandledNotification>,
    session: SessionWrite,
    changed_operations: Vec<OperationWrite>,
    operations: Vec<NewOperationRow>,
    refund: Option<RefundRow>,
    changed_refunds: Vec<RefundWrite>,
    events: Vec<EventRow>,
    key: Option<KeyRows>,
    audit: Vec<AuditRow>,
}

enum SessionWrite {
    Create(Box<NewSessionRow>, Option<NewContactRow>),
    Change {
        id: Vec<u8>,
        merchant_id: Vec<u8>,
        version: i64,
        unit_id: Vec<u8>,
        change: Box<SessionState>,
    },
}

struct OperationWrite {
    id: Vec<u8>,
    session_id: Vec<u8>,
    change: OperationState,
    next: NextTry,
}

/// Change of an operation's place in the queue.
enum NextTry {
    Final,
    At(i64),
    Unchanged,
}

struct RefundWrite {
    id: Vec<u8>,
    session_id: Vec<u8>,
    change: RefundState,
}

impl UnitRows {
    pub(crate) fn of(unit: &UnitOfWork, sealer: &Sealer) -> Result<Self, StoreError> {
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
                .map(|new| NewOperationRow::of(new, sealer))
                .collect::<Result<_, _>>()?,
            refund: unit.refund.as_ref().map(RefundRow::of),
            changed_refunds: refunds.map(RefundWrite::of).collect(),
            events: unit
                .events
                .iter()
                .map(EventRow::of)
                .collect::<Result<_, _>>()?,
            key: key.map(|key| KeyRows::of(key, sealer)).transpose()?,
            audit: unit.audit.iter().map(AuditRow::of).collect(),
        })
    }

    /// Writes the rows inside the caller's transaction; on an error the caller must roll back.
    ///
    /// Operations that end are written before new ones: unique indexes allow only one open
    /// operation of certain kinds per session.
    pub(crate) fn write(self, connection: &mut SqliteConnection) -> Result<(), CommitError> {
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
        for new in self.operations {
            let insert = new.insert_into(operations::table);
            insert.execute(connection).map_err(error::commit)?;
        }
        if let Some(refund) = self.refund {
            let insert = refund.insert_into(refunds::table);
            insert.execute(connection).map_err(error::commit)?;
        }
        for changed in self.changed_refunds {
            changed.write(connection)?;
        }
        for event in self.events {
            let insert = (&event).insert_into(events::table);
            insert.execute(connection).map_err(error::commit)?;
            webhooks::enqueue_delivery(connection, event.id()).map_err(error::commit)?;
        }
        if let Some(key) = self.key {
            key.write(connection)?;
        }
        write_audit(connection, self.audit)
    }
}

pub(crate) fn write_audit(
    connection: &mut SqliteConnection,
    entries: impl IntoIterator<Item = AuditRow>,
) -> Result<(), CommitError> {
    for entry in entries {
        let insert = entry.insert_into(audit_log::table);
        insert.execute(connection).map_err(error::commit)?;
    }
    Ok(())
}

/// Expects exactly one touched row; any other number violates this rule.
pub(crate) fn expect_one(
    written: QueryResult<usize>,
    rule: &'static str,
) -> Result<(), CommitError> {
    match written.map_err(error::commit)? {
        1 => Ok(()),
        _ => Err(error::rule_violation(rule).into()),
    }
}

impl SessionWrite {
    fn of(unit: &UnitOfWork, sealer: &Sealer) -> Result<Self, StoreError> {
        let session = &unit.session;
        if session.version == 1 {
            let contact = ContactRow::seal(session.id, &session.contact, sealer)?;
            let contact = contact.map(|row| row.of_merchant(session.merchant));
            return Ok(Self::Create(Box::new(NewSessionRow::of(unit)?), contact));
        }
        Ok(Self::Change {
            id: id_bytes(session.id),
            merchant_id: id_bytes(session.merchant),
            version: session.version.into(),
            unit_id: id_bytes(unit.id),
            change: Box::new(SessionState::of(session)?),
        })
    }

    fn write(self, connection: &mut SqliteConnection) -> Result<(), CommitError> {
        match self {
            Self::Create(row, contact) => {
                let insert = row.insert_into(sessions::table);
                insert.execute(connection).map_err(error::commit)?;
                if let Some(contact) = contact {
                    let insert = contact.insert_into(contacts::table);
                    insert.execute(connection).map_err(error::commit)?;
                }
                Ok(())
            }
            Self::Change {
                id,
                merchant_id,
                version,
                unit_id,
                change,
            } => {
                let read = sessions::table
                    .find(&id)
                    .filter(sessions::version.eq(version.saturating_sub(1)));
                let update = diesel::update(read).set(*change).returning(sessions::id);
                if Prepared(update)
                    .touched(connection)
                    .map_err(error::commit)?
                    == 0
                {
                    return Err(CommitError::Conflict);
                }
                diesel::insert_into(session_changes::table)
                    .values((
                        session_changes::unit_id.eq(unit_id),
                        session_changes::session_id.eq(id),
                        session_changes::merchant_id.eq(merchant_id),
                        session_changes::version.eq(version),
                    ))
                    .execute(connection)
                    .map_err(error::commit)?;
                Ok(())
            }
        }
    }
}

impl OperationWrite {
    fn of(changed: &ChangedOperation) -> Self {
        let operation: &Operation = &changed.operation;
        let next = match changed.next_try_at {
            _ if !operation.is_open() => NextTry::Final,
            Some(at) => NextTry::At(at.unix_micros()),
            None => NextTry::Unchanged,
        };
        Self {
            id: id_bytes(operation.id),
            session_id: id_bytes(operation.session),
            change: OperationState::of(operation),
            next,
        }
    }

    fn write(self, connection: &mut SqliteConnection) -> Result<(), CommitError> {
        let row = operations::table
            .find(self.id)
            .filter(operations::session_id.eq(self.session_id));
        let change = self.change;
        let written = match self.next {
            NextTry::Final => {
                let done = OpenColumns::default();
                let update = diesel::update(row).set((change, done));
                Prepared(update.returning(operations::id)).touched(connection)
            }
            NextTry::At(at) => {
                let next = operations::next_try_at.eq(at);
                let update = diesel::update(row).set((change, next));
                Prepared(update.returning(operations::id)).touched(connection)
            }
            NextTry::Unchanged => {
                let update = diesel::update(row).set(change);
                Prepared(update.returning(operations::id)).touched(connection)
            }
        };
        expect_one(written, "an operation to update is missing")
    }
}

impl RefundWrite {
    fn of(refund: &Refund) -> Self {
        Self {
            id: id_bytes(refund.id),
            session_id: id_bytes(refund.session),
            change: RefundState::of(refund),
        }
    }

    fn write(self, connection: &mut SqliteConnection) -> Result<(), CommitError> {
        let row = refunds::table
            .find(self.id)
            .filter(refunds::session_id.eq(self.session_id));
        let update = diesel::update(row).set(self.change).returning(refunds::id);
        let written = Prepared(update).touched(connection);
        expect_one(written, "a refund to update is missing")
    }
}
