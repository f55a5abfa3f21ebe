//! Writes of idempotency records: take, complete and release.

use diesel::{
    dsl::sql,
    prelude::*,
    result::{DatabaseErrorKind, Error},
    sql_types::Bool,
};
use oncharge_domain::idempotency::IDEMPOTENCY_RETENTION_SECONDS;
use oncharge_ports::{
    CommitError, StoreError,
    unit_of_work::{IdempotencyScope, IdempotencyWrite},
};

use crate::{
    error,
    prepared::Prepared,
    rows::{
        id_bytes,
        idempotency_key::{AnswerColumns, NewKeyRow},
    },
    schema::idempotency_keys,
    seal::Sealer,
};

/// A change of a record, sealed and ready to be written.
pub(crate) enum KeyRows {
    /// Takes the key, unless it has a record that is not answered, was answered after this time, or
    /// whose operation is open.
    Take(Box<NewKeyRow>, i64),
    Complete(KeyColumns, AnswerColumns),
    Release(KeyColumns),
}

/// The primary key of a record.
pub(crate) struct KeyColumns {
    merchant_id: Vec<u8>,
    key: String,
}

impl KeyRows {
    pub(crate) fn of(write: &IdempotencyWrite, sealer: &Sealer) -> Result<Self, StoreError> {
        Ok(match write {
            IdempotencyWrite::Reserve {
                scope,
                fingerprint,
                operation,
                at,
            } => {
                let row = NewKeyRow {
                    merchant_id: id_bytes(scope.merchant),
                    key: scope.key.as_str().to_owned(),
                    fingerprint: fingerprint.bytes().to_vec(),
                    operation_id: Some(id_bytes(*operation)),
                    created_at: at.unix_micros(),
                    answer: AnswerColumns::default(),
                };
                let forgotten = at.plus_seconds(-IDEMPOTENCY_RETENTION_SECONDS);
                Self::Take(Box::new(row), forgotten.unix_micros())
            }
            IdempotencyWrite::ReserveAndComplete {
                scope,
                fingerprint,
                answer,
                at,
            } => {
                let row = NewKeyRow {
                    merchant_id: id_bytes(scope.merchant),
                    key: scope.key.as_str().to_owned(),
                    fingerprint: fingerprint.bytes().to_vec(),
                    operation_id: None,
                    created_at: at.unix_micros(),
                    answer: AnswerColumns::seal(scope, answer, at.unix_micros(), sealer)?,
                };
                let forgotten = at.plus_seconds(-IDEMPOTENCY_RETENTION_SECONDS);
                Self::Take(Box::new(row), forgotten.unix_micros())
            }
            IdempotencyWrite::Complete { scope, answer, at } => Self::Complete(
                KeyColumns::of(scope),
                AnswerColumns::seal(scope, answer, at.unix_micros(), sealer)?,
            ),
            IdempotencyWrite::Release { scope } => Self::Release(KeyColumns::of(scope)),
        })
    }

    /// Writes the change inside the caller's transaction; on an error the caller must roll back.
    pub(crate) fn write(self, connection: &mut SqliteConnection) -> Result<(), CommitError> {
        match self {
            Self::Take(row, forgotten) => take_key(connection, &row, forgotten),
            Self::Complete(KeyColumns { merchant_id, key }, answer) => {
                // If an answer is stored already, no row matches, and that answer stays.
                let open = idempotency_keys::table
                    .find((merchant_id, key))
                    .filter(idempotency_keys::answered_at.is_null());
                let update = diesel::update(open).set(answer);
                let update = Prepared(update.returning(idempotency_keys::merchant_id));
                update.touched(connection).map_err(error::commit)?;
                Ok(())
            }
            Self::Release(KeyColumns { merchant_id, key }) => {
                let open = idempotency_keys::table
                    .find((merchant_id, key))
                    .filter(idempotency_keys::answered_at.is_null());
                diesel::delete(open)
                    .execute(connection)
                    .map_err(error::commit)?;
                Ok(())
            }
        }
    }
}

/// While the operation that a request started is open, its key stays taken.
const IS_NOT_OPEN: &str = "NOT EXISTS (SELECT 1 FROM operations
    WHERE operations.id = idempotency_keys.operation_id AND operations.status = 'requested')";

/// Inserts the record; replaces an existing one only if its retention period is over.
fn take_key(
    connection: &mut SqliteConnection,
    row: &NewKeyRow,
    forgotten: i64,
) -> Result<(), CommitError> {
    let inserted = row.insert_into(idempotency_keys::table).execute(connection);
    match inserted {
        Ok(_) => return Ok(()),
        Err(Error::DatabaseError(DatabaseErrorKind::UniqueViolation, _)) => {}
        Err(error) => return Err(error::commit(error)),
    }
    let old = idempotency_keys::table
        .find((&row.merchant_id, &row.key))
        .filter(idempotency_keys::answered_at.lt(forgotten))
        .filter(sql::<Bool>(IS_NOT_OPEN));
    match diesel::update(old).set(row).execute(connection) {
        Ok(0) => Err(CommitError::IdempotencyKeyTaken),
        Ok(_) => Ok(()),
        Err(error) => Err(error::commit(error)),
    }
}

impl KeyColumns {
    fn of(scope: &IdempotencyScope) -> Self {
        Self {
            merchant_id: id_bytes(scope.merchant),
            key: scope.key.as_str().to_owned(),
        }
    }
}
