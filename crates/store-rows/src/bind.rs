//! Ids and points in time as bind parameters, and their encodings in both databases.

use std::io::Write;

use diesel::{
    backend::Backend,
    deserialize::{self, FromSql, Queryable},
    expression::AsExpression,
    pg::{Pg, PgValue},
    serialize::{self, IsNull, Output, ToSql},
    sqlite::{Sqlite, SqliteValue},
};
use oncharge_domain::{
    id::{Id, Kind},
    time::Timestamp,
};
use uuid::Uuid;

use crate::sql_types;

/// PostgreSQL counts microseconds from 2000-01-01.
const POSTGRES_EPOCH: i64 = 946_684_800_000_000;

/// An id or a point in time as a bind parameter of a statement. Diesel reserves the conversion of a
/// type into an expression to the crate that defines the type, so values of the domain need this
/// wrapper, except in `sql_query`'s `bind`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, AsExpression)]
#[diesel(sql_type = sql_types::Id)]
#[diesel(sql_type = sql_types::Instant)]
pub struct Bind<T>(pub T);

/// A column does not hold a value of its type. Its text leaves out the bytes, because errors contain
/// no stored values.
#[derive(Debug)]
pub(crate) struct InvalidValue {
    pub(crate) bytes: Vec<u8>,
}

impl std::fmt::Display for InvalidValue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("not a value of the column's type")
    }
}

impl std::error::Error for InvalidValue {}

/// Lets a value be bound to columns of this SQL type, and a result that is no column of a row (such
/// as an aggregate) be read.
macro_rules! column_values {
    ($sql_type:ty: $value:ty $(, $kind:ident)?) => {
        impl<T: ToSql<$sql_type, DB>, DB: Backend> ToSql<$sql_type, DB> for Bind<T> {
            fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, DB>) -> serialize::Result {
                self.0.to_sql(out)
            }
        }

        impl<$($kind: Kind,)? DB: Backend> Queryable<$sql_type, DB> for $value
        where
            Self: FromSql<$sql_type, DB>,
        {
            type Row = Self;

            fn build(row: Self) -> deserialize::Result<Self> {
                Ok(row)
            }
        }
    };
}

column_values!(sql_types::Id: Id<K>, K);
column_values!(sql_types::Instant: Timestamp);

impl ToSql<sql_types::Id, Pg> for Uuid {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Pg>) -> serialize::Result {
        out.write_all(self.as_bytes())?;
        Ok(IsNull::No)
    }
}

impl ToSql<sql_types::Id, Sqlite> for Uuid {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Sqlite>) -> serialize::Result {
        out.set_value(self.as_bytes().as_slice());
        Ok(IsNull::No)
    }
}

impl FromSql<sql_types::Id, Pg> for Uuid {
    fn from_sql(value: PgValue<'_>) -> deserialize::Result<Self> {
        uuid(value.as_bytes())
    }
}

impl FromSql<sql_types::Id, Sqlite> for Uuid {
    fn from_sql(mut value: SqliteValue<'_, '_, '_>) -> deserialize::Result<Self> {
        uuid(value.read_blob())
    }
}

impl<K: Kind> ToSql<sql_types::Id, Pg> for Id<K> {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Pg>) -> serialize::Result {
        out.write_all(self.uuid().as_bytes())?;
        Ok(IsNull::No)
    }
}

impl<K: Kind> ToSql<sql_types::Id, Sqlite> for Id<K> {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Sqlite>) -> serialize::Result {
        out.set_value(self.uuid().as_bytes().to_vec());
        Ok(IsNull::No)
    }
}

impl<K: Kind, DB: Backend> FromSql<sql_types::Id, DB> for Id<K>
where
    Uuid: FromSql<sql_types::Id, DB>,
{
    fn from_sql(value: DB::RawValue<'_>) -> deserialize::Result<Self> {
        Uuid::from_sql(value).map(Self::from_uuid)
    }
}

impl ToSql<sql_types::Instant, Pg> for Timestamp {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Pg>) -> serialize::Result {
        let micros = self.unix_micros().saturating_sub(POSTGRES_EPOCH);
        out.write_all(&micros.to_be_bytes())?;
        Ok(IsNull::No)
    }
}

impl ToSql<sql_types::Instant, Sqlite> for Timestamp {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Sqlite>) -> serialize::Result {
        out.set_value(self.unix_micros());
        Ok(IsNull::No)
    }
}

impl FromSql<sql_types::Instant, Pg> for Timestamp {
    fn from_sql(value: PgValue<'_>) -> deserialize::Result<Self> {
        let bytes = value.as_bytes();
        let micros = bytes.try_into().map(i64::from_be_bytes);
        timestamp(
            micros
                .ok()
                .and_then(|micros| micros.checked_add(POSTGRES_EPOCH)),
            bytes,
        )
    }
}

impl FromSql<sql_types::Instant, Sqlite> for Timestamp {
    fn from_sql(mut value: SqliteValue<'_, '_, '_>) -> deserialize::Result<Self> {
        let micros = value.read_long();
        timestamp(Some(micros), &micros.to_be_bytes())
    }
}

fn uuid(bytes: &[u8]) -> deserialize::Result<Uuid> {
    Uuid::from_slice(bytes).map_err(|_| invalid(bytes))
}

fn timestamp(micros: Option<i64>, bytes: &[u8]) -> deserialize::Result<Timestamp> {
    let at = micros.and_then(Timestamp::from_unix_micros);
    at.ok_or_else(|| invalid(bytes))
}

fn invalid(bytes: &[u8]) -> Box<dyn std::error::Error + Send + Sync> {
    Box::new(InvalidValue {
        bytes: bytes.to_vec(),
    })
}
