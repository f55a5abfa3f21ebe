//! `POST /v1/payment_intents/{id}/confirm`: the first confirmation, another attempt after a decline,
//! or, with `confirmation_method=manual`, the confirmation after a passed challenge.

use actix_web::{HttpRequest, HttpResponse, web};
use serde_json::Value;

use super::method::{GivenMethod, check_unused};
use super::{attempt, load, unexpected_state};
use crate::app::Simulator;
use crate::stripe::call::Call;
use crate::stripe::error::StripeError;
use crate::stripe::execution::{Execution, Failure, execute};
use crate::stripe::objects::Expand;
use crate::stripe::view::IntentStatus;

/// The parameters of a confirmation.
struct Parameters {
    id: String,
    method: GivenMethod,
    use_stripe_sdk: Option<bool>,
    return_url: Option<String>,
    expand: Expand,
}

/// Confirms an intent.
pub(super) async fn confirm(
    request: HttpRequest,
    id: web::Path<String>,
    bytes: web::Bytes,
    simulator: web::Data<Simulator>,
) -> Result<HttpResponse, StripeError> {
    let (call, mut form) = Call::read(&request, &bytes)?;
    let parameters = Parameters {
        id: id.into_inner(),
        method: GivenMethod::read(&mut form)?,
        use_stripe_sdk: form.flag("use_stripe_sdk")?,
        return_url: form.url("return_url")?,
        expand: Expand::read(&mut form, "")?,
    };
    form.finish()?;
    execute(&simulator, call, move |execution| {
        execute_confirm(execution, parameters)
    })
    .await
}

fn execute_confirm(
    execution: &mut Execution<'_, '_>,
    parameters: Parameters,
) -> Result<Value, Failure> {
    let view = load(execution.transaction.connection, &parameters.id)?;
    let status = view.status();
    let (is_first, is_retry) = (
        status == IntentStatus::RequiresConfirmation,
        status == IntentStatus::RequiresPaymentMethod,
    );
    if !is_first && !is_retry {
        let message = format!(
            "You cannot confirm this PaymentIntent because it has a status of {}.",
            status.as_str()
        );
        return Err(unexpected_state(&execution.account, &view, &message).into());
    }
    let opened = view.attempt.as_ref().filter(|_| is_first);
    if let Some(opened) = opened {
        if !parameters.method.may_complete(&view.intent) {
            let message = "This PaymentIntent was authenticated with another PaymentMethod.";
            return Err(unexpected_state(&execution.account, &view, message).into());
        }
        let payment = opened.payment.clone();
        return attempt::complete(execution, view.intent, payment, parameters.expand);
    }
    let given = parameters.method.resolve(execution)?;
    let stored = view.method.filter(|_| is_first);
    let method = given.or(stored).ok_or_else(missing_method)?;
    check_unused(&method)?;
    let mut intent = view.intent;
    intent.use_stripe_sdk = parameters.use_stripe_sdk.unwrap_or(intent.use_stripe_sdk);
    intent.return_url = parameters.return_url.or(intent.return_url);
    parameters.method.spend(execution, &intent.intent_id)?;
    attempt::pay_with(execution, intent, &method, parameters.expand)
}

fn missing_method() -> StripeError {
    StripeError::invalid(
        "You cannot confirm this PaymentIntent because it's missing a payment method.",
    )
    .with_code("payment_intent_unexpected_state")
}
