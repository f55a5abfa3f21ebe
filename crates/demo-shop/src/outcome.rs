//! The result shown to the shopper when there is nothing (more) to pay.

use oncharge_client::{Session, SessionStatus as Status};

use crate::{dollars::Dollars, integration::confirm::Payment, order::Order, status_label::Tone};

/// A heading, a sentence, and possibly a link to the same cart.
pub(crate) struct Outcome {
    pub(crate) heading: String,
    pub(crate) text: String,
    pub(crate) tone: Tone,
    /// The query of a cart with the same products.
    pub(crate) reorder_query: Option<String>,
}

/// Whether the shopper can still pay.
pub(crate) fn is_payable(session: &Session) -> bool {
    match session.status {
        Status::Created | Status::Pending => true,
        // Another card may succeed.
        Status::Refused | Status::Error => session.retry_until.is_some(),
        _ => false,
    }
}

/// The order's outcome for the shopper; `None` while the checkout is shown instead.
pub(crate) fn outcome(order: &Order, payment: Option<&Payment>, origin: &str) -> Option<Outcome> {
    let Some(checkout) = &order.checkout else {
        return Some(order_again(
            order,
            "The payment is not ready yet",
            "Nothing was charged. See below for the problem and the available actions.",
        ));
    };
    let Some(Payment { session, .. }) = payment else {
        // It may have been paid, or may still be: do not offer to order again.
        return Some(Outcome {
            heading: "The payment status is unavailable".to_owned(),
            text: "The shop cannot reach its payment service. Please reload this page in a moment."
                .to_owned(),
            tone: Tone::Plain,
            reorder_query: None,
        });
    };
    if !is_payable(session) {
        return Some(final_outcome(order, session));
    }
    // Only the shop's origin at the session's creation may frame the checkout.
    (checkout.origin != origin).then(|| {
        let text =
            "The shop has moved to another address since then. The old payment can no longer be \
             made.";
        order_again(order, "This order belongs to another address", text)
    })
}

fn final_outcome(order: &Order, session: &Session) -> Outcome {
    let success = |heading: &str, text: String| Outcome {
        heading: heading.to_owned(),
        text,
        tone: Tone::Good,
        reorder_query: None,
    };
    let refunded = Dollars::cents(session.amount_refunded);
    match session.status {
        Status::Authorized => {
            let text = format!(
                "Your payment of {} is approved. Your card is charged when the order ships.",
                order.total
            );
            success("Thank you", text)
        }
        Status::Captured if session.amount_refunded == 0 => {
            let captured = Dollars::cents(session.amount_captured);
            success(
                "Thank you",
                format!("We have received your payment of {captured}."),
            )
        }
        Status::Captured if session.amount_refunded >= session.amount_captured => success(
            "Refunded",
            format!("Your {refunded} will be refunded to your card."),
        ),
        Status::Captured => {
            let captured = Dollars::cents(session.amount_captured);
            success(
                "Partially refunded",
                format!("{refunded} of your {captured} will be refunded to your card."),
            )
        }
        Status::Cancelled => order_again(
            order,
            "The order is cancelled",
            "Your card was not charged.",
        ),
        Status::Expired => order_again(
            order,
            "The time to pay has run out",
            "Nothing was charged. You can order again.",
        ),
        Status::Refused => order_again(
            order,
            "The payment was refused",
            "Nothing was charged. This order is closed.",
        ),
        _ => order_again(
            order,
            "The payment failed",
            "Nothing was charged. This order is closed.",
        ),
    }
}

fn order_again(order: &Order, heading: &str, text: &str) -> Outcome {
    Outcome {
        heading: heading.to_owned(),
        text: text.to_owned(),
        tone: Tone::Plain,
        reorder_query: Some(order.cart_query()),
    }
}
