//! `POST /orders` and `POST /orders/{number}/{act}`: what the shop's forms send.

use actix_web::{HttpResponse, http::header, web};
use serde::Deserialize;

use super::{
    Shop,
    catalogue::Cart,
    dollars::Dollars,
    fault::Fault,
    integration::acts::{self, Act},
    moment::Moment,
    order::Order,
    trouble::Trouble,
};

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
    acts::carry_out(&shop, number).await?;
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
        acts::carry_out(&shop, number).await?;
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
    match name {
        "checkout" => Ok(Ok(Act::Checkout)),
        "capture" => Ok(Ok(Act::Capture)),
        "cancel" => Ok(Ok(Act::Cancel)),
        "refund" => {
            let amount = amount.and_then(Dollars::parse);
            Ok(amount.map(Act::Refund).ok_or_else(Trouble::of_amount))
        }
        _ => Err(Fault::Missing),
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
