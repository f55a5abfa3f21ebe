//! JSON as text.

use diesel::{deserialize::FromSqlRow, expression::AsExpression};
use oncharge_ports::StoreError;
use serde::{Serialize, de::DeserializeOwned};

use crate::sql_types;

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

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<&str> for JsonText {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}
