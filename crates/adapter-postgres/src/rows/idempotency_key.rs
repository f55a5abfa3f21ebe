//! Rows of idempotency records; the stored response body is sealed.

use diesel::{pg::Pg, prelude::*};
use oncharge_domain::{
    id::{Id, MerchantId, OperationId},
    idempotency::{IdempotencyKey, RequestFingerprint},
    time::Timestamp,
};
use oncharge_ports::{
    StoreError, StoredResponse,
    unit_of_work::{IdempotencyRecord, IdempotencyScope},
};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::{
    error::corrupt,
    rows::at,
    schema::idempotency_keys,
    seal::{BODY, SealedColumns, Sealer},
};

/// A record when its key is taken: reserved for an operation, or answered at once.
#[derive(Insertable)]
#[diesel(table_name = idempotency_keys, treat_none_as_default_value = false)]
pub(crate) struct NewKeyRow {
    merchant_id: Uuid,
    key: String,
    fingerprint: Vec<u8>,
    operation_id: Option<Uuid>,
    created_at: OffsetDateTime,
    #[diesel(embed)]
    answer: AnswerColumns,
}

/// The stored response; either all columns or none are set.
#[derive(Queryable, Selectable, Insertable, AsChangeset, Default)]
#[diesel(table_name = idempotency_keys, check_for_backend(Pg))]
#[diesel(treat_none_as_default_value = false, treat_none_as_null = true)]
pub(crate) struct AnswerColumns {
    answered_at: Option<OffsetDateTime>,
    status: Option<i64>,
    content_type: Option<String>,
    body: Option<Vec<u8>>,
    body_key_id: Option<String>,
}

/// The columns that are read of a record.
#[derive(Queryable, Selectable)]
#[diesel(table_name = idempotency_keys, check_for_backend(Pg))]
pub(crate) struct KeyRow {
    fingerprint: Vec<u8>,
    operation_id: Option<Uuid>,
    #[diesel(embed)]
    answer: AnswerColumns,
}

/// The row identity that a sealed body is bound to: the merchant's id and the key's text.
pub(crate) fn row_bytes(merchant: Uuid, key: &str) -> Vec<u8> {
    [merchant.as_bytes(), key.as_bytes()].concat()
}

impl NewKeyRow {
    pub(crate) fn new(
        scope: &IdempotencyScope,
        fingerprint: RequestFingerprint,
        operation: Option<OperationId>,
        answer: AnswerColumns,
        created_at: Timestamp,
    ) -> Self {
        Self {
            merchant_id: scope.merchant.uuid(),
            key: scope.key.as_str().to_owned(),
            fingerprint: fingerprint.bytes().to_vec(),
            operation_id: operation.map(Id::uuid),
            created_at: at(created_at),
            answer,
        }
    }
}

impl AnswerColumns {
    /// Seals a response that was given at this time.
    pub(crate) fn seal(
        scope: &IdempotencyScope,
        answer: &StoredResponse,
        answered_at: Timestamp,
        sealer: &Sealer,
    ) -> Result<Self, StoreError> {
        let row = row_bytes(scope.merchant.uuid(), scope.key.as_str());
        let columns = sealer.seal(BODY, &row, &answer.body)?;
        Ok(Self {
            answered_at: Some(at(answered_at)),
            status: Some(answer.status.into()),
            content_type: Some(answer.content_type.clone()),
            body: Some(columns.bytes),
            body_key_id: Some(columns.key_id),
        })
    }
}

impl KeyRow {
    pub(crate) fn open(
        self,
        scope: &IdempotencyScope,
        sealer: &Sealer,
    ) -> Result<IdempotencyRecord, StoreError> {
        let bad = |column| {
            let row = format!("{} {}", scope.merchant, scope.key.as_str());
            corrupt("idempotency_keys", column, row)
        };
        let bytes: Result<[u8; 32], _> = self.fingerprint.try_into();
        let fingerprint = RequestFingerprint::from_bytes(bytes.map_err(|_| bad("fingerprint"))?);
        let operation = self.operation_id.map(OperationId::from_uuid);
        let columns = self.answer;
        let Some(answered_at) = columns.answered_at else {
            return Ok(IdempotencyRecord {
                fingerprint,
                operation,
                answer: None,
                answered_at: None,
            });
        };
        let body = SealedColumns {
            bytes: columns.body.ok_or_else(|| bad("body"))?,
            key_id: columns.body_key_id.ok_or_else(|| bad("body_key_id"))?,
        };
        let row = row_bytes(scope.merchant.uuid(), scope.key.as_str());
        let status = columns.status.and_then(|status| status.try_into().ok());
        let answer = StoredResponse {
            status: status.ok_or_else(|| bad("status"))?,
            content_type: columns.content_type.ok_or_else(|| bad("content_type"))?,
            body: sealer.open(BODY, &row, body)?.to_vec(),
        };
        Ok(IdempotencyRecord {
            fingerprint,
            operation,
            answer: Some(answer),
            answered_at: Some(Timestamp::new(answered_at)),
        })
    }
}

/// Parses the scope from a row's key columns.
pub(crate) fn scope_of(merchant: Uuid, key: &str) -> Result<IdempotencyScope, StoreError> {
    let merchant = MerchantId::from_uuid(merchant);
    // Parsing strips one pair of quotes: the added pair keeps the text unchanged.
    let key = IdempotencyKey::parse(&format!("\"{key}\""));
    Ok(IdempotencyScope {
        merchant,
        key: key.ok_or_else(|| corrupt("idempotency_keys", "key", merchant.to_string()))?,
    })
}
