//! One order's current view: stored data, the payment from OnCharge, and received events.

use oncharge_client::Error;

use crate::{
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
pub(crate) struct View {
    pub(crate) order: Order,
    /// The last retrieved payment; `None` if there is no checkout yet or it was never retrieved.
    pub(crate) payment: Option<Payment>,
    /// Events received by webhook, by sequence number.
    pub(crate) received: Vec<ReceivedEvent>,
    /// Why OnCharge is unreachable.
    pub(crate) unreachable: Option<String>,
    /// The outcome shown to the shopper; `None` while the checkout is shown instead.
    pub(crate) outcome: Option<Outcome>,
}

impl View {
    /// Whether to show the checkout.
    pub(crate) fn is_payable(&self) -> bool {
        self.outcome.is_none()
    }

    /// Whether there may be something to pay: a visible checkout stays until the opposite is
    /// certain.
    pub(crate) fn may_be_payable(&self) -> bool {
        self.is_payable() || self.payment.is_none()
    }

    /// The payment's status as a label.
    pub(crate) fn status_label(&self) -> StatusLabel {
        self.payment.as_ref().map_or_else(
            || self.order.last_known_status_label(),
            |payment| StatusLabel::of(&payment.session),
        )
    }
}

/// The required freshness of a view.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Freshness {
    /// Retrieve the payment now.
    Now,
    /// A cached payment of the last seconds is sufficient: a webhook would have triggered a
    /// refresh.
    Recent,
}

/// Loads the order's payment and records new statuses.
pub(crate) async fn load(
    shop: &Shop,
    number: u64,
    freshness: Freshness,
) -> Result<View, PageError> {
    let order = shop.order_store.order(number).ok_or(PageError::NotFound)?;
    let fetched = payment(shop, &order, freshness).await;
    let (payment, unreachable) = match fetched {
        Ok(payment) => (payment, None),
        // A failed retrieval changes nothing, above all not while the shopper is paying.
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
    // Read again, because the retrieval has recorded statuses.
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

/// The payment; `None` if the order has no checkout yet.
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

/// Why OnCharge is unreachable, for display.
pub(crate) fn error_text(error: &Error) -> String {
    match error {
        Error::Api { message, code, .. } => format!("OnCharge responded: {message} ({code})."),
        _ => format!("OnCharge is unreachable: {error}. The last known status is shown."),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{
        fixtures::{self, ORIGIN, session},
        integration::records::Checkout,
        moment::Moment,
    };

    #[actix_web::test]
    async fn a_failed_fetch_neither_hides_the_checkout_nor_offers_a_second_order() {
        let dir = tempfile::tempdir().unwrap();
        let settings = fixtures::settings(dir.path(), "http://127.0.0.1:9");
        let (shop, _refresh_worker) = Shop::open(settings).unwrap();
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
            assert!(
                view.unreachable.is_some(),
                "the page shows that OnCharge is unreachable"
            );
            assert_eq!(view.may_be_payable(), is_payable, "{status}");
        }
    }
}
