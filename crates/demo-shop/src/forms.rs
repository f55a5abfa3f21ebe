//! `POST /orders` and `POST /orders/{number}/{action}`: the shop's forms.

use actix_web::{HttpResponse, http::header, web};
use serde::Deserialize;

use crate::{
    Shop,
    action_error::ActionError,
    catalog::Cart,
    dollars::Dollars,
    integration::{actions, records::Action},
    moment::Moment,
    order::Order,
    page_error::PageError,
};

/// `POST /orders`: creates an order from a cart, with a checkout session.
pub(crate) async fn place_order(
    shop: web::Data<Shop>,
    form: web::Form<Vec<(String, String)>>,
) -> Result<HttpResponse, PageError> {
    let cart = Cart::from_pairs(&form);
    if cart.is_empty() {
        return Err(PageError::Form("The cart is empty."));
    }
    let number = shop
        .order_store
        .add(|number| new_order(number, &cart, &form))
        .await?;
    actions::execute(&shop, number).await?;
    Ok(redirect_to(&format!("/orders/{number}")))
}

/// The form of an action button.
#[derive(Deserialize)]
pub(crate) struct ActionForm {
    /// The order's turn when the page was rendered.
    turn: u32,
    /// The amount, if it can be chosen.
    amount: Option<String>,
}

/// `POST /orders/{number}/{action}`
pub(crate) async fn action(
    shop: web::Data<Shop>,
    path: web::Path<(u64, String)>,
    form: web::Form<ActionForm>,
) -> Result<HttpResponse, PageError> {
    let (number, name) = path.into_inner();
    let action = parse_action(&name, form.amount.as_deref())?;
    let should_execute = shop.order_store.update(number, |order| {
        // A double click, or an outdated page: the action was already executed.
        if order.turn != form.turn {
            return false;
        }
        match action {
            // An action is still open: no other one starts before it has a final response.
            _ if order.intent.is_some() => true,
            Ok(action) => {
                order.start_action(action);
                true
            }
            Err(trouble) => {
                order.trouble = Some(trouble);
                false
            }
        }
    });
    if should_execute.await?.ok_or(PageError::NotFound)? {
        actions::execute(&shop, number).await?;
    }
    Ok(redirect_to(&format!("/orders/{number}#actions-heading")))
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
    order.start_action(Action::Checkout);
    order
}

/// Parses an action; unknown names are 404. An amount that cannot be parsed is an error for the
/// page to show.
fn parse_action(
    name: &str,
    amount: Option<&str>,
) -> Result<Result<Action, ActionError>, PageError> {
    match name {
        "checkout" => Ok(Ok(Action::Checkout)),
        "capture" => Ok(Ok(Action::Capture)),
        "cancel" => Ok(Ok(Action::Cancel)),
        "refund" => {
            let amount = amount.and_then(Dollars::parse);
            Ok(amount
                .map(Action::Refund)
                .ok_or_else(ActionError::invalid_amount))
        }
        _ => Err(PageError::NotFound),
    }
}

fn redirect_to(address: &str) -> HttpResponse {
    HttpResponse::SeeOther()
        .insert_header((header::LOCATION, address))
        .finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn invalid_refund_amounts_are_rejected() {
        let read = |text| parse_action("refund", text).unwrap();
        let amount = Dollars::cents(1050);
        assert_eq!(read(Some("10.50")).unwrap(), Action::Refund(amount));
        for text in [None, Some("all"), Some("-1"), Some("")] {
            assert!(read(text).is_err(), "{text:?}");
        }
        assert!(parse_action("destroy", None).is_err());
    }
}
