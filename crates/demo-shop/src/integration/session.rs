//! Creates a checkout session for an order.

use oncharge_client::{Error, IdempotencyKey, NewSession};

use super::records::Checkout;
use crate::{Shop, dollars::CURRENCY, order::Order};

/// Creates the session. The request is derived entirely from the order, so that the same order and
/// key give an identical request.
pub(crate) async fn create(shop: &Shop, order: &Order, key: &str) -> Result<Checkout, Error> {
    let number = order.number.to_string();
    let return_url = format!("{}/orders/{number}", shop.origin);
    let mut new = NewSession::new(order.total.minor(), CURRENCY, &number, &return_url);
    new.order_id = Some(number);
    new.customer_email = Some(order.email.clone()).filter(|email| !email.is_empty());
    new.customer_phone = Some(order.phone.clone()).filter(|phone| !phone.is_empty());
    let (oncharge, key) = (shop.oncharge_for(order.number), parse_key(key)?);
    let created = oncharge.create_session(&new, Some(&key)).await?;
    Ok(Checkout {
        session_id: created.session_id,
        idempotency_key: key.to_string(),
        origin: shop.origin.clone(),
        iframe_url: Some(created.iframe_url),
    })
}

/// The URL that the order's page embeds. After a restart the shop no longer has it; repeating the
/// call under the same key returns the original response.
pub(crate) async fn iframe_url(shop: &Shop, order: &Order) -> Result<Option<String>, Error> {
    let Some(checkout) = &order.checkout else {
        return Ok(None);
    };
    if checkout.iframe_url.is_some() {
        return Ok(checkout.iframe_url.clone());
    }
    let again = create(shop, order, &checkout.idempotency_key).await?;
    let iframe_url = again.iframe_url.clone();
    shop.order_store
        .update_in_memory(order.number, |order| order.checkout = Some(again));
    Ok(iframe_url)
}

/// Converts a stored key for the client.
pub(crate) fn parse_key(text: &str) -> Result<IdempotencyKey, Error> {
    IdempotencyKey::new(text)
        .map_err(|_| Error::InvalidArgument("the order has no idempotency key"))
}

#[cfg(test)]
mod tests;
