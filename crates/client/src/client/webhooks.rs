//! The calls about webhooks: the endpoint, events and their deliveries.

use reqwest::Method;
use serde_json::json;

use super::{Client, NO_BODY, check_id};
use crate::{
    api_key::OldCredentials,
    error::Error,
    key::IdempotencyKey,
    page::{EventFilter, Page},
    webhook::{DeliveryAttempt, EventDetails, WebhookEndpoint, WebhookEvent},
};

/// The path of the merchant's only endpoint.
const ENDPOINT: &str = "/v1/webhook_endpoint";

impl Client {
    /// Retrieves your webhook endpoint; `None` if none is set.
    pub async fn webhook_endpoint(&self) -> Result<Option<WebhookEndpoint>, Error> {
        none_if_not_found(self.get(ENDPOINT, "").await)
    }

    /// Sets and enables the endpoint for your events, replacing the previous one: an `https` URL on
    /// the public internet, its query kept. A new URL gets a new signing secret, returned by this
    /// call only; if it was lost, get another one with [`Client::rotate_webhook_secret`].
    pub async fn set_webhook_endpoint(&self, url: &str) -> Result<WebhookEndpoint, Error> {
        let body = json!({ "url": url }).to_string();
        self.call(Method::PUT, ENDPOINT, "", body, None).await
    }

    /// Removes your endpoint and ends its pending deliveries. Succeeds if there is none.
    pub async fn delete_webhook_endpoint(&self) -> Result<(), Error> {
        let result = self
            .call(Method::DELETE, ENDPOINT, "", String::new(), None)
            .await;
        none_if_not_found(result).map(Option::unwrap_or_default)
    }

    /// Replaces your endpoint's signing secret and returns the new one, once. For 24 hours webhooks
    /// carry signatures of both secrets, or of the new one only.
    pub async fn rotate_webhook_secret(
        &self,
        old: OldCredentials,
        key: Option<&IdempotencyKey>,
    ) -> Result<WebhookEndpoint, Error> {
        let path = format!("{ENDPOINT}/rotate_secret");
        self.post(&path, Some(&old.body()), key).await
    }

    /// Sends `endpoint.test` to your endpoint and returns the result.
    pub async fn test_webhook_endpoint(
        &self,
        key: Option<&IdempotencyKey>,
    ) -> Result<DeliveryAttempt, Error> {
        let path = format!("{ENDPOINT}/test");
        self.post(&path, NO_BODY, key).await
    }

    /// Lists events, newest first, one page at a time. They are kept even without an endpoint.
    pub async fn events(&self, filter: &EventFilter) -> Result<Page<WebhookEvent>, Error> {
        self.get("/v1/events", &filter.query()).await
    }

    /// Retrieves an event with all attempts to deliver it.
    pub async fn event(&self, event_id: &str) -> Result<EventDetails, Error> {
        let path = format!("/v1/events/{}", check_id(event_id)?);
        self.get(&path, "").await
    }

    /// Delivers an event again, to your current endpoint, whether or not it was delivered before.
    pub async fn redeliver(
        &self,
        event_id: &str,
        key: Option<&IdempotencyKey>,
    ) -> Result<WebhookEvent, Error> {
        let path = format!("/v1/events/{}/redeliver", check_id(event_id)?);
        self.post(&path, NO_BODY, key).await
    }
}

fn none_if_not_found<T>(result: Result<T, Error>) -> Result<Option<T>, Error> {
    match result {
        Err(Error::Api { status: 404, .. }) => Ok(None),
        result => result.map(Some),
    }
}
