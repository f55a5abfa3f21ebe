//! Rows of the tables, and their conversions from and to domain values.
//!
//! Tables are STRICT, so a column's type is always what `schema` says. Whether a value is valid in
//! the domain is checked here; an error names the table, column and row.

pub(crate) mod attempt;
pub(crate) mod audit;
pub(crate) mod ban;
pub(crate) mod contact;
pub(crate) mod delivery;
pub(crate) mod endpoint;
pub(crate) mod event;
pub(crate) mod idempotency_key;
pub(crate) mod merchant;
pub(crate) mod node;
pub(crate) mod notification;
pub(crate) mod operation;
pub(crate) mod refund;
pub(crate) mod session;

use oncharge_domain::{
    currency::Currency,
    id::{Id, Kind},
    money::Money,
    psp::PspReference,
    time::Timestamp,
};
use oncharge_ports::StoreError;
use uuid::Uuid;

/// The bytes of an id, as stored in its column.
pub(crate) fn id_bytes<K: Kind>(id: Id<K>) -> Vec<u8> {
    id.uuid().as_bytes().to_vec()
}

/// Reads the columns of one row; errors name the table, column and row.
#[derive(Clone, Copy)]
pub(crate) struct RowReader<'a> {
    table: &'static str,
    row: &'a [u8],
}

impl<'a> RowReader<'a> {
    /// A reader for the row of this table with this primary key.
    pub(crate) fn of(table: &'static str, row: &'a [u8]) -> Self {
        Self { table, row }
    }

    /// The error for a corrupt value in this column.
    pub(crate) fn corrupt(self, column: &'static str) -> StoreError {
        let row = match Uuid::from_slice(self.row) {
            Ok(id) => id.simple().to_string(),
            Err(_) => self.row.escape_ascii().to_string(),
        };
        StoreError::Corrupt {
            table: self.table,
            column,
            row,
        }
    }

    /// Unwraps the result of parsing a column; an error means that the column is corrupt.
    pub(crate) fn parse<T, E>(
        self,
        column: &'static str,
        value: Result<T, E>,
    ) -> Result<T, StoreError> {
        value.map_err(|_| self.corrupt(column))
    }

    /// Unwraps a required value; `None` means that the column is corrupt.
    pub(crate) fn require<T>(
        self,
        column: &'static str,
        value: Option<T>,
    ) -> Result<T, StoreError> {
        value.ok_or_else(|| self.corrupt(column))
    }

    pub(crate) fn id<K: Kind>(
        self,
        column: &'static str,
        bytes: &[u8],
    ) -> Result<Id<K>, StoreError> {
        self.parse(column, Uuid::from_slice(bytes).map(Id::from_uuid))
    }

    pub(crate) fn optional_id<K: Kind>(
        self,
        column: &'static str,
        bytes: Option<&[u8]>,
    ) -> Result<Option<Id<K>>, StoreError> {
        bytes.map(|bytes| self.id(column, bytes)).transpose()
    }

    pub(crate) fn time(self, column: &'static str, micros: i64) -> Result<Timestamp, StoreError> {
        self.require(column, Timestamp::from_unix_micros(micros))
    }

    pub(crate) fn optional_time(
        self,
        column: &'static str,
        micros: Option<i64>,
    ) -> Result<Option<Timestamp>, StoreError> {
        micros.map(|micros| self.time(column, micros)).transpose()
    }

    pub(crate) fn count(self, column: &'static str, number: i64) -> Result<u32, StoreError> {
        self.parse(column, u32::try_from(number))
    }

    pub(crate) fn hash(self, column: &'static str, bytes: &[u8]) -> Result<[u8; 32], StoreError> {
        self.parse(column, bytes.try_into())
    }

    /// Parses the amount in the columns `amount` and `currency`.
    pub(crate) fn money(self, minor: i64, code: &str) -> Result<Money, StoreError> {
        let currency = self.parse("currency", Currency::parse(code))?;
        self.parse("amount", Money::new(minor, currency))
    }

    pub(crate) fn psp_reference(
        self,
        column: &'static str,
        text: Option<&str>,
    ) -> Result<Option<PspReference>, StoreError> {
        text.map(|text| self.parse(column, PspReference::parse(text)))
            .transpose()
    }
}

/// The text of a PSP reference, as stored in its column.
pub(crate) fn reference_text(reference: Option<&PspReference>) -> Option<String> {
    reference.map(|reference| reference.as_str().to_owned())
}
