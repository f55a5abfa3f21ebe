//! Rows of shoppers' contact data, each value sealed.

use diesel::prelude::*;
use oncharge_domain::{
    id::{MerchantId, SessionId},
    keyring::SealContext,
    text::{Contact, Email, Phone},
};
use oncharge_ports::StoreError;

use super::{RowReader, id_bytes};
use crate::{
    schema::contacts,
    seal::{SealedColumns, Sealer},
};

const TABLE: &str = "contacts";

/// A session's contact data; without contact data there is no row.
#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = contacts, treat_none_as_default_value = false)]
pub(crate) struct ContactRow {
    session_id: Vec<u8>,
    email: Option<Vec<u8>>,
    email_key_id: Option<String>,
    phone: Option<Vec<u8>>,
    phone_key_id: Option<String>,
}

/// A session's contact data with its merchant, to be inserted.
#[derive(Insertable)]
#[diesel(table_name = contacts)]
pub(crate) struct NewContactRow {
    merchant_id: Vec<u8>,
    #[diesel(embed)]
    contact: ContactRow,
}

/// The context to which a contact value is bound when it is sealed.
pub(crate) fn place<'a>(column: &'a str, session: &'a [u8]) -> SealContext<'a> {
    SealContext {
        table: TABLE,
        column,
        row: session,
    }
}

impl ContactRow {
    /// Seals a session's contact data; `None` if there is none.
    pub(crate) fn seal(
        session: SessionId,
        contact: &Contact,
        sealer: &Sealer,
    ) -> Result<Option<Self>, StoreError> {
        if contact.is_empty() {
            return Ok(None);
        }
        let id = id_bytes(session);
        let seal = |column, text: Option<&str>| match text {
            Some(text) => sealer
                .seal(place(column, &id), text.as_bytes())
                .map(|sealed_value| (Some(sealed_value.bytes), Some(sealed_value.key_id))),
            None => Ok((None, None)),
        };
        let (email, email_key_id) = seal("email", contact.email.as_ref().map(Email::as_str))?;
        let (phone, phone_key_id) = seal("phone", contact.phone.as_ref().map(Phone::as_str))?;
        Ok(Some(Self {
            email,
            email_key_id,
            phone,
            phone_key_id,
            session_id: id,
        }))
    }

    pub(crate) fn of_merchant(self, merchant: MerchantId) -> NewContactRow {
        NewContactRow {
            merchant_id: id_bytes(merchant),
            contact: self,
        }
    }

    pub(crate) fn open(self, sealer: &Sealer) -> Result<Contact, StoreError> {
        let id = self.session_id;
        let email = open(sealer, &id, "email", self.email, self.email_key_id)?;
        let phone = open(sealer, &id, "phone", self.phone, self.phone_key_id)?;
        let reader = RowReader::of(TABLE, &id);
        let email = email.as_deref().map(Email::parse).transpose();
        let phone = phone.as_deref().map(Phone::parse).transpose();
        Ok(Contact {
            email: reader.parse("email", email)?,
            phone: reader.parse("phone", phone)?,
        })
    }
}

fn open(
    sealer: &Sealer,
    row: &[u8],
    column: &'static str,
    bytes: Option<Vec<u8>>,
    key_id: Option<String>,
) -> Result<Option<String>, StoreError> {
    let (Some(bytes), Some(key_id)) = (bytes, key_id) else {
        return Ok(None);
    };
    let columns = SealedColumns { bytes, key_id };
    let text = sealer.open(place(column, row), columns, |plain| {
        String::from_utf8(plain.to_vec()).ok()
    });
    RowReader::of(TABLE, row).require(column, text).map(Some)
}
