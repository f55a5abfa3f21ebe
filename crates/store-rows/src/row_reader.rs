//! Reads the columns of one row.

use std::fmt::Display;

use oncharge_domain::{
    currency::Currency,
    money::Money,
    psp::{PspAccount, PspReference},
    webhook::EndpointUrl,
};
use oncharge_ports::StoreError;

use crate::ColumnValue;

/// Reads the columns of one row; errors name the table, column and row.
#[derive(Clone, Copy)]
pub struct RowReader<I> {
    table: &'static str,
    row: I,
}

impl<I: Copy + Display> RowReader<I> {
    /// A reader for the row of this table with this primary key.
    pub fn of(table: &'static str, row: I) -> Self {
        Self { table, row }
    }

    /// A reader for the row of this table whose primary key is in this column.
    pub fn with_id(
        table: &'static str,
        column: &'static str,
        id: ColumnValue<I>,
    ) -> Result<Self, StoreError> {
        match id {
            ColumnValue::Readable(row) => Ok(Self { table, row }),
            ColumnValue::Unreadable(bytes) => Err(StoreError::Corrupt {
                table,
                column,
                row: bytes,
            }),
        }
    }

    /// The row's primary key.
    pub fn id(self) -> I {
        self.row
    }

    /// Reads an id or a point in time.
    pub fn value<T>(self, column: &'static str, value: ColumnValue<T>) -> Result<T, StoreError> {
        match value {
            ColumnValue::Readable(value) => Ok(value),
            ColumnValue::Unreadable(_) => Err(self.corrupt(column)),
        }
    }

    /// Reads an id or a point in time that may be missing.
    pub fn optional<T>(
        self,
        column: &'static str,
        value: Option<ColumnValue<T>>,
    ) -> Result<Option<T>, StoreError> {
        value.map(|value| self.value(column, value)).transpose()
    }

    /// Unwraps a required value; `None` means that the column is corrupt.
    pub fn require<T>(self, column: &'static str, value: Option<T>) -> Result<T, StoreError> {
        value.ok_or_else(|| self.corrupt(column))
    }

    /// Unwraps the result of parsing a column; an error means that the column is corrupt.
    pub fn parse<T, E>(self, column: &'static str, value: Result<T, E>) -> Result<T, StoreError> {
        value.map_err(|_| self.corrupt(column))
    }

    /// The error for a corrupt value in this column.
    pub fn corrupt(self, column: &'static str) -> StoreError {
        StoreError::Corrupt {
            table: self.table,
            column,
            row: self.row.to_string(),
        }
    }

    pub fn count(self, column: &'static str, value: i64) -> Result<u32, StoreError> {
        self.parse(column, u32::try_from(value))
    }

    /// Parses the amount in a column and the column `currency`.
    pub fn money(
        self,
        column: &'static str,
        minor: i64,
        currency: &str,
    ) -> Result<Money, StoreError> {
        let currency = self.parse("currency", Currency::parse(currency))?;
        self.parse(column, Money::new(minor, currency))
    }

    pub fn account(self, connector: &str, account: &str) -> Result<PspAccount, StoreError> {
        self.parse("account", PspAccount::new(connector, account))
    }

    /// Parses an endpoint's URL; accepts `http`, whatever rule was in force when it was written.
    pub fn url(self, text: &str) -> Result<EndpointUrl, StoreError> {
        self.parse("url", EndpointUrl::parse(text, true))
    }

    pub fn psp_reference(
        self,
        column: &'static str,
        text: Option<&str>,
    ) -> Result<Option<PspReference>, StoreError> {
        text.map(|text| self.parse(column, PspReference::parse(text)))
            .transpose()
    }
}
