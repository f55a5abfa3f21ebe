//! Reads one session.

use oncharge_domain::{id::MerchantId, session::Session};

use crate::{App, Error};

/// The merchant's session with this id; a malformed id is `NotFound`.
pub async fn get(app: &App, merchant: MerchantId, id: &str) -> Result<Session, Error> {
    let id = id.parse().map_err(|_| Error::NotFound)?;
    let session = app.inner().store.checkout.session(id).await?;
    session
        .filter(|session| session.merchant == merchant)
        .ok_or(Error::NotFound)
}
