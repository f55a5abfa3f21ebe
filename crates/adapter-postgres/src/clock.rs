//! The database's clock, by which leases and due times are judged.

use std::time::Duration;

use diesel::pg::data_types::PgInterval;
use oncharge_ports::StoreError;
use oncharge_store_rows::sql_types::Instant;

use crate::error::conversion_error;

diesel::define_sql_function! {
    /// The database's clock, used for leases; constant within a transaction.
    #[sql_name = "now"]
    fn database_clock() -> Nullable<Instant>;
}

pub(crate) fn interval(length: Duration) -> Result<PgInterval, StoreError> {
    let micros = i64::try_from(length.as_micros()).map_err(conversion_error)?;
    Ok(PgInterval::from_microseconds(micros))
}
