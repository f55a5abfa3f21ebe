//! Rows of shoppers' contact data, sealed.

use diesel::prelude::*;
use oncharge_domain::{
    id::SessionId,
    text::{Contact, Email, Phone},
};
use oncharge_ports::StoreError;

use crate::{
    ColumnValue,
    row_reader::RowReader,
    schema::contacts,
    seal::{CONTACT_EMAIL, CONTACT_PHONE, Column, SealedColumns, Sealer},
};

#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = contacts, treat_none_as_default_value = false)]
pub struct ContactRow {
    session_id: ColumnValue<SessionId>,
    email: Option<Vec<u8>>,
    email_key_id: Option<String>,
    phone: Option<Vec<u8>>,
    phone_key_id: Option<String>,
}

impl ContactRow {
    /// Seals a session's contact data; `None` if there is none.
    pub fn seal(
        session: SessionId,
        contact: &Contact,
        sealer: &Sealer,
    ) -> Result<Option<Self>, StoreError> {
        if contact.is_empty() {
            return Ok(None);
        }
        let row = session.uuid();
        let seal = |column, text: Option<&str>| {
            text.map(|text| sealer.seal(column, row.as_bytes(), text.as_bytes()))
                .transpose()
        };
        let (email, email_key_id) = split(seal(
            CONTACT_EMAIL,
            contact.email.as_ref().map(Email::as_str),
        )?);
        let (phone, phone_key_id) = split(seal(
            CONTACT_PHONE,
            contact.phone.as_ref().map(Phone::as_str),
        )?);
        Ok(Some(Self {
            session_id: session.into(),
            email,
            email_key_id,
            phone,
            phone_key_id,
        }))
    }

    pub fn open(self, sealer: &Sealer) -> Result<Contact, StoreError> {
        let reader = RowReader::with_id("contacts", "session_id", self.session_id)?;
        let id = reader.id().uuid();
        let row = id.as_bytes();
        let email = open(sealer, CONTACT_EMAIL, row, self.email, self.email_key_id)?;
        let phone = open(sealer, CONTACT_PHONE, row, self.phone, self.phone_key_id)?;
        let read_email = |text: String| Email::parse(&text).map_err(|_| CONTACT_EMAIL.corrupt(row));
        let read_phone = |text: String| Phone::parse(&text).map_err(|_| CONTACT_PHONE.corrupt(row));
        Ok(Contact {
            email: email.map(read_email).transpose()?,
            phone: phone.map(read_phone).transpose()?,
        })
    }
}

fn split(sealed: Option<SealedColumns>) -> (Option<Vec<u8>>, Option<String>) {
    sealed.map(|sealed| (sealed.bytes, sealed.key_id)).unzip()
}

fn open(
    sealer: &Sealer,
    column: Column,
    row: &[u8],
    bytes: Option<Vec<u8>>,
    key_id: Option<String>,
) -> Result<Option<String>, StoreError> {
    let (bytes, key_id) = match (bytes, key_id) {
        (None, None) => return Ok(None),
        (Some(bytes), Some(key_id)) => (bytes, key_id),
        _ => return Err(column.corrupt(row)),
    };
    let plain = sealer.open(column, row, SealedColumns { bytes, key_id })?;
    let text = str::from_utf8(&plain).map_err(|_| column.corrupt(row))?;
    Ok(Some(text.to_owned()))
}
