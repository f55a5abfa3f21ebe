//! The shop's requests to OnCharge, each executed exactly once.
//!
//! An action is stored with its idempotency key before it starts. If there is no response, or this
//! process ends, the same request is sent again under the same key.

use oncharge_client::{Error, NewRefund};

use super::{
    records::{Action, Checkout, Intent},
    session::{self, parse_key},
};
use crate::{Shop, action_error::ActionError, dollars::CURRENCY, order::Order};

/// Executes the order's intent and stores the result. Call it only after the intent is stored.
pub(crate) async fn execute(shop: &Shop, number: u64) -> anyhow::Result<()> {
    let Some(order) = shop.order_store.order(number) else {
        return Ok(());
    };
    let Some(intent) = &order.intent else {
        return Ok(());
    };
    let result = send(shop, &order, intent).await;
    let apply_result = |current: &mut Order| {
        // A concurrent execution (a double click) may have been faster: then this result is
        // outdated.
        if current.turn != order.turn {
            return;
        }
        match result {
            Ok(checkout) => {
                current.checkout = checkout.or(current.checkout.take());
                current.finish_action(None);
            }
            Err(error) if is_final(&error) => {
                current.finish_action(Some(ActionError::new(intent.act, &error)));
            }
            // The intent stays: the page offers a retry.
            Err(error) => current.trouble = Some(ActionError::new(intent.act, &error)),
        }
    };
    shop.order_store.update(number, apply_result).await?;
    Ok(())
}

/// Sends the action's request; returns a new session to be stored. After other actions the payment
/// is retrieved anew, not taken from the response: their outcome may still be pending.
async fn send(shop: &Shop, order: &Order, intent: &Intent) -> Result<Option<Checkout>, Error> {
    let key = &intent.idempotency_key;
    if intent.act == Action::Checkout {
        return session::create(shop, order, key).await.map(Some);
    }
    let checkout = order.checkout.as_ref();
    let id = &checkout
        .ok_or(Error::InvalidArgument("the order has no checkout session"))?
        .session_id;
    let (oncharge, key) = (shop.oncharge_for(order.number), parse_key(key)?);
    match intent.act {
        Action::Checkout => {}
        Action::Capture => drop(oncharge.capture(id, None, Some(&key)).await?),
        Action::Cancel => drop(oncharge.cancel(id, Some(&key)).await?),
        Action::Refund(amount) => {
            let refund = NewRefund {
                session_id: id.clone(),
                amount: amount.minor(),
                currency: CURRENCY.to_owned(),
                // The same for each attempt, like all parts of a request that may be repeated.
                reference: format!("{}-refund-{}", order.number, order.turn),
            };
            drop(oncharge.refund(&refund, Some(&key)).await?);
        }
    }
    Ok(None)
}

/// Whether the response is final and nothing was done. After any other error (no response, a server
/// error, "not now") the action stays open, to be retried under its key.
fn is_final(error: &Error) -> bool {
    match error {
        Error::Api { status, code, .. } => {
            (400..500).contains(status)
                && !matches!(status, 401 | 408 | 429)
                && code != "idempotency_conflict"
        }
        Error::InvalidArgument(_) => true,
        Error::Transport(_) | Error::UnexpectedResponse { .. } | Error::NoRandomness => false,
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
    fn only_final_errors_end_an_action() {
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
        let unexpected = Error::UnexpectedResponse {
            status: 404,
            request_id: None,
        };
        assert!(
            !is_final(&unexpected),
            "an unexpected response may not be from OnCharge"
        );
    }
}
