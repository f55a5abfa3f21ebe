//! `POST /orders` and `POST /orders/{number}/{act}`: what the shop does about an order.
//!
//! An act is written down before it is begun. If the answer does not come, or this process dies,
//! the page offers to try again: the same request goes out under the same `Idempotency-Key`, so
//! that whatever happened, it happens once.

use actix_web::{HttpResponse, http::header, web};
use oncharge_client::{Error, IdempotencyKey};
use serde::Deserialize;

use super::{
    Shop,
    catalogue::Cart,
    dollars::Dollars,
    fault::Fault,
    moment::Moment,
    order::{Act, Checkout, Intent, Order, Trouble},
    payments,
};

/// A good answer to an act.
enum Done {
    /// There is a checkout now.
    Checkout(Checkout),
    /// OnCharge has the order; how the payment stands is asked anew for every page.
    Accepted,
}

/// `POST /orders`: a cart becomes an order with a checkout session.
pub(super) async fn place(
    shop: web::Data<Shop>,
    form: web::Form<Vec<(String, String)>>,
) -> Result<HttpResponse, Fault> {
    let cart = Cart::from_pairs(&form);
    if cart.is_empty() {
        return Err(Fault::Form("There is nothing in the cart."));
    }
    let number = shop
        .book
        .add(|number| new_order(number, &cart, &form))
        .await?;
    carry_out(&shop, number).await?;
    Ok(see(&format!("/orders/{number}")))
}

/// What a button of the order's page sends.
#[derive(Deserialize)]
pub(super) struct Pressed {
    /// The turn that the page was made for.
    turn: u32,
    /// How much, where that can be chosen.
    amount: Option<String>,
}

/// `POST /orders/{number}/{act}`
pub(super) async fn act(
    shop: web::Data<Shop>,
    path: web::Path<(u64, String)>,
    form: web::Form<Pressed>,
) -> Result<HttpResponse, Fault> {
    let (number, name) = path.into_inner();
    let act = wanted(&name, form.amount.as_deref())?;
    let set_out = shop.book.change(number, |order| {
        // A button pressed twice, or on a page that is out of date: its act has been done.
        if order.turn != form.turn {
            return false;
        }
        match act {
            // Still open from before: nothing new is begun until that one has its answer.
            _ if order.intent.is_some() => true,
            Ok(act) => {
                order.intend(act);
                true
            }
            Err(trouble) => {
                order.trouble = Some(trouble);
                false
            }
        }
    });
    if set_out.await?.ok_or(Fault::Missing)? {
        carry_out(&shop, number).await?;
    }
    Ok(see(&format!("/orders/{number}#acts-heading")))
}

fn new_order(number: u64, cart: &Cart, form: &[(String, String)]) -> Order {
    let field = |wanted: &str| {
        let value = form.iter().find(|(name, _)| name == wanted);
        value
            .map(|(_, value)| value.trim().to_owned())
            .unwrap_or_default()
    };
    let mut order = Order::new(number, Moment::now(), cart.to_lines());
    (order.email, order.phone) = (field("email"), field("phone"));
    order.intend(Act::Checkout);
    order
}

/// The act of this name; nothing is at the address of another. An amount that cannot be read is
/// trouble for the page to show.
fn wanted(name: &str, amount: Option<&str>) -> Result<Result<Act, Trouble>, Fault> {
    let unreadable = || Trouble {
        what: "Nothing was refunded.".to_owned(),
        message: "An amount looks like 12 or 12.34.".to_owned(),
        code: String::new(),
    };
    match name {
        "checkout" => Ok(Ok(Act::Checkout)),
        "capture" => Ok(Ok(Act::Capture)),
        "cancel" => Ok(Ok(Act::Cancel)),
        "refund" => {
            let amount = amount.and_then(Dollars::parse);
            Ok(amount.map(Act::Refund).ok_or_else(unreadable))
        }
        _ => Err(Fault::Missing),
    }
}

/// Does what the order's intent says, and keeps how it went.
async fn carry_out(shop: &Shop, number: u64) -> anyhow::Result<()> {
    let Some(order) = shop.book.order(number) else {
        return Ok(());
    };
    let Some(intent) = &order.intent else {
        return Ok(());
    };
    let answer = ask(shop, &order, intent).await;
    shop.book
        .change(number, |kept| {
            // Its twin (a double click) may have been quicker: then this one's word is old.
            if kept.turn != order.turn {
                return;
            }
            match answer {
                Ok(Done::Checkout(checkout)) => {
                    kept.checkout = Some(checkout);
                    kept.conclude(None);
                }
                Ok(Done::Accepted) => kept.conclude(None),
                Err(error) if is_final(&error) => {
                    kept.conclude(Some(trouble(intent.act, &error)));
                }
                Err(error) => kept.trouble = Some(trouble(intent.act, &error)),
            }
        })
        .await?;
    Ok(())
}

async fn ask(shop: &Shop, order: &Order, intent: &Intent) -> Result<Done, Error> {
    let key = IdempotencyKey::new(&intent.idempotency_key)
        .map_err(|_| Error::InvalidArgument("the order has no idempotency key"))?;
    if intent.act == Act::Checkout {
        return payments::create_session(shop, order, &key)
            .await
            .map(Done::Checkout);
    }
    let Some(Checkout { session_id, .. }) = &order.checkout else {
        return Err(Error::InvalidArgument("the order has no checkout session"));
    };
    match intent.act {
        Act::Capture => payments::capture(shop, order, session_id, &key).await?,
        Act::Cancel => payments::cancel(shop, order, session_id, &key).await?,
        Act::Refund(amount) => payments::refund(shop, order, (session_id, amount), &key).await?,
        Act::Checkout => {}
    }
    Ok(Done::Accepted)
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

fn trouble(act: Act, error: &Error) -> Trouble {
    let name = match act {
        Act::Checkout => "The payment could not be prepared.".to_owned(),
        Act::Capture => "The capture did not succeed.".to_owned(),
        Act::Cancel => "The cancellation did not succeed.".to_owned(),
        Act::Refund(amount) => format!("The refund of {amount} did not succeed."),
    };
    let Error::Api {
        message,
        code,
        details,
        ..
    } = error
    else {
        return Trouble {
            what: name,
            message: sentence(&error.to_string()),
            code: String::new(),
        };
    };
    let details = details
        .iter()
        .map(|detail| format!("{}: {}.", detail.field, detail.problem));
    let sentences: Vec<_> = std::iter::once(sentence(message)).chain(details).collect();
    Trouble {
        what: name,
        message: sentences.join(" "),
        code: code.clone(),
    }
}

/// With a capital at the beginning and a stop at the end.
fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().map(char::to_uppercase).into_iter().flatten();
    let text: String = first.chain(letters).collect();
    if text.ends_with('.') {
        text
    } else {
        format!("{text}.")
    }
}

fn see(address: &str) -> HttpResponse {
    HttpResponse::SeeOther()
        .insert_header((header::LOCATION, address))
        .finish()
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

    #[test]
    fn an_amount_that_cannot_be_read_begins_nothing() {
        let read = |text| wanted("refund", text).unwrap();
        let amount = Dollars::cents(1050);
        assert_eq!(read(Some("10.50")).unwrap(), Act::Refund(amount));
        for text in [None, Some("all"), Some("-1"), Some("")] {
            assert!(read(text).is_err(), "{text:?}");
        }
        assert!(wanted("destroy", None).is_err());
    }
}
