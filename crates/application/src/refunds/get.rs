//! A merchant reads one refund.

use oncharge_domain::{id::MerchantId, refund::Refund};

use crate::{App, Error};

/// The refund with this id, if it is this merchant's; an id of another form is not found.
pub async fn get(app: &App, merchant: MerchantId, id: &str) -> Result<Refund, Error> {
    let id = id.parse().map_err(|_| Error::NotFound)?;
    let refund = app.inner().checkout.refund(id).await?;
    refund
        .filter(|refund| refund.merchant == merchant)
        .ok_or(Error::NotFound)
}
