//! Rows of the tables, and their conversions from and to domain values.

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
    money::Money,
    psp::{PspAccount, PspReference},
    time::Timestamp,
    webhook::EndpointUrl,
};
use oncharge_ports::StoreError;
use time::OffsetDateTime;

use crate::error::corrupt;

/// Reads the columns of one row; errors name the table, column and row.
#[derive(Clone, Copy)]
pub(crate) struct RowReader<I> {
    pub(crate) table: &'static str,
    pub(crate) row: I,
}

impl<I: Copy + ToString> RowReader<I> {
    /// Unwraps a required value; `None` means that the column is corrupt.
    pub(crate) fn require<T>(
        &self,
        column: &'static str,
        value: Option<T>,
    ) -> Result<T, StoreError> {
        value.ok_or_else(|| self.corrupt(column))
    }

    /// The error for a corrupt value in this column.
    pub(crate) fn corrupt(&self, column: &'static str) -> StoreError {
        corrupt(self.table, column, self.row.to_string())
    }

    pub(crate) fn count(&self, column: &'static str, value: i64) -> Result<u32, StoreError> {
        self.require(column, value.try_into().ok())
    }

    pub(crate) fn currency(&self, code: &str) -> Result<Currency, StoreError> {
        self.require("currency", Currency::parse(code).ok())
    }

    pub(crate) fn money(&self, minor: i64, currency: &str) -> Result<Money, StoreError> {
        let currency = self.currency(currency)?;
        self.require("amount", Money::new(minor, currency).ok())
    }

    pub(crate) fn account(&self, connector: &str, account: &str) -> Result<PspAccount, StoreError> {
        self.require("account", PspAccount::new(connector, account).ok())
    }

    /// Parses an endpoint's URL; accepts `http`, whatever rule was in force when it was written.
    pub(crate) fn url(&self, text: &str) -> Result<EndpointUrl, StoreError> {
        self.require("url", EndpointUrl::parse(text, true).ok())
    }

    pub(crate) fn psp_reference(
        &self,
        column: &'static str,
        text: Option<&str>,
    ) -> Result<Option<PspReference>, StoreError> {
        text.map(|text| self.require(column, PspReference::parse(text).ok()))
            .transpose()
    }
}

/// Converts a timestamp to the database's type.
pub(crate) fn at(timestamp: Timestamp) -> OffsetDateTime {
    timestamp.as_offset_date_time()
}

/// The error for a value that no column can hold: a bug.
pub(crate) fn conversion_error(
    error: impl std::error::Error + Send + Sync + 'static,
) -> StoreError {
    StoreError::Failed(Box::new(error))
}
