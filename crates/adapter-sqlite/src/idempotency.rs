//! Writes of idempotency records: take, complete and release.

use diesel::{
    dsl::sql,
    prelude::*,
    result::{DatabaseErrorKind, Error},
    sql_types::Bool,
};
use oncharge_domain::{id::MerchantId, time::Timestamp};
use oncharge_ports::{CommitError, unit_of_work::IdempotencyScope};
use oncharge_store_rows::{
    Bind,
    rows::idempotency_key::{KeyWrite, NewKeyRow},
    schema::idempotency_keys,
};

use crate::{error, returning::touched};

/// Writes a change of a record inside the caller's transaction; on an error the caller must roll
/// back.
pub(crate) fn write(connection: &mut SqliteConnection, key: KeyWrite) -> Result<(), CommitError> {
    match key {
        KeyWrite::Take(row, forgotten) => take(connection, &row, forgotten),
        KeyWrite::Complete(scope, response) => {
            // If a response is stored already, no row matches, and that response stays.
            let update = diesel::update(without_response(&scope)).set(response);
            let update = update.returning(idempotency_keys::merchant_id);
            touched(connection, update).map_err(error::commit)?;
            Ok(())
        }
        KeyWrite::Release(scope) => {
            let delete = diesel::delete(without_response(&scope));
            delete.execute(connection).map_err(error::commit)?;
            Ok(())
        }
    }
}

/// While the operation that a request started is open, its key stays taken.
const IS_NOT_OPEN: &str = "NOT EXISTS (SELECT 1 FROM operations
    WHERE operations.id = idempotency_keys.operation_id AND operations.status = 'requested')";

/// Inserts the record; replaces an existing one only if its retention period is over.
fn take(
    connection: &mut SqliteConnection,
    row: &NewKeyRow,
    forgotten: Timestamp,
) -> Result<(), CommitError> {
    let inserted = row.insert_into(idempotency_keys::table).execute(connection);
    match inserted {
        Ok(_) => return Ok(()),
        Err(Error::DatabaseError(DatabaseErrorKind::UniqueViolation, _)) => {}
        Err(error) => return Err(error::commit(error)),
    }
    let old = idempotency_keys::table
        .find((row.merchant_id, &row.key))
        .filter(idempotency_keys::responded_at.lt(Bind(forgotten)))
        .filter(sql::<Bool>(IS_NOT_OPEN));
    match diesel::update(old).set(row).execute(connection) {
        Ok(0) => Err(CommitError::IdempotencyKeyTaken),
        Ok(_) => Ok(()),
        Err(error) => Err(error::commit(error)),
    }
}

/// Selects the record of this scope, if it is not answered yet.
#[diesel::dsl::auto_type(no_type_alias)]
fn without_response(scope: &IdempotencyScope) -> _ {
    let merchant: MerchantId = scope.merchant;
    let key: String = scope.key.as_str().to_owned();
    idempotency_keys::table
        .filter(idempotency_keys::merchant_id.eq(Bind(merchant)))
        .filter(idempotency_keys::key.eq(key))
        .filter(idempotency_keys::responded_at.is_null())
}
