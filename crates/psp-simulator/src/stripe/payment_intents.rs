//! `/v1/payment_intents`: create, confirm, capture, cancel, retrieve, list.

mod attempt;
mod cancel;
mod capture;
mod confirm;
mod create;
mod method;
mod retrieve;

use actix_web::web::{self, ServiceConfig};
use diesel::sqlite::SqliteConnection;
use serde_json::Value;

use super::account::Account;
use super::error::StripeError;
use super::execution::Failure;
use super::objects::{self, Expand};
use super::view::IntentView;
use crate::store::stripe::payment_intents;

/// The routes of the resource.
pub(super) fn routes(config: &mut ServiceConfig) {
    config
        .route("", web::post().to(create::create))
        .route("", web::get().to(retrieve::list))
        .route("/{id}", web::get().to(retrieve::retrieve))
        .route("/{id}/confirm", web::post().to(confirm::confirm))
        .route("/{id}/capture", web::post().to(capture::capture))
        .route("/{id}/cancel", web::post().to(cancel::cancel));
}

/// Loads the intent of a path.
fn load(connection: &mut SqliteConnection, id: &str) -> Result<IntentView, Failure> {
    let intent = payment_intents::find(connection, id)?
        .ok_or_else(|| StripeError::missing("payment_intent", id, "intent"))?;
    Ok(IntentView::load(connection, intent)?)
}

/// 400 `payment_intent_unexpected_state` with the intent.
fn unexpected_state(account: &Account, view: &IntentView, message: &str) -> StripeError {
    StripeError::invalid(message)
        .with_code("payment_intent_unexpected_state")
        .with("payment_intent", render(account, view))
}

fn render(account: &Account, view: &IntentView) -> Value {
    objects::payment_intent(account, view, Expand::default())
}
