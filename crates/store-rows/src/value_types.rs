//! How ids, points in time and JSON are bound and read.

use std::io::Write;

use diesel::{
    backend::Backend,
    deserialize::{self, FromSql, FromSqlRow, Queryable},
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

use crate::{JsonText, sql_types};

/// PostgreSQL counts microseconds from 2000-01-01.
const POSTGRES_EPOCH: i64 = 946_684_800_000_000;

/// The version of the binary format of `jsonb`.
const JSONB_VERSION: u8 = 1;

/// An id or a point in time as a value in a statement or row. Diesel reserves the conversion of a
/// type into an expression to the crate that defines the type, so values of the domain need this
/// wrapper, except in `bind` and where they are only read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, AsExpression, FromSqlRow)]
#[diesel(sql_type = sql_types::Id)]
#[diesel(sql_type = sql_types::Instant)]
pub struct Value<T>(pub T);

impl<T> Value<T> {
    pub fn get(self) -> T {
        self.0
    }
}

/// Lets a value, wrapped or not, be read from and bound to columns of this SQL type.
macro_rules! column_values {
    ($sql_type:ty: $value:ty $(, $kind:ident)?) => {
        impl<T: ToSql<$sql_type, DB>, DB: Backend> ToSql<$sql_type, DB> for Value<T> {
            fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, DB>) -> serialize::Result {
                self.0.to_sql(out)
            }
        }

        impl<T: FromSql<$sql_type, DB>, DB: Backend> FromSql<$sql_type, DB> for Value<T> {
            fn from_sql(value: DB::RawValue<'_>) -> deserialize::Result<Self> {
                T::from_sql(value).map(Self)
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
        Ok(Self::from_slice(value.as_bytes())?)
    }
}

impl FromSql<sql_types::Id, Sqlite> for Uuid {
    fn from_sql(mut value: SqliteValue<'_, '_, '_>) -> deserialize::Result<Self> {
        Ok(Self::from_slice(value.read_blob())?)
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
        let micros = i64::from_be_bytes(value.as_bytes().try_into()?);
        timestamp(micros.saturating_add(POSTGRES_EPOCH))
    }
}

impl FromSql<sql_types::Instant, Sqlite> for Timestamp {
    fn from_sql(mut value: SqliteValue<'_, '_, '_>) -> deserialize::Result<Self> {
        timestamp(value.read_long())
    }
}

fn timestamp(micros: i64) -> deserialize::Result<Timestamp> {
    let at = Timestamp::from_unix_micros(micros);
    at.ok_or_else(|| "a point in time out of range".into())
}

impl ToSql<sql_types::Json, Pg> for JsonText {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Pg>) -> serialize::Result {
        out.write_all(&[JSONB_VERSION])?;
        out.write_all(self.as_str().as_bytes())?;
        Ok(IsNull::No)
    }
}

impl ToSql<sql_types::Json, Sqlite> for JsonText {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Sqlite>) -> serialize::Result {
        out.set_value(self.as_str());
        Ok(IsNull::No)
    }
}

impl FromSql<sql_types::Json, Pg> for JsonText {
    fn from_sql(value: PgValue<'_>) -> deserialize::Result<Self> {
        match value.as_bytes() {
            [JSONB_VERSION, text @ ..] => Ok(Self::from(str::from_utf8(text)?)),
            _ => Err("not of the known version of jsonb".into()),
        }
    }
}

impl FromSql<sql_types::Json, Sqlite> for JsonText {
    fn from_sql(mut value: SqliteValue<'_, '_, '_>) -> deserialize::Result<Self> {
        Ok(Self::from(value.read_text()))
    }
}
