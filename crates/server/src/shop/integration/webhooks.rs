//! `POST /webhooks/oncharge`: OnCharge tells the shop that something happened.
//!
//! A webhook is a hint. It is verified, kept and acknowledged at once; only then the shop asks
//! OnCharge how the payment stands ([`refresh`](super::refresh)), and believes that.

use actix_web::{HttpRequest, HttpResponse, web};
use oncharge_client::{Webhook, WebhookError};

use crate::shop::{Shop, inbox::ReceivedEvent, moment::Moment, page_error::PageError};

/// Where OnCharge posts to: `PUT /v1/webhook_endpoint` has told it.
pub(crate) const PATH: &str = "/webhooks/oncharge";

/// `POST /webhooks/oncharge`, with the raw body, as the signature covers it.
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
            tracing::info!(%kind, "the demo shop's endpoint was told something of no payment");
            return Ok(HttpResponse::NoContent().finish());
        }
        Err(error) => return Ok(refusal(&error)),
    };
    let number = shop.order_store.number_of(&event.session_id);
    // Durably, and once for each event id, however often it is delivered.
    let (inbox, arrival) = (shop.inbox.clone(), ReceivedEvent::new(event, Moment::now()));
    let stored = web::block(move || inbox.store(arrival)).await;
    stored.map_err(anyhow::Error::from)??;
    // An event that came before is a hint as good as any.
    if let Some(number) = number {
        shop.refresh_queue.enqueue(number);
    }
    Ok(HttpResponse::NoContent().finish())
}

fn refusal(error: &WebhookError) -> HttpResponse {
    tracing::warn!(%error, "the demo shop does not believe a webhook");
    let mut response = match error {
        WebhookError::Unreadable(_) => HttpResponse::BadRequest(),
        _ => HttpResponse::Unauthorized(),
    };
    response.body(error.to_string())
}

#[cfg(test)]
mod tests;
