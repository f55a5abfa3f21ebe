//! Ids and points in time in the columns of a row.

use diesel::{
    backend::Backend,
    deserialize::{self, FromSql, FromSqlRow},
    expression::AsExpression,
    serialize::{self, Output, ToSql},
};

use crate::{bind::InvalidValue, sql_types};

/// An id or a point in time in a column of a row.
///
/// A row is loaded even if it has such a column that does not hold a value of its type; reading the
/// column with a [`RowReader`](crate::row_reader::RowReader) then reports the row as corrupt.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, AsExpression, FromSqlRow)]
#[diesel(sql_type = sql_types::Id)]
#[diesel(sql_type = sql_types::Instant)]
pub enum ColumnValue<T> {
    Readable(T),
    /// The stored bytes, in hexadecimal.
    Unreadable(String),
}

impl<T> From<T> for ColumnValue<T> {
    fn from(value: T) -> Self {
        Self::Readable(value)
    }
}

/// Lets a value be written to and read from columns of this SQL type.
macro_rules! column_value {
    ($sql_type:ty) => {
        impl<T: ToSql<$sql_type, DB>, DB: Backend> ToSql<$sql_type, DB> for ColumnValue<T> {
            fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, DB>) -> serialize::Result {
                match self {
                    Self::Readable(value) => value.to_sql(out),
                    Self::Unreadable(_) => Err("an unreadable value cannot be written".into()),
                }
            }
        }

        impl<T: FromSql<$sql_type, DB>, DB: Backend> FromSql<$sql_type, DB> for ColumnValue<T> {
            fn from_sql(value: DB::RawValue<'_>) -> deserialize::Result<Self> {
                T::from_sql(value)
                    .map(Self::Readable)
                    .or_else(|error| Ok(Self::Unreadable(bytes_of(error)?)))
            }
        }
    };
}

column_value!(sql_types::Id);
column_value!(sql_types::Instant);

/// The bytes that are not a value of the column's type, in hexadecimal.
fn bytes_of(error: Box<dyn std::error::Error + Send + Sync>) -> deserialize::Result<String> {
    let invalid = error.downcast::<InvalidValue>()?;
    Ok(hex::encode(&invalid.bytes))
}
