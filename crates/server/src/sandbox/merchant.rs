//! The sandbox's merchant, used by the demo shop.

use std::path::Path;

use anyhow::Context;
use oncharge_application::merchants::{self, NewMerchant, SettingsChange};
use oncharge_demo_shop::LOGO;
use oncharge_domain::{
    branding::{Branding, logo::Logo},
    id::MerchantId,
    merchant::ApiKeyHash,
    psp::PspAccount,
    text::MerchantName,
};

use super::Credentials;
use crate::{config::Secret, wiring::Components};

/// Default delay of the sandbox's automatic capture after the authorization, in seconds.
const DEFAULT_CAPTURE_DELAY: u32 = 60;

/// The sandbox's merchant: the existing one, with a new key if the database does not know its key.
/// `capture_delay` enables automatic captures after this many seconds.
pub(super) async fn ensure_merchant(
    components: &Components,
    data_dir: &Path,
    capture_delay: Option<u32>,
) -> anyhow::Result<Credentials> {
    let credentials = match Credentials::read(data_dir)? {
        Some(credentials) => reuse_or_renew_key(components, credentials).await?,
        None => None,
    };
    let credentials = match credentials {
        Some(credentials) => credentials,
        None => create_merchant(components).await?,
    };
    credentials.write(data_dir)?;
    if let Some(delay) = capture_delay {
        let id = credentials
            .merchant_id
            .parse()
            .context("the sandbox's merchant id")?;
        let change = SettingsChange {
            capture_delay_seconds: Some(delay),
            ..SettingsChange::default()
        };
        merchants::change(&components.app, id, change).await?;
    }
    Ok(credentials)
}

async fn reuse_or_renew_key(
    components: &Components,
    credentials: Credentials,
) -> anyhow::Result<Option<Credentials>> {
    let stored_key = components
        .store
        .merchants
        .key(&ApiKeyHash::of(&credentials.api_key))
        .await?;
    if stored_key.is_some_and(|(key, _)| key.is_valid(components.app.now())) {
        return Ok(Some(credentials));
    }
    let id: MerchantId = credentials
        .merchant_id
        .parse()
        .context("the sandbox's merchant id")?;
    if components.store.merchants.merchant(id).await?.is_none() {
        return Ok(None);
    }
    let new = merchants::add_key(&components.app, id).await?;
    Ok(Some(Credentials {
        merchant_id: credentials.merchant_id,
        api_key: new.api_key,
        api_secret: Secret::new(new.api_secret.to_string()),
    }))
}

async fn create_merchant(components: &Components) -> anyhow::Result<Credentials> {
    let new = NewMerchant {
        name: MerchantName::parse("Demo Shop")?,
        account: PspAccount::new("simulator", "default")?,
        capture_delay_seconds: DEFAULT_CAPTURE_DELAY,
        branding: Branding {
            // Only a new merchant gets the logo; later changes are kept.
            logo: Some(Logo::new(LOGO.to_vec())?),
            ..Branding::default()
        },
    };
    let (merchant, credentials) = merchants::create(&components.app, new).await?;
    Ok(Credentials {
        merchant_id: merchant.id.to_string(),
        api_key: credentials.api_key,
        api_secret: Secret::new(credentials.api_secret.to_string()),
    })
}
