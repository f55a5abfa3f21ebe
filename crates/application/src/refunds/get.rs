//! Reads one refund.

use oncharge_domain::{id::MerchantId, refund::Refund};

use crate::{App, Error};

/// The merchant's refund with this id; a malformed id is `NotFound`.
pub async fn get(app: &App, merchant: MerchantId, id: &str) -> Result<Refund, Error> {
    let id = id.parse().map_err(|_| Error::NotFound)?;
    let refund = app.inner().store.checkout.refund(id).await?;
    refund
        .filter(|refund| refund.merchant == merchant)
        .ok_or(Error::NotFound)
}
