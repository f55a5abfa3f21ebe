//! The sandbox's merchant, which is the demo shop.

use std::path::Path;

use anyhow::Context;
use oncharge_application::merchants::{self, NewMerchant, SettingsChange};
use oncharge_domain::{
    id::MerchantId,
    merchant::{ApiKeyHash, logo::Logo, look::Look},
    psp::PspAccount,
    text::MerchantName,
};

use super::Pair;
use crate::{config::Secret, wiring::Wired};

/// How long after the authorisation the sandbox's clock captures, in seconds.
const CAPTURE_DELAY: u32 = 60;

/// The demo shop's bag. A new merchant starts with it; what becomes of it then is the merchant's affair.
const LOGO: &[u8] = include_bytes!("../../assets/shop/logo.svg");

/// The sandbox's merchant: the one it had, with a new key where the database knows another.
/// With `capture_delay` its clock captures after so many seconds.
pub(super) async fn present(
    wired: &Wired,
    data_dir: &Path,
    capture_delay: Option<u32>,
) -> anyhow::Result<Pair> {
    let pair = match Pair::read(data_dir)? {
        Some(pair) => keep_or_renew(wired, pair).await?,
        None => None,
    };
    let pair = match pair {
        Some(pair) => pair,
        None => new_merchant(wired).await?,
    };
    pair.write(data_dir)?;
    if let Some(delay) = capture_delay {
        let id = pair
            .merchant_id
            .parse()
            .context("the sandbox's merchant id")?;
        let change = SettingsChange {
            capture_delay_seconds: Some(delay),
            ..SettingsChange::default()
        };
        merchants::change(&wired.app, id, change).await?;
    }
    Ok(pair)
}

async fn keep_or_renew(wired: &Wired, pair: Pair) -> anyhow::Result<Option<Pair>> {
    let known = wired.merchants.key(&ApiKeyHash::of(&pair.api_key)).await?;
    if known.is_some_and(|(key, _)| key.is_valid(wired.app.now())) {
        return Ok(Some(pair));
    }
    let id: MerchantId = pair
        .merchant_id
        .parse()
        .context("the sandbox's merchant id")?;
    if wired.merchants.merchant(id).await?.is_none() {
        return Ok(None);
    }
    let new = merchants::add_key(&wired.app, id).await?;
    Ok(Some(Pair {
        merchant_id: pair.merchant_id,
        api_key: new.api_key,
        api_secret: Secret::new(new.api_secret.to_string()),
    }))
}

async fn new_merchant(wired: &Wired) -> anyhow::Result<Pair> {
    let new = NewMerchant {
        name: MerchantName::parse("Demo Shop")?,
        account: PspAccount::new("simulator", "default")?,
        capture_delay_seconds: CAPTURE_DELAY,
        look: Look {
            logo: Some(Logo::new(LOGO.to_vec())?),
            ..Look::default()
        },
    };
    let (merchant, pair) = merchants::create(&wired.app, new).await?;
    Ok(Pair {
        merchant_id: merchant.id.to_string(),
        api_key: pair.api_key,
        api_secret: Secret::new(pair.api_secret.to_string()),
    })
}
