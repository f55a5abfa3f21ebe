//! Creates a checkout session for an order.

use std::fmt;

use oncharge_client::{Error, IdempotencyKey, NewSession};
use serde::{Deserialize, Serialize};

use crate::shop::{Shop, dollars::CURRENCY, order::Order};

/// What the shop stores of a checkout session.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Checkout {
    /// Stored permanently with the order: identifies the payment in every later call.
    pub(crate) session_id: String,
    /// The key under which it was created.
    #[serde(default)]
    pub(crate) idempotency_key: String,
    /// The shop's origin at that time: only its pages may frame the checkout.
    pub(crate) origin: String,
    /// For the shopper's browser. It contains the pay token, so it is kept in memory only;
    /// [`iframe_url`] retrieves it again.
    #[serde(skip)]
    pub(crate) iframe_url: Option<String>,
}

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

impl fmt::Debug for Checkout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Checkout")
            .field("session_id", &self.session_id)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
