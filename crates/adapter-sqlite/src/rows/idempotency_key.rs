//! Rows of idempotency records; the stored response body is sealed.

use diesel::prelude::*;
use oncharge_domain::{idempotency::RequestFingerprint, keyring::SealContext};
use oncharge_ports::{
    StoreError, StoredResponse,
    unit_of_work::{IdempotencyRecord, IdempotencyScope},
};

use super::RowReader;
use crate::{
    schema::idempotency_keys,
    seal::{SealedColumns, Sealer},
};

const TABLE: &str = "idempotency_keys";

/// The columns that are read of a record.
#[derive(Queryable, Selectable)]
#[diesel(table_name = idempotency_keys)]
pub(crate) struct KeyRow {
    fingerprint: Vec<u8>,
    operation_id: Option<Vec<u8>>,
    #[diesel(embed)]
    answer: AnswerColumns,
}

/// The stored response; all NULL until there is one.
#[derive(Default, Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = idempotency_keys)]
#[diesel(treat_none_as_default_value = false, treat_none_as_null = true)]
pub(crate) struct AnswerColumns {
    answered_at: Option<i64>,
    status: Option<i64>,
    content_type: Option<String>,
    body: Option<Vec<u8>>,
    body_key_id: Option<String>,
}

/// A record when its key is taken.
#[derive(Insertable, AsChangeset)]
#[diesel(table_name = idempotency_keys)]
#[diesel(treat_none_as_default_value = false, treat_none_as_null = true)]
pub(crate) struct NewKeyRow {
    pub(crate) merchant_id: Vec<u8>,
    pub(crate) key: String,
    pub(crate) fingerprint: Vec<u8>,
    pub(crate) operation_id: Option<Vec<u8>>,
    pub(crate) created_at: i64,
    #[diesel(embed)]
    pub(crate) answer: AnswerColumns,
}

/// The row identity that a sealed body is bound to: the merchant's id and the key.
pub(crate) fn row_bytes(merchant: &[u8], key: &str) -> Vec<u8> {
    [merchant, key.as_bytes()].concat()
}

/// The context to which a record's body is bound when it is sealed.
pub(crate) fn place(row: &[u8]) -> SealContext<'_> {
    SealContext {
        table: TABLE,
        column: "body",
        row,
    }
}

fn row_of(scope: &IdempotencyScope) -> Vec<u8> {
    row_bytes(scope.merchant.uuid().as_bytes(), scope.key.as_str())
}

impl AnswerColumns {
    pub(crate) fn seal(
        scope: &IdempotencyScope,
        answer: &StoredResponse,
        answered_at: i64,
        sealer: &Sealer,
    ) -> Result<Self, StoreError> {
        let sealed_value = sealer.seal(place(&row_of(scope)), &answer.body)?;
        Ok(Self {
            answered_at: Some(answered_at),
            status: Some(answer.status.into()),
            content_type: Some(answer.content_type.clone()),
            body: Some(sealed_value.bytes),
            body_key_id: Some(sealed_value.key_id),
        })
    }
}

impl KeyRow {
    pub(crate) fn open(
        self,
        scope: &IdempotencyScope,
        sealer: &Sealer,
    ) -> Result<IdempotencyRecord, StoreError> {
        let row = row_of(scope);
        let reader = RowReader::of(TABLE, &row);
        let fingerprint = reader.hash("fingerprint", &self.fingerprint)?;
        let operation = self.operation_id.as_deref();
        let operation = operation
            .map(|id| reader.id("operation_id", id))
            .transpose()?;
        let columns = self.answer;
        let answered_at = reader.optional_time("answered_at", columns.answered_at)?;
        let answer = match (columns.status, columns.body, columns.body_key_id) {
            (None, None, None) => None,
            (Some(status), Some(bytes), Some(key_id)) => {
                let sealed_value = SealedColumns { bytes, key_id };
                let body = sealer.open(place(&row), sealed_value, |plain| Some(plain.to_vec()));
                Some(StoredResponse {
                    status: reader.parse("status", u16::try_from(status))?,
                    content_type: reader.require("content_type", columns.content_type)?,
                    body: reader.require("body", body)?,
                })
            }
            _ => return Err(reader.corrupt("body")),
        };
        Ok(IdempotencyRecord {
            fingerprint: RequestFingerprint::from_bytes(fingerprint),
            operation,
            answer,
            answered_at,
        })
    }
}
