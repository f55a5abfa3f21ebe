//! `POST /v1/payment_intents/{id}/cancel`: releases the authorization, or ends what is open.

use actix_web::{HttpRequest, HttpResponse, web};
use serde_json::Value;

use super::{load, unexpected_state};
use crate::app::Simulator;
use crate::codes::{Kind, Reason, Status};
use crate::store::payments::Payment;
use crate::store::stripe::payment_intents;
use crate::stripe::call::Call;
use crate::stripe::error::StripeError;
use crate::stripe::events;
use crate::stripe::execution::{Execution, Failure, execute};
use crate::stripe::modification::{modify, refused_by_fault};
use crate::stripe::objects::{self, Expand};
use crate::stripe::view::IntentView;

const REASONS: [&str; 4] = [
    "abandoned",
    "duplicate",
    "fraudulent",
    "requested_by_customer",
];

/// Cancels an intent.
pub(super) async fn cancel(
    request: HttpRequest,
    id: web::Path<String>,
    bytes: web::Bytes,
    simulator: web::Data<Simulator>,
) -> Result<HttpResponse, StripeError> {
    let (call, mut form) = Call::read(&request, &bytes)?;
    let reason = form.choice("cancellation_reason", &REASONS)?;
    let expand = Expand::read(&mut form, "")?;
    form.finish()?;
    execute(&simulator, call, move |execution| {
        let view = load(execution.transaction.connection, &id)?;
        execute_cancel(execution, view, reason)?;
        let view = load(execution.transaction.connection, &id)?;
        Ok::<Value, Failure>(objects::payment_intent(&execution.account, &view, expand))
    })
    .await
}

fn execute_cancel(
    execution: &mut Execution<'_, '_>,
    mut view: IntentView,
    reason: Option<String>,
) -> Result<(), Failure> {
    let payment = view.attempt.as_ref().map(|attempt| attempt.payment.clone());
    let Some(payment) = payment.filter(has_engine_state) else {
        if view.intent.canceled_at.is_some() {
            return Err(refused(execution, &view).into());
        }
        view.intent.canceled_at = Some(execution.transaction.now);
        view.intent.cancellation_reason = reason;
        payment_intents::update(execution.transaction.connection, &view.intent)?;
        events::enqueue_canceled(execution.transaction, &view, &execution.key)?;
        return Ok(());
    };
    if !matches!(payment.status, Status::Cancelled | Status::Lapsed) {
        view.intent.cancellation_reason = reason;
        payment_intents::update(execution.transaction.connection, &view.intent)?;
    }
    match modify(execution, Kind::Cancel, &payment, None, None)? {
        Ok(_) => Ok(()),
        Err(Reason::RefusedByFault) => Err(refused_by_fault().into()),
        Err(_) => Err(refused(execution, &view).into()),
    }
}

/// Whether the engine decides about a cancel. A failed attempt leaves nothing to cancel but the
/// intent.
fn has_engine_state(payment: &Payment) -> bool {
    !matches!(payment.status, Status::Refused | Status::CaptureFailed)
}

fn refused(execution: &Execution<'_, '_>, view: &IntentView) -> StripeError {
    let message = format!(
        "You cannot cancel this PaymentIntent because it has a status of {}. Only a PaymentIntent \
         with one of the following statuses may be canceled: requires_payment_method, \
         requires_capture, requires_confirmation, requires_action, processing.",
        view.status().as_str()
    );
    unexpected_state(&execution.account, view, &message)
}
