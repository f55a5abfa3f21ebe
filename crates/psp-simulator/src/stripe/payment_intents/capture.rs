//! `POST /v1/payment_intents/{id}/capture`: captures all or part; the rest is released.

use actix_web::{HttpRequest, HttpResponse, web};
use serde_json::Value;

use super::{load, unexpected_state};
use crate::app::Simulator;
use crate::codes::{Kind, Reason};
use crate::stripe::call::Call;
use crate::stripe::error::StripeError;
use crate::stripe::execution::{Execution, Failure, execute};
use crate::stripe::modification::{modify, refused_by_fault};
use crate::stripe::objects::{self, Expand};

/// Captures an authorized intent.
pub(super) async fn capture(
    request: HttpRequest,
    id: web::Path<String>,
    bytes: web::Bytes,
    simulator: web::Data<Simulator>,
) -> Result<HttpResponse, StripeError> {
    let (call, mut form) = Call::read(&request, &bytes)?;
    let amount = form.amount("amount_to_capture")?;
    let expand = Expand::read(&mut form, "")?;
    form.finish()?;
    execute(&simulator, call, move |execution| {
        execute_capture(execution, &id, amount, expand)
    })
    .await
}

fn execute_capture(
    execution: &mut Execution<'_, '_>,
    id: &str,
    amount: Option<i64>,
    expand: Expand,
) -> Result<Value, Failure> {
    let view = load(execution.transaction.connection, id)?;
    let message = format!(
        "This PaymentIntent could not be captured because it has a status of {}. Only a \
         PaymentIntent with one of the following statuses may be captured: requires_capture.",
        view.status().as_str()
    );
    let open = view
        .attempt
        .as_ref()
        .filter(|_| view.intent.canceled_at.is_none());
    let Some(open) = open else {
        return Err(unexpected_state(&execution.account, &view, &message).into());
    };
    let amount = amount.unwrap_or(view.intent.amount);
    match modify(execution, Kind::Capture, &open.payment, Some(amount), None)? {
        Ok(_) => {
            let view = load(execution.transaction.connection, id)?;
            Ok(objects::payment_intent(&execution.account, &view, expand))
        }
        Err(Reason::RefusedByFault) => Err(refused_by_fault().into()),
        Err(Reason::AmountTooLarge) => Err(StripeError::invalid(
            "The requested capture amount is greater than the authorized amount.",
        )
        .with_code("amount_too_large")
        .with_param("amount_to_capture")
        .into()),
        Err(_) => Err(unexpected_state(&execution.account, &view, &message).into()),
    }
}
