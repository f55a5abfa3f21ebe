//! Lists a merchant's API keys.

use oncharge_domain::{id::MerchantId, merchant::ApiKey};

use crate::{App, Error};

/// The merchant's keys that have not ended, newest first; those with an end are in their grace
/// period.
///
/// Errors: `Busy`.
pub async fn list(app: &App, merchant: MerchantId) -> Result<Vec<ApiKey>, Error> {
    Ok(app
        .inner()
        .store
        .merchants
        .keys(merchant, app.now())
        .await?)
}
