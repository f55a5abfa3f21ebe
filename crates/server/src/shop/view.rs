//! One order as it is now: what the shop keeps of it, and what OnCharge says.

use oncharge_client::Error;

use super::{
    Shop,
    fault::Fault,
    order::Order,
    outcome::{self, Outcome},
    payments::{self, Payment},
    sightings,
};

/// An order with its payment.
pub(super) struct View {
    pub(super) order: Order,
    /// `None` where there is no checkout yet, or OnCharge cannot be asked.
    pub(super) payment: Option<Payment>,
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
}

/// Asks how the order's payment stands and enters what is new.
pub(super) async fn of(shop: &Shop, number: u64) -> Result<View, Fault> {
    let order = shop.book.order(number).ok_or(Fault::Missing)?;
    let looked = match &order.checkout {
        Some(checkout) => payments::look(shop, &order, &checkout.session_id)
            .await
            .map(Some),
        None => Ok(None),
    };
    let (payment, unreachable) = match looked {
        Ok(payment) => (payment, None),
        Err(error) => (None, Some(words(&error))),
    };
    if let Some(Payment { session, .. }) = &payment {
        let is_new = shop
            .book
            .note(number, |order| sightings::enter(order, session));
        if is_new.unwrap_or(false) {
            shop.book.keep().await?;
        }
    }
    // Again, since the look itself has been noted.
    let order = shop.book.order(number).ok_or(Fault::Missing)?;
    let outcome = outcome::outcome(&order, payment.as_ref(), &shop.origin);
    Ok(View {
        order,
        payment,
        unreachable,
        outcome,
    })
}

fn words(error: &Error) -> String {
    match error {
        Error::Api { message, code, .. } => format!("OnCharge says: {message} ({code})."),
        _ => format!("OnCharge cannot be asked: {error}. This was seen last."),
    }
}
