//! JSON as text.

use std::io::Write;

use diesel::{
    deserialize::{self, FromSql, FromSqlRow},
    expression::AsExpression,
    pg::{Pg, PgValue},
    serialize::{self, IsNull, Output, ToSql},
    sqlite::{Sqlite, SqliteValue},
};
use oncharge_ports::StoreError;
use serde::{Serialize, de::DeserializeOwned};

use crate::sql_types;

/// The version of the binary format of `jsonb`.
const JSONB_VERSION: u8 = 1;

/// A JSON document, parsed only where its content is needed.
#[derive(Clone, Debug, AsExpression, FromSqlRow)]
#[diesel(sql_type = sql_types::Json)]
pub struct JsonText(String);

impl JsonText {
    /// Serializes a value.
    pub fn of(value: &impl Serialize) -> Result<Self, StoreError> {
        let text = serde_json::to_string(value);
        text.map(Self)
            .map_err(|error| StoreError::Failed(error.into()))
    }

    /// Parses the document; `None` if it is not such a value.
    pub fn parse<T: DeserializeOwned>(&self) -> Option<T> {
        serde_json::from_str(&self.0).ok()
    }
}

impl From<&str> for JsonText {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl ToSql<sql_types::Json, Pg> for JsonText {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Pg>) -> serialize::Result {
        out.write_all(&[JSONB_VERSION])?;
        out.write_all(self.0.as_bytes())?;
        Ok(IsNull::No)
    }
}

impl ToSql<sql_types::Json, Sqlite> for JsonText {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Sqlite>) -> serialize::Result {
        out.set_value(self.0.as_str());
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
