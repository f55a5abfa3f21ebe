//! Idempotency records, committed together with what they guard.

use diesel::{dsl::sql, prelude::*, query_dsl::methods, sql_types::Bool, upsert::excluded};
use oncharge_domain::{id::MerchantId, time::Timestamp};
use oncharge_ports::{
    StoreError,
    unit_of_work::{IdempotencyScope, IdempotencyWrite},
};
use oncharge_store_rows::{
    Bind,
    rows::idempotency_key::{KeyWrite, NewKeyRow},
    schema::idempotency_keys,
    seal::Sealer,
};

use crate::{batch::Batch, precondition::Precondition};

/// Adds the write of a record; the batch fails with [`Precondition::Key`] if the key is taken.
pub(crate) fn write(
    batch: &mut Batch<'_, Precondition>,
    sealer: &Sealer,
    key: &IdempotencyWrite,
) -> Result<(), StoreError> {
    match KeyWrite::seal(key, sealer)? {
        KeyWrite::Take(row, forgotten) => take(batch, *row, forgotten),
        KeyWrite::Complete(scope, response) => {
            batch.add(diesel::update(without_response(&scope)).set(response));
        }
        KeyWrite::Release(scope) => batch.add(diesel::delete(without_response(&scope))),
    }
    Ok(())
}

/// While the operation that a request started is open, its key stays taken.
const IS_NOT_OPEN: &str = "NOT EXISTS (SELECT FROM operations
    WHERE operations.id = idempotency_keys.operation_id AND operations.status = 'requested')";

/// Takes the key. Replaces an existing record only if that was answered before the retention period
/// and its operation has ended.
fn take(batch: &mut Batch<'_, Precondition>, row: NewKeyRow, forgotten: Timestamp) {
    use idempotency_keys::{
        body, body_key_id, content_type, created_at, fingerprint, key, merchant_id, operation_id,
        responded_at, status, table,
    };
    let write = diesel::insert_into(table)
        .values(row)
        .on_conflict((merchant_id, key))
        .do_update()
        .set((
            fingerprint.eq(excluded(fingerprint)),
            operation_id.eq(excluded(operation_id)),
            created_at.eq(excluded(created_at)),
            responded_at.eq(excluded(responded_at)),
            status.eq(excluded(status)),
            content_type.eq(excluded(content_type)),
            body.eq(excluded(body)),
            body_key_id.eq(excluded(body_key_id)),
        ));
    let is_over = responded_at
        .lt(Bind(forgotten))
        .and(sql::<Bool>(IS_NOT_OPEN));
    let write = methods::FilterDsl::filter(write, is_over);
    batch.require(write, Precondition::Key);
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
