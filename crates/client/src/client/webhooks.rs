//! The calls about webhooks: the endpoint, the events, and how their deliveries went.

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

/// Where the endpoint is; each merchant has one.
const ENDPOINT: &str = "/v1/webhook_endpoint";

impl Client {
    /// Your webhook endpoint; `None` where none is set.
    pub async fn webhook_endpoint(&self) -> Result<Option<WebhookEndpoint>, Error> {
        none_if_not_found(self.get(ENDPOINT, "").await)
    }

    /// Sets where your events are sent from now on, in place of the endpoint before, and enables
    /// it: an `https` URL on the public internet, its query kept. A new URL gets a new signing secret,
    /// which is in the answer to this call alone: where that was lost, ask for another one by
    /// [`Client::rotate_webhook_secret`].
    pub async fn set_webhook_endpoint(&self, url: &str) -> Result<WebhookEndpoint, Error> {
        let body = json!({ "url": url }).to_string();
        self.call(Method::PUT, (ENDPOINT, ""), (body, None)).await
    }

    /// Removes your endpoint, and with it what is on its way there. That there is none is fine.
    pub async fn delete_webhook_endpoint(&self) -> Result<(), Error> {
        let no_body = (String::new(), None);
        let result = self.call(Method::DELETE, (ENDPOINT, ""), no_body).await;
        none_if_not_found(result).map(Option::unwrap_or_default)
    }

    /// Gives your endpoint a new signing secret, which comes with it this once. Until 24 hours later
    /// webhooks carry the signatures of both, or of the new one alone.
    pub async fn rotate_webhook_secret(
        &self,
        old: OldCredentials,
        key: Option<&IdempotencyKey>,
    ) -> Result<WebhookEndpoint, Error> {
        let path = format!("{ENDPOINT}/rotate_secret");
        self.post(&path, Some(&old.body()), key).await
    }

    /// Sends `endpoint.test` to your endpoint and says what came of it.
    pub async fn test_webhook_endpoint(
        &self,
        key: Option<&IdempotencyKey>,
    ) -> Result<DeliveryAttempt, Error> {
        let path = format!("{ENDPOINT}/test");
        self.post(&path, NO_BODY, key).await
    }

    /// Events, newest first, one page at a time. They are kept whether or not there is an endpoint.
    pub async fn events(&self, filter: &EventFilter) -> Result<Page<WebhookEvent>, Error> {
        self.get("/v1/events", &filter.query()).await
    }

    /// One event and all attempts to deliver it.
    pub async fn event(&self, event_id: &str) -> Result<EventDetails, Error> {
        let path = format!("/v1/events/{}", check_id(event_id)?);
        self.get(&path, "").await
    }

    /// Puts an event on its way to your present endpoint again, whether or not it has arrived.
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
