//! `/v1/payment_methods`: create (as Stripe.js does it) and retrieve.

use actix_web::web::{self, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};
use diesel::sqlite::SqliteConnection;

use super::call::{Call, read_query};
use super::card_form::NewCard;
use super::error::StripeError;
use super::execution::execute;
use super::objects;
use crate::app::Simulator;
use crate::store::StoreError;
use crate::store::tokens::{self, Token};

/// The prefix of payment methods; other tokens belong to the simulator's own API.
const PREFIX: &str = "pm_";

/// The routes of the resource.
pub(super) fn routes(config: &mut ServiceConfig) {
    config
        .route("/payment_methods", web::post().to(create))
        .route("/payment_methods/{id}", web::get().to(retrieve));
}

/// Exchanges a card for a payment method. The publishable key may do it.
async fn create(
    request: HttpRequest,
    bytes: web::Bytes,
    simulator: web::Data<Simulator>,
) -> Result<HttpResponse, StripeError> {
    let (call, mut form) = Call::read_public(&request, &bytes)?;
    form.choice("type", &["card"])?
        .ok_or_else(|| StripeError::required("type"))?;
    let card = NewCard::read(&mut form, "card")?;
    form.discard("billing_details");
    form.finish()?;
    execute(&simulator, call, move |execution| {
        let method = card.into_payment_method(execution.transaction.now)?;
        tokens::insert(execution.transaction.connection, &method)?;
        Ok(objects::payment_method(&method))
    })
    .await
}

async fn retrieve(
    request: HttpRequest,
    id: web::Path<String>,
    simulator: web::Data<Simulator>,
) -> Result<HttpResponse, StripeError> {
    read_query(&request)?.finish()?;
    let id = id.into_inner();
    let wanted = id.clone();
    let method = simulator
        .store
        .read(move |connection| find(connection, &wanted))
        .await?
        .ok_or_else(|| StripeError::missing("PaymentMethod", &id, "payment_method"))?;
    Ok(HttpResponse::Ok().json(objects::payment_method(&method)))
}

/// Finds a payment method.
pub(super) fn find(
    connection: &mut SqliteConnection,
    id: &str,
) -> Result<Option<Token>, StoreError> {
    if !id.starts_with(PREFIX) {
        return Ok(None);
    }
    Ok(tokens::find(connection, id)?)
}
