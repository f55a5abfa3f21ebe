//! `POST /webhooks/oncharge`: receives events of OnCharge.
//!
//! A webhook is a hint. It is verified, stored and acknowledged at once; then the shop retrieves
//! the authoritative state of the payment ([`refresh`](super::refresh)).

use actix_web::{HttpRequest, HttpResponse, web};
use oncharge_client::{Webhook, WebhookError};

use crate::{Shop, inbox::ReceivedEvent, moment::Moment, page_error::PageError};

/// The path of the webhook endpoint, as set by `PUT /v1/webhook_endpoint`.
pub const PATH: &str = "/webhooks/oncharge";

/// `POST /webhooks/oncharge`, with the raw body, which the signature covers.
pub(crate) async fn receive(
    shop: web::Data<Shop>,
    request: HttpRequest,
    body: web::Bytes,
) -> Result<HttpResponse, PageError> {
    let headers = request.headers();
    let verifier = shop.signing_secret.verifier().await?;
    let webhook = verifier.verify(|name| headers.get(name)?.to_str().ok(), &body);
    let event = match webhook {
        Ok(Webhook::Event(event)) => *event,
        Ok(Webhook::Other { kind, .. }) => {
            tracing::info!(%kind, "the demo shop received an event that concerns no payment");
            return Ok(HttpResponse::NoContent().finish());
        }
        Err(error) => return Ok(refusal(&error)),
    };
    let number = shop.order_store.number_of(&event.session_id);
    // Durably, and once per event id, however often it is delivered.
    let (inbox, arrival) = (shop.inbox.clone(), ReceivedEvent::new(event, Moment::now()));
    let stored = web::block(move || inbox.store(arrival)).await;
    stored.map_err(anyhow::Error::from)??;
    // A repeated event also triggers a refresh.
    if let Some(number) = number {
        shop.refresh_queue.enqueue(number);
    }
    Ok(HttpResponse::NoContent().finish())
}

fn refusal(error: &WebhookError) -> HttpResponse {
    tracing::warn!(%error, "the demo shop rejected a webhook");
    let mut response = match error {
        WebhookError::Unreadable(_) => HttpResponse::BadRequest(),
        _ => HttpResponse::Unauthorized(),
    };
    response.body(error.to_string())
}

#[cfg(test)]
mod tests;
