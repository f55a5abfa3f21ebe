//! An idempotency record as statements: taken, remembered, freed.

use diesel::{
    dsl::sql,
    prelude::*,
    result::{DatabaseErrorKind, Error},
    sql_types::Bool,
};
use oncharge_domain::idempotency::REMEMBERED_SECONDS;
use oncharge_ports::{
    CommitError, StoreError,
    unit_of_work::{KeyScope, KeyWrite},
};

use crate::{
    error,
    hot::Hot,
    rows::{
        id_bytes,
        key::{AnswerColumns, TakenKeyRow},
    },
    schema::idempotency_keys,
    seal::Sealer,
};

/// What becomes of a record, sealed and ready to be written.
pub(crate) enum KeyRows {
    /// Taken, unless a record holds it that was not answered before this time, or whose operation is
    /// open.
    Take(Box<TakenKeyRow>, i64),
    Remember(KeyColumns, AnswerColumns),
    Free(KeyColumns),
}

/// Which record.
pub(crate) struct KeyColumns {
    merchant_id: Vec<u8>,
    key: String,
}

impl KeyRows {
    /// The rows of a write.
    pub(crate) fn of(write: &KeyWrite, sealer: &Sealer) -> Result<Self, StoreError> {
        Ok(match write {
            KeyWrite::Reserve {
                scope,
                fingerprint,
                operation,
                at,
            } => {
                let row = TakenKeyRow {
                    merchant_id: id_bytes(scope.merchant),
                    key: scope.key.as_str().to_owned(),
                    fingerprint: fingerprint.bytes().to_vec(),
                    operation_id: Some(id_bytes(*operation)),
                    created_at: at.unix_micros(),
                    answer: AnswerColumns::default(),
                };
                let forgotten = at.plus_seconds(-REMEMBERED_SECONDS);
                Self::Take(Box::new(row), forgotten.unix_micros())
            }
            KeyWrite::Answer {
                scope,
                fingerprint,
                answer,
                at,
            } => {
                let row = TakenKeyRow {
                    merchant_id: id_bytes(scope.merchant),
                    key: scope.key.as_str().to_owned(),
                    fingerprint: fingerprint.bytes().to_vec(),
                    operation_id: None,
                    created_at: at.unix_micros(),
                    answer: AnswerColumns::of(scope, answer, at.unix_micros(), sealer)?,
                };
                let forgotten = at.plus_seconds(-REMEMBERED_SECONDS);
                Self::Take(Box::new(row), forgotten.unix_micros())
            }
            KeyWrite::Remember { scope, answer, at } => Self::Remember(
                KeyColumns::of(scope),
                AnswerColumns::of(scope, answer, at.unix_micros(), sealer)?,
            ),
            KeyWrite::Free { scope } => Self::Free(KeyColumns::of(scope)),
        })
    }

    /// Writes them, inside a transaction that the caller ends; an error asks for its rollback.
    pub(crate) fn write(self, connection: &mut SqliteConnection) -> Result<(), CommitError> {
        match self {
            Self::Take(row, forgotten) => take_key(connection, &row, forgotten),
            Self::Remember(KeyColumns { merchant_id, key }, answer) => {
                // Where an answer is remembered already, no row is open, and that one stays.
                let open = idempotency_keys::table
                    .find((merchant_id, key))
                    .filter(idempotency_keys::answered_at.is_null());
                let update = diesel::update(open).set(answer);
                let update = Hot(update.returning(idempotency_keys::merchant_id));
                update.touched(connection).map_err(error::commit)?;
                Ok(())
            }
            Self::Free(KeyColumns { merchant_id, key }) => {
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

/// Inserts the record; where there is one, takes its place only if that is remembered no longer.
fn take_key(
    connection: &mut SqliteConnection,
    row: &TakenKeyRow,
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
        Ok(0) => Err(CommitError::KeyTaken),
        Ok(_) => Ok(()),
        Err(error) => Err(error::commit(error)),
    }
}

impl KeyColumns {
    fn of(scope: &KeyScope) -> Self {
        Self {
            merchant_id: id_bytes(scope.merchant),
            key: scope.key.as_str().to_owned(),
        }
    }
}
