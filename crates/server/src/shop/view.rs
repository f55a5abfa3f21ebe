//! One order as it is now: what the shop keeps of it, what OnCharge says, and what it has told.

use oncharge_client::Error;

use super::{
    Shop,
    inbox::ReceivedEvent,
    integration::confirm::{self, Payment},
    order::Order,
    outcome::{self, Outcome},
    page_error::PageError,
    status_history,
    status_label::StatusLabel,
};

/// An order with its payment.
pub(super) struct View {
    pub(super) order: Order,
    /// As it was seen last; `None` where there is no checkout yet, or it was never seen.
    pub(super) payment: Option<Payment>,
    /// What came by webhook, by sequence.
    pub(super) received: Vec<ReceivedEvent>,
    /// Why OnCharge could not be asked.
    pub(super) unreachable: Option<String>,
    /// What the shopper is told; `None` while the checkout is shown instead.
    pub(super) outcome: Option<Outcome>,
}

impl View {
    /// Whether the checkout is to be shown.
    pub(super) fn is_payable(&self) -> bool {
        self.outcome.is_none()
    }

    /// Whether there may be something to pay: a checkout that is shown stays until it is known that
    /// there is not.
    pub(super) fn may_be_payable(&self) -> bool {
        self.is_payable() || self.payment.is_none()
    }

    /// How the payment stands, in a word.
    pub(super) fn status_label(&self) -> StatusLabel {
        self.payment.as_ref().map_or_else(
            || self.order.last_known_status_label(),
            |payment| StatusLabel::of(&payment.session),
        )
    }
}

/// How fresh a view has to be.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Freshness {
    /// OnCharge is asked now.
    Now,
    /// What was seen a few seconds ago will do: had anything happened since, a webhook would have
    /// said so, and the shop would have looked again.
    Recent,
}

/// Finds out how the order's payment stands and enters what is new.
pub(super) async fn load(
    shop: &Shop,
    number: u64,
    freshness: Freshness,
) -> Result<View, PageError> {
    let order = shop.order_store.order(number).ok_or(PageError::NotFound)?;
    let fetched = payment(shop, &order, freshness).await;
    let (payment, unreachable) = match fetched {
        Ok(payment) => (payment, None),
        // A question without an answer changes nothing, least of all while the shopper is paying.
        Err(error) => (shop.status_cache.last(number), Some(error_text(&error))),
    };
    if let Some(Payment { session, .. }) = &payment {
        let is_new = shop
            .order_store
            .update_in_memory(number, |order| status_history::record(order, session));
        if is_new.unwrap_or(false) {
            shop.order_store.save().await?;
        }
    }
    // Again, since the look itself has been noted.
    let order = shop.order_store.order(number).ok_or(PageError::NotFound)?;
    let outcome = outcome::outcome(&order, payment.as_ref(), &shop.origin);
    let session_id = order.checkout.as_ref().map(|checkout| &checkout.session_id);
    let received = session_id.map(|id| shop.inbox.of_session(id));
    Ok(View {
        received: received.unwrap_or_default(),
        order,
        payment,
        unreachable,
        outcome,
    })
}

/// How the payment stands; `None` where the order has no checkout yet.
async fn payment(
    shop: &Shop,
    order: &Order,
    freshness: Freshness,
) -> Result<Option<Payment>, Error> {
    let Some(checkout) = &order.checkout else {
        return Ok(None);
    };
    let recent = shop.status_cache.recent(order.number);
    if let (Freshness::Recent, Some(payment)) = (freshness, recent) {
        return Ok(Some(payment));
    }
    let ticket = shop.status_cache.start_fetch();
    let payment = confirm::payment(shop, order.number, &checkout.session_id).await?;
    shop.status_cache.store(order.number, ticket, &payment);
    Ok(Some(payment))
}

/// Why OnCharge could not be asked, for the page.
pub(super) fn error_text(error: &Error) -> String {
    match error {
        Error::Api { message, code, .. } => format!("OnCharge says: {message} ({code})."),
        _ => format!("OnCharge cannot be asked: {error}. This was seen last."),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::shop::{
        fixtures::{self, ORIGIN, session},
        integration::session::Checkout,
        moment::Moment,
    };

    #[actix_web::test]
    async fn a_failed_fetch_neither_hides_the_checkout_nor_offers_a_second_order() {
        let dir = tempfile::tempdir().unwrap();
        let (shop, _refresh_worker) = fixtures::shop(dir.path(), "http://127.0.0.1:9");
        let order = |number| {
            let mut order = Order::new(number, Moment::now(), Vec::new());
            order.checkout = Some(Checkout {
                session_id: "cs_1".to_owned(),
                idempotency_key: "order-1".to_owned(),
                iframe_url: Some("/checkout/cs_1?token=pt_1".to_owned()),
                origin: ORIGIN.to_owned(),
            });
            order
        };
        let number = shop.order_store.add(order).await.unwrap();

        let never_fetched = load(&shop, number, Freshness::Now).await.unwrap();
        assert!(never_fetched.may_be_payable() && !never_fetched.is_payable());
        assert!(never_fetched.outcome.unwrap().reorder_query.is_none());

        for (status, is_payable) in [("pending", true), ("captured", false)] {
            let payment = Payment {
                session: session(status, &json!({})),
                refunds: Vec::new(),
            };
            shop.status_cache
                .store(number, shop.status_cache.start_fetch(), &payment);
            let view = load(&shop, number, Freshness::Now).await.unwrap();
            assert!(view.unreachable.is_some(), "the page says so");
            assert_eq!(view.may_be_payable(), is_payable, "{status}");
        }
    }
}
