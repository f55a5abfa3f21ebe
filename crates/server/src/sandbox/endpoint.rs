//! The webhook endpoint of the sandbox's merchant: the demo shop, unless the user sets another one.
//!
//! The shop's port may change at each start, so an endpoint with an old port is useless. But an
//! endpoint that the user has set through the API must stay. Both look alike (a path on loopback),
//! so the sandbox records the URLs that it has registered in `webhook-endpoint.json`: an endpoint
//! in this list follows the shop, any other one belongs to the user.

use std::{fs, path::Path, sync::Arc};

use anyhow::Context;
use oncharge_application::{Error, webhooks::endpoint};
use oncharge_demo_shop::{SigningSecret, WEBHOOK_PATH};
use oncharge_domain::{
    id::{ApiKeyId, MerchantId},
    merchant::ApiKeyHash,
    webhook::{EndpointUrl, WebhookEndpoint},
};

use super::Credentials;
use crate::{config::write_private, wiring::Components};

/// The file with the URLs that the sandbox has registered.
const REGISTERED_URLS_FILE: &str = "webhook-endpoint.json";

/// Registers the demo shop if no endpoint is set, or one of an earlier start.
pub(super) async fn register(
    components: &Components,
    credentials: &Credentials,
    data_dir: &Path,
    shop: &str,
) -> anyhow::Result<()> {
    let merchant: MerchantId = credentials
        .merchant_id
        .parse()
        .context("the sandbox's merchant id")?;
    let key = components
        .store
        .merchants
        .key(&ApiKeyHash::of(&credentials.api_key))
        .await?;
    let (key, _) = key.context("the sandbox's API key is not in the database")?;
    let current = match endpoint::get(&components.app, merchant).await {
        Ok(view) => Some(view.endpoint),
        Err(Error::NotFound) => None,
        Err(error) => return Err(error).context("cannot read the webhook endpoint"),
    };
    let url = EndpointUrl::parse(&format!("{shop}{WEBHOOK_PATH}"), true)
        .context("invalid URL of the demo shop")?;
    let mut registered = read(data_dir)?;
    if !needs_registration(current.as_ref(), &registered, &url, key.id) {
        return Ok(());
    }
    // The list contains both URLs during the change: after a crash in between, the endpoint is
    // still recognized.
    registered.push(url.as_str().to_owned());
    write(data_dir, &registered)?;
    let set = endpoint::set(&components.app, merchant, key.id, url.clone()).await;
    set.context("cannot set the demo shop as webhook endpoint")?;
    write(data_dir, &[url.as_str().to_owned()])
}

/// The endpoint's signing secret, read from the store at each use, because nobody copies a changed
/// secret to the demo shop's settings.
pub(super) fn signing_secret(
    components: &Components,
    credentials: &Credentials,
) -> anyhow::Result<SigningSecret> {
    let webhooks = Arc::clone(&components.store.webhooks);
    let merchant: MerchantId = credentials
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

fn needs_registration(
    current: Option<&WebhookEndpoint>,
    registered: &[String],
    url: &EndpointUrl,
    key: ApiKeyId,
) -> bool {
    let Some(current) = current else {
        return true;
    };
    let is_registered = registered.iter().any(|url| url == current.url.as_str());
    let is_up_to_date = current.url == *url && current.key == key && current.disabled.is_none();
    is_registered && !is_up_to_date
}

fn read(data_dir: &Path) -> anyhow::Result<Vec<String>> {
    let path = data_dir.join(REGISTERED_URLS_FILE);
    if !path.exists() {
        return Ok(Vec::new());
    }
    let text =
        fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    serde_json::from_str(&text).with_context(|| {
        format!(
            "{} is not a valid sandbox file: delete it to register the demo shop again",
            path.display()
        )
    })
}

fn write(data_dir: &Path, registered: &[String]) -> anyhow::Result<()> {
    let text = serde_json::to_string(registered).context("cannot serialize the URLs")?;
    write_private(
        &data_dir.join(REGISTERED_URLS_FILE),
        format!("{text}\n").as_bytes(),
    )
}

#[cfg(test)]
mod tests {
    use oncharge_domain::time::Timestamp;
    use oncharge_domain::webhook::{DisableReason, DisabledState, WebhookSecret};

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
    fn only_an_endpoint_registered_by_the_sandbox_is_updated() {
        let new = EndpointUrl::parse(NEW, true).unwrap();
        let is_set = |current: Option<WebhookEndpoint>, registered: &[&str]| {
            let registered: Vec<_> = registered.iter().map(|&url| url.to_owned()).collect();
            needs_registration(current.as_ref(), &registered, &new, key())
        };
        assert!(is_set(None, &[]), "no endpoint is set");
        assert!(is_set(Some(at(OLD)), &[OLD]), "the former port");
        assert!(is_set(Some(at(OLD)), &[OLD, NEW]), "after a crash");
        assert!(!is_set(Some(at(OLD)), &[]), "it was set by a person");
        assert!(!is_set(Some(at("https://shop.example.com/")), &[OLD]));
        assert!(!is_set(Some(at(NEW)), &[NEW]), "it is up to date");
        let disabled = WebhookEndpoint {
            disabled: Some(DisabledState {
                reason: DisableReason::Failing,
                at: now(),
            }),
            ..at(NEW)
        };
        assert!(is_set(Some(disabled), &[NEW]), "a start enables it again");
    }
}
