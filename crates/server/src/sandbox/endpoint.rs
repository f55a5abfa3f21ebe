//! Where the sandbox's events go: to the demo shop, unless a person wants them elsewhere.
//!
//! The shop's port may be another at each start, and an endpoint that leads to the old one would be
//! of no use. But a person may have set an endpoint through the API, and that must stay. The two
//! look alike (a path on loopback), so the sandbox keeps the URLs that it has registered itself in
//! `webhook-endpoint.json`: an endpoint that stands there is its own and follows the shop, any other
//! is the person's.

use std::{fs, path::Path, sync::Arc};

use anyhow::Context;
use oncharge_application::{Error, webhooks::endpoint};
use oncharge_domain::{
    id::{ApiKeyId, MerchantId},
    merchant::ApiKeyHash,
    webhook::{EndpointUrl, WebhookEndpoint},
};

use super::Pair;
use crate::{
    config::write_private,
    shop::{SigningSecret, WEBHOOK_PATH},
    wiring::Wired,
};

/// The URLs that the sandbox has registered itself.
const OWN: &str = "webhook-endpoint.json";

/// Registers the demo shop where no endpoint is set, or one of an earlier start.
pub(super) async fn register(
    wired: &Wired,
    pair: &Pair,
    (data_dir, shop): (&Path, &str),
) -> anyhow::Result<()> {
    let merchant: MerchantId = pair
        .merchant_id
        .parse()
        .context("the sandbox's merchant id")?;
    let key = wired.merchants.key(&ApiKeyHash::of(&pair.api_key)).await?;
    let (key, _) = key.context("the sandbox's key is not there")?;
    let present = match endpoint::get(&wired.app, merchant).await {
        Ok(view) => Some(view.endpoint),
        Err(Error::NotFound) => None,
        Err(error) => return Err(error).context("the webhook endpoint cannot be read"),
    };
    let url = EndpointUrl::parse(&format!("{shop}{WEBHOOK_PATH}"), true)
        .context("the demo shop's URL")?;
    let mut own = read(data_dir)?;
    if !is_to_be_set(present.as_ref(), &own, (&url, key.id)) {
        return Ok(());
    }
    // Both stand there until it is done: a crash in between leaves the endpoint known as our own.
    own.push(url.as_str().to_owned());
    write(data_dir, &own)?;
    let set = endpoint::set(&wired.app, merchant, key.id, url.clone()).await;
    set.context("the demo shop cannot be registered for webhooks")?;
    write(data_dir, &[url.as_str().to_owned()])
}

/// The endpoint's signing secret, read from the store at each use: nobody is there to copy it into the
/// demo shop's settings when it changes.
pub(super) fn signing_secret(wired: &Wired, pair: &Pair) -> anyhow::Result<SigningSecret> {
    let webhooks = Arc::clone(&wired.webhooks);
    let merchant: MerchantId = pair
        .merchant_id
        .parse()
        .context("the sandbox's merchant id")?;
    Ok(SigningSecret::new(move || {
        let webhooks = Arc::clone(&webhooks);
        async move {
            let found = webhooks.endpoint(merchant).await?;
            let endpoint = found.context("no webhook endpoint is set")?;
            Ok(endpoint.secrets.current.text())
        }
    }))
}

fn is_to_be_set(
    present: Option<&WebhookEndpoint>,
    own: &[String],
    (url, key): (&EndpointUrl, ApiKeyId),
) -> bool {
    let Some(present) = present else {
        return true;
    };
    let is_own = own.iter().any(|own| own == present.url.as_str());
    let is_good = present.url == *url && present.key == key && present.disabled.is_none();
    is_own && !is_good
}

fn read(data_dir: &Path) -> anyhow::Result<Vec<String>> {
    let path = data_dir.join(OWN);
    if !path.exists() {
        return Ok(Vec::new());
    }
    let text =
        fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    serde_json::from_str(&text)
        .with_context(|| format!("{} is not a sandbox's file", path.display()))
}

fn write(data_dir: &Path, own: &[String]) -> anyhow::Result<()> {
    let text = serde_json::to_string(own).context("URLs as JSON")?;
    write_private(&data_dir.join(OWN), format!("{text}\n").as_bytes())
}

#[cfg(test)]
mod tests {
    use oncharge_domain::time::Timestamp;
    use oncharge_domain::webhook::{Disabled, DisabledBecause, WebhookSecret};

    use super::*;

    const OLD: &str = "http://127.0.0.1:8083/webhooks/oncharge";
    const NEW: &str = "http://127.0.0.1:9000/webhooks/oncharge";

    fn at(url: &str) -> WebhookEndpoint {
        WebhookEndpoint::new(
            "whe_00000000000070008000000000000003".parse().unwrap(),
            "mer_00000000000070008000000000000001".parse().unwrap(),
            EndpointUrl::parse(url, true).unwrap(),
            key(),
            WebhookSecret::from_bytes([1; 32]),
            now(),
        )
    }

    fn now() -> Timestamp {
        Timestamp::from_unix_seconds(1_795_360_150).unwrap()
    }

    fn key() -> ApiKeyId {
        "key_00000000000070008000000000000002".parse().unwrap()
    }

    #[test]
    fn only_its_own_endpoint_follows_the_shop() {
        let new = EndpointUrl::parse(NEW, true).unwrap();
        let is_set = |present: Option<WebhookEndpoint>, own: &[&str]| {
            let own: Vec<_> = own.iter().map(|&url| url.to_owned()).collect();
            is_to_be_set(present.as_ref(), &own, (&new, key()))
        };
        assert!(is_set(None, &[]), "where none is set");
        assert!(is_set(Some(at(OLD)), &[OLD]), "the former port");
        assert!(is_set(Some(at(OLD)), &[OLD, NEW]), "after a crash");
        assert!(!is_set(Some(at(OLD)), &[]), "a person has set it");
        assert!(!is_set(Some(at("https://shop.example.com/")), &[OLD]));
        assert!(!is_set(Some(at(NEW)), &[NEW]), "nothing to do");
        let disabled = WebhookEndpoint {
            disabled: Some(Disabled {
                because: DisabledBecause::Failing,
                at: now(),
            }),
            ..at(NEW)
        };
        assert!(is_set(Some(disabled), &[NEW]), "a new start, a new chance");
    }
}
