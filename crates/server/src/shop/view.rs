//! One order as it is now: what the shop keeps of it, what OnCharge says, and what it has told.

use oncharge_client::Error;

use super::{
    Shop,
    fault::Fault,
    inbox::Received,
    integration::confirm::{self, Payment},
    order::Order,
    outcome::{self, Outcome},
    sightings,
    standing::Standing,
};

/// An order with its payment.
pub(super) struct View {
    pub(super) order: Order,
    /// `None` where there is no checkout yet, or OnCharge cannot be asked.
    pub(super) payment: Option<Payment>,
    /// What came by webhook, by sequence.
    pub(super) received: Vec<Received>,
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

    /// How the payment stands, in a word.
    pub(super) fn standing(&self) -> Standing {
        self.payment.as_ref().map_or_else(
            || self.order.standing_seen(),
            |payment| Standing::of(&payment.session),
        )
    }
}

/// How fresh a view has to be.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Look {
    /// OnCharge is asked now.
    Now,
    /// What was seen a few seconds ago will do: had anything happened since, a webhook would have
    /// said so, and the shop would have looked again.
    Recent,
}

/// Finds out how the order's payment stands and enters what is new.
pub(super) async fn of(shop: &Shop, number: u64, look: Look) -> Result<View, Fault> {
    let order = shop.book.order(number).ok_or(Fault::Missing)?;
    let looked = payment(shop, &order, look).await;
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
async fn payment(shop: &Shop, order: &Order, look: Look) -> Result<Option<Payment>, Error> {
    let Some(checkout) = &order.checkout else {
        return Ok(None);
    };
    let recent = shop.looks.recent(order.number);
    if let (Look::Recent, Some(payment)) = (look, recent) {
        return Ok(Some(payment));
    }
    let ticket = shop.looks.begin();
    let payment = confirm::payment(shop, order.number, &checkout.session_id).await?;
    shop.looks.end(order.number, ticket, &payment);
    Ok(Some(payment))
}

/// Why OnCharge could not be asked, for the page.
pub(super) fn words(error: &Error) -> String {
    match error {
        Error::Api { message, code, .. } => format!("OnCharge says: {message} ({code})."),
        _ => format!("OnCharge cannot be asked: {error}. This was seen last."),
    }
}
