//! A merchant reads one session.

use oncharge_domain::{id::MerchantId, session::Session};

use crate::{App, Error};

/// The session with this id, if it is this merchant's; an id of another form is not found.
pub async fn get(app: &App, merchant: MerchantId, id: &str) -> Result<Session, Error> {
    let id = id.parse().map_err(|_| Error::NotFound)?;
    let session = app.inner().checkout.session(id).await?;
    session
        .filter(|session| session.merchant == merchant)
        .ok_or(Error::NotFound)
}
