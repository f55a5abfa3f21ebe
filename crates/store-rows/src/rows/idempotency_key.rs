//! Rows of idempotency records; the stored response body is sealed.

use diesel::prelude::*;
use oncharge_domain::{
    id::{MerchantId, OperationId},
    idempotency::{IDEMPOTENCY_RETENTION_SECONDS, IdempotencyKey, RequestFingerprint},
    time::Timestamp,
};
use oncharge_ports::{
    StoreError, StoredResponse,
    unit_of_work::{IdempotencyRecord, IdempotencyScope, IdempotencyWrite},
};

use crate::{
    Bind, ColumnValue,
    row_reader::RowReader,
    schema::idempotency_keys,
    seal::{BODY, SealedColumns, Sealer},
};

/// A record when its key is taken: reserved for an operation, or answered at once.
#[derive(Insertable, AsChangeset)]
#[diesel(table_name = idempotency_keys)]
#[diesel(treat_none_as_default_value = false, treat_none_as_null = true)]
pub struct NewKeyRow {
    pub merchant_id: Bind<MerchantId>,
    pub key: String,
    fingerprint: Vec<u8>,
    operation_id: Option<Bind<OperationId>>,
    created_at: Bind<Timestamp>,
    #[diesel(embed)]
    response: ResponseColumns,
}

/// The stored response; either all columns or none are set.
#[derive(Queryable, Selectable, Insertable, AsChangeset, Default)]
#[diesel(table_name = idempotency_keys)]
#[diesel(treat_none_as_default_value = false, treat_none_as_null = true)]
pub struct ResponseColumns {
    responded_at: Option<ColumnValue<Timestamp>>,
    status: Option<i64>,
    content_type: Option<String>,
    body: Option<Vec<u8>>,
    body_key_id: Option<String>,
}

/// A change of a record, sealed and ready to be written.
pub enum KeyWrite {
    /// Takes the key, unless it has a record that is not answered, was answered after this time, or
    /// whose operation is open.
    Take(Box<NewKeyRow>, Timestamp),
    Complete(IdempotencyScope, ResponseColumns),
    Release(IdempotencyScope),
}

impl KeyWrite {
    pub fn seal(write: &IdempotencyWrite, sealer: &Sealer) -> Result<Self, StoreError> {
        Ok(match write {
            IdempotencyWrite::Reserve {
                scope,
                fingerprint,
                operation,
                at,
            } => {
                let (operation, response) = (Some(*operation), ResponseColumns::default());
                let row = NewKeyRow::new(scope, *fingerprint, operation, response, *at);
                Self::take(row, *at)
            }
            IdempotencyWrite::ReserveAndComplete {
                scope,
                fingerprint,
                response,
                at,
            } => {
                let response = ResponseColumns::seal(scope, response, *at, sealer)?;
                let row = NewKeyRow::new(scope, *fingerprint, None, response, *at);
                Self::take(row, *at)
            }
            IdempotencyWrite::Complete {
                scope,
                response,
                at,
            } => {
                let response = ResponseColumns::seal(scope, response, *at, sealer)?;
                Self::Complete(scope.clone(), response)
            }
            IdempotencyWrite::Release { scope } => Self::Release(scope.clone()),
        })
    }

    fn take(row: NewKeyRow, now: Timestamp) -> Self {
        let forgotten = now.plus_seconds(-IDEMPOTENCY_RETENTION_SECONDS);
        Self::Take(Box::new(row), forgotten)
    }
}

/// The columns that are read of a record.
#[derive(Queryable, Selectable)]
#[diesel(table_name = idempotency_keys)]
pub struct KeyRow {
    fingerprint: Vec<u8>,
    operation_id: Option<ColumnValue<OperationId>>,
    #[diesel(embed)]
    response: ResponseColumns,
}

/// The row identity that a sealed body is bound to: the merchant's id and the key's text.
fn row_bytes(scope: &IdempotencyScope) -> Vec<u8> {
    let merchant = scope.merchant.uuid();
    [merchant.as_bytes(), scope.key.as_str().as_bytes()].concat()
}

impl NewKeyRow {
    fn new(
        scope: &IdempotencyScope,
        fingerprint: RequestFingerprint,
        operation: Option<OperationId>,
        response: ResponseColumns,
        created_at: Timestamp,
    ) -> Self {
        Self {
            merchant_id: Bind(scope.merchant),
            key: scope.key.as_str().to_owned(),
            fingerprint: fingerprint.bytes().to_vec(),
            operation_id: operation.map(Bind),
            created_at: Bind(created_at),
            response,
        }
    }
}

impl ResponseColumns {
    /// Seals a response that was given at this time.
    fn seal(
        scope: &IdempotencyScope,
        response: &StoredResponse,
        responded_at: Timestamp,
        sealer: &Sealer,
    ) -> Result<Self, StoreError> {
        let row = row_bytes(scope);
        let columns = sealer.seal(BODY, &row, &response.body)?;
        Ok(Self {
            responded_at: Some(responded_at.into()),
            status: Some(response.status.into()),
            content_type: Some(response.content_type.clone()),
            body: Some(columns.bytes),
            body_key_id: Some(columns.key_id),
        })
    }
}

impl KeyRow {
    pub fn open(
        self,
        scope: &IdempotencyScope,
        sealer: &Sealer,
    ) -> Result<IdempotencyRecord, StoreError> {
        let row = format!("{} {}", scope.merchant, scope.key.as_str());
        let reader = RowReader::of("idempotency_keys", row.as_str());
        let fingerprint = reader.parse("fingerprint", self.fingerprint.try_into())?;
        let fingerprint = RequestFingerprint::from_bytes(fingerprint);
        let operation = reader.optional("operation_id", self.operation_id)?;
        let columns = self.response;
        let responded_at = reader.optional("responded_at", columns.responded_at)?;
        let Some(responded_at) = responded_at else {
            return Ok(IdempotencyRecord {
                fingerprint,
                operation,
                response: None,
                responded_at: None,
            });
        };
        let body = SealedColumns {
            bytes: reader.require("body", columns.body)?,
            key_id: reader.require("body_key_id", columns.body_key_id)?,
        };
        let status = columns.status.and_then(|status| status.try_into().ok());
        let response = StoredResponse {
            status: reader.require("status", status)?,
            content_type: reader.require("content_type", columns.content_type)?,
            body: sealer.open(BODY, &row_bytes(scope), body)?.to_vec(),
        };
        Ok(IdempotencyRecord {
            fingerprint,
            operation,
            response: Some(response),
            responded_at: Some(responded_at),
        })
    }
}

/// Parses the scope from a row's key columns.
pub fn scope_of(
    merchant: ColumnValue<MerchantId>,
    key: &str,
) -> Result<IdempotencyScope, StoreError> {
    let reader = RowReader::with_id("idempotency_keys", "merchant_id", merchant)?;
    // Parsing strips one pair of quotes: the added pair keeps the text unchanged.
    let key = IdempotencyKey::parse(&format!("\"{key}\""));
    Ok(IdempotencyScope {
        merchant: reader.id(),
        key: reader.require("key", key)?,
    })
}
