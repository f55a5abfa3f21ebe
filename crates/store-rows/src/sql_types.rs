//! The SQL types of the schema. Three of them have another type in each database.

use diesel::{query_builder::QueryId, sql_types::SqlType};

pub use diesel::sql_types::{BigInt, Binary, Bool, Nullable, Text};

/// An id: `uuid` in PostgreSQL, the 16 bytes as a BLOB in SQLite.
#[derive(Clone, Copy, Debug, QueryId, SqlType)]
#[diesel(
    postgres_type(oid = 2950, array_oid = 2951),
    sqlite_type(name = "Binary")
)]
pub struct Id;

/// A point in time: `timestamptz` in PostgreSQL, microseconds since 1970 in SQLite.
#[derive(Clone, Copy, Debug, QueryId, SqlType)]
#[diesel(
    postgres_type(oid = 1184, array_oid = 1185),
    sqlite_type(name = "Long")
)]
pub struct Instant;

impl diesel::sql_types::SqlOrd for Instant {}

/// A JSON document: `jsonb` in PostgreSQL, TEXT in SQLite.
#[derive(Clone, Copy, Debug, QueryId, SqlType)]
#[diesel(
    postgres_type(oid = 3802, array_oid = 3807),
    sqlite_type(name = "Text")
)]
pub struct Json;
