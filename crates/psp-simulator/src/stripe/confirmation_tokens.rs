//! `/v1/confirmation_tokens`: create (as Stripe.js does it) and retrieve.

use actix_web::web::{self, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};

use super::call::{Call, read_query};
use super::card_form::NewCard;
use super::error::StripeError;
use super::execution::{Execution, Failure, execute};
use super::form::Form;
use super::objects;
use super::payment_methods;
use crate::app::Simulator;
use crate::entropy;
use crate::store::StoreError;
use crate::store::stripe::confirmation_tokens::{self, ConfirmationToken};
use crate::store::tokens::{self, Token};

/// The routes of the resource. The second path is Stripe's test helper, which only the secret key
/// may call there; here it is an alias.
pub(super) fn routes(config: &mut ServiceConfig) {
    config
        .route("/confirmation_tokens", web::post().to(create))
        .route("/test_helpers/confirmation_tokens", web::post().to(create))
        .route("/confirmation_tokens/{id}", web::get().to(retrieve));
}

/// What a confirmation token is created from.
enum Source {
    Card(NewCard),
    PaymentMethod(String),
}

/// Creates a confirmation token. The publishable key may do it.
async fn create(
    request: HttpRequest,
    bytes: web::Bytes,
    simulator: web::Data<Simulator>,
) -> Result<HttpResponse, StripeError> {
    let (call, mut form) = Call::read_public(&request, &bytes)?;
    let source = read_source(&mut form)?;
    let return_url = form.url("return_url")?;
    form.finish()?;
    execute(&simulator, call, move |execution| {
        let method = resolve(execution, source)?;
        let token = ConfirmationToken {
            id: entropy::hex_id("ctoken_")?,
            payment_method: method.id.clone(),
            return_url,
            intent_id: None,
            created_at: execution.transaction.now,
        };
        confirmation_tokens::insert(execution.transaction.connection, &token)?;
        Ok(objects::confirmation_token(&token, &method))
    })
    .await
}

fn read_source(form: &mut Form) -> Result<Source, StripeError> {
    if let Some(id) = form.take("payment_method") {
        return Ok(Source::PaymentMethod(id));
    }
    form.choice("payment_method_data[type]", &["card"])?
        .ok_or_else(|| StripeError::required("payment_method_data"))?;
    let card = NewCard::read(form, "payment_method_data[card]")?;
    form.discard("payment_method_data");
    Ok(Source::Card(card))
}

fn resolve(execution: &mut Execution<'_, '_>, source: Source) -> Result<Token, Failure> {
    let connection = &mut *execution.transaction.connection;
    match source {
        Source::Card(card) => {
            let method = card.into_payment_method(execution.transaction.now)?;
            tokens::insert(connection, &method)?;
            Ok(method)
        }
        Source::PaymentMethod(id) => {
            let found = payment_methods::find(connection, &id)?;
            let unknown = || StripeError::unknown("PaymentMethod", &id, "payment_method");
            Ok(found.ok_or_else(unknown)?)
        }
    }
}

async fn retrieve(
    request: HttpRequest,
    id: web::Path<String>,
    simulator: web::Data<Simulator>,
) -> Result<HttpResponse, StripeError> {
    read_query(&request)?.finish()?;
    let id = id.into_inner();
    let wanted = id.clone();
    let object = simulator
        .store
        .read(move |connection| {
            let Some(token) = confirmation_tokens::find(connection, &wanted)? else {
                return Ok(None);
            };
            let method = tokens::find(connection, &token.payment_method)?
                .ok_or(StoreError::Corrupt("tokens"))?;
            Ok(Some(objects::confirmation_token(&token, &method)))
        })
        .await?
        .ok_or_else(|| StripeError::missing("confirmation_token", &id, "confirmation_token"))?;
    Ok(HttpResponse::Ok().json(object))
}
