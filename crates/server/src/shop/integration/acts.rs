//! What the shop asks of OnCharge, so that it is done once.
//!
//! An act is written down, with its idempotency key, before it is begun. If the answer does not
//! come, or this process dies, the same request goes out again under the same key.

use oncharge_client::{Error, NewRefund};
use serde::{Deserialize, Serialize};

use super::session::{self, Checkout, key_of};
use crate::shop::{
    Shop,
    dollars::{CURRENCY, Dollars},
    order::Order,
    trouble::Trouble,
};

/// Something that the shop asks of OnCharge.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Act {
    /// Make a checkout session for the order.
    Checkout,
    /// Take the money that is held.
    Capture,
    /// Let go of the money that is held.
    Cancel,
    /// Give back this much.
    Refund(Dollars),
}

/// An act that was written down and has no final answer yet.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Intent {
    pub(crate) act: Act,
    pub(crate) idempotency_key: String,
}

impl Intent {
    /// The key is derived from the order and the number of acts before this one: a request that is
    /// repeated repeats its key, another act has another. The time is in it because a shop that
    /// starts anew counts its orders from the beginning again.
    pub(crate) fn new(act: Act, order: &Order) -> Self {
        let (number, placed, turn) = (order.number, order.placed_at.unix_seconds(), order.turn);
        Self {
            act,
            idempotency_key: format!("order-{number}-{placed}-{turn}"),
        }
    }
}

/// Does what the order's intent says, and keeps how it went. It is in the book by now: this
/// begins only when that is done.
pub(crate) async fn carry_out(shop: &Shop, number: u64) -> anyhow::Result<()> {
    let Some(order) = shop.book.order(number) else {
        return Ok(());
    };
    let Some(intent) = &order.intent else {
        return Ok(());
    };
    let answer = send(shop, &order, intent).await;
    let keep = |kept: &mut Order| {
        // Its twin (a double click) may have been quicker: then this one's word is old.
        if kept.turn != order.turn {
            return;
        }
        match answer {
            Ok(checkout) => {
                kept.checkout = checkout.or(kept.checkout.take());
                kept.conclude(None);
            }
            Err(error) if is_final(&error) => {
                kept.conclude(Some(Trouble::of(intent.act, &error)));
            }
            // The intent stays: the page offers to try again.
            Err(error) => kept.trouble = Some(Trouble::of(intent.act, &error)),
        }
    };
    shop.book.change(number, keep).await?;
    Ok(())
}

/// Sends the act's request; a new session's answer is to be kept. How the payment stands after the
/// others is asked anew, not taken from here: their outcome may be still to come.
async fn send(shop: &Shop, order: &Order, intent: &Intent) -> Result<Option<Checkout>, Error> {
    let key = &intent.idempotency_key;
    if intent.act == Act::Checkout {
        return session::create(shop, order, key).await.map(Some);
    }
    let checkout = order.checkout.as_ref();
    let id = &checkout
        .ok_or(Error::InvalidArgument("the order has no checkout session"))?
        .session_id;
    let (oncharge, key) = (shop.oncharge_for(order.number), key_of(key)?);
    match intent.act {
        Act::Checkout => {}
        Act::Capture => drop(oncharge.capture(id, None, Some(&key)).await?),
        Act::Cancel => drop(oncharge.cancel(id, Some(&key)).await?),
        Act::Refund(amount) => {
            let refund = NewRefund {
                session_id: id.clone(),
                amount: amount.minor(),
                currency: CURRENCY.to_owned(),
                // The same at every try, like all of a request that may be repeated.
                reference: format!("{}-refund-{}", order.number, order.turn),
            };
            drop(oncharge.refund(&refund, Some(&key)).await?);
        }
    }
    Ok(None)
}

/// Whether the answer says for good that nothing was done. Everything else (no answer, a fault of
/// the service, "not now") leaves the act open, to be tried again under its key.
fn is_final(error: &Error) -> bool {
    match error {
        Error::Api { status, code, .. } => {
            (400..500).contains(status)
                && !matches!(status, 401 | 408 | 429)
                && code != "idempotency_conflict"
        }
        Error::InvalidArgument(_) => true,
        Error::Transport(_) | Error::UnexpectedAnswer { .. } | Error::NoRandomness => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn api(status: u16, code: &str) -> Error {
        Error::Api {
            status,
            code: code.to_owned(),
            message: "no".to_owned(),
            details: Vec::new(),
            request_id: None,
        }
    }

    #[test]
    fn an_act_ends_only_with_an_answer_that_says_so() {
        for (status, code) in [
            (409, "psp_rejected"),
            (409, "invalid_state"),
            (422, "refund_exceeds_captured"),
            (422, "idempotency_key_reused"),
            (403, "global_ban"),
        ] {
            assert!(is_final(&api(status, code)), "{code}");
        }
        for (status, code) in [
            (409, "idempotency_conflict"),
            (401, "timestamp_expired"),
            (408, "request_timeout"),
            (429, "rate_limited"),
            (500, "internal_error"),
            (503, "psp_unavailable"),
            (503, "busy"),
        ] {
            assert!(!is_final(&api(status, code)), "{code}");
        }
        let strange = Error::UnexpectedAnswer {
            status: 404,
            request_id: None,
        };
        assert!(!is_final(&strange), "perhaps not even from OnCharge");
    }
}
