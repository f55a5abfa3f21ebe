//! `POST /v1/payment_intents`.

use std::collections::BTreeMap;

use actix_web::{HttpRequest, HttpResponse, web};
use serde_json::Value;

use super::attempt;
use super::method::GivenMethod;
use crate::app::Simulator;
use crate::entropy;
use crate::store::stripe::payment_intents::{self, PaymentIntent};
use crate::stripe::amounts;
use crate::stripe::call::Call;
use crate::stripe::error::StripeError;
use crate::stripe::execution::{Execution, Failure, execute};
use crate::stripe::form::{Form, invalid};
use crate::stripe::objects::{self, Expand};
use crate::stripe::view::IntentView;

const CAPTURE_METHODS: [&str; 3] = ["automatic", "automatic_async", "manual"];
const CONFIRMATION_METHODS: [&str; 2] = ["automatic", "manual"];
const CARD: &str = "card";

/// The parameters of a new intent.
struct Parameters {
    amount: i64,
    currency: String,
    capture_method: String,
    confirmation_method: String,
    method: GivenMethod,
    confirm: bool,
    use_stripe_sdk: bool,
    return_url: Option<String>,
    description: Option<String>,
    metadata: BTreeMap<String, String>,
    expand: Expand,
}

impl Parameters {
    fn read(form: &mut Form) -> Result<Self, StripeError> {
        let amount = form
            .amount("amount")?
            .ok_or_else(|| StripeError::required("amount"))?;
        let currency = amounts::currency(&form.required("currency")?)?;
        amounts::check(amount, &currency)?;
        let types = form.list("payment_method_types");
        if types.iter().any(|name| name != CARD) {
            return Err(invalid("payment_method_types", "may only contain card"));
        }
        let allow_redirects = form.choice(
            "automatic_payment_methods[allow_redirects]",
            &["always", "never"],
        )?;
        form.flag("automatic_payment_methods[enabled]")?;
        let automatic = "automatic".to_owned();
        let parameters = Self {
            amount,
            currency,
            capture_method: form
                .choice("capture_method", &CAPTURE_METHODS)?
                .unwrap_or_else(|| automatic.clone()),
            confirmation_method: form
                .choice("confirmation_method", &CONFIRMATION_METHODS)?
                .unwrap_or(automatic),
            method: GivenMethod::read(form)?,
            confirm: form.flag("confirm")?.unwrap_or(false),
            use_stripe_sdk: form.flag("use_stripe_sdk")?.unwrap_or(false),
            return_url: form.url("return_url")?,
            description: form.text("description")?,
            metadata: form.metadata()?,
            expand: Expand::read(form, "")?,
        };
        let may_redirect = types.is_empty() && allow_redirects.as_deref() != Some("never");
        parameters.check_confirm(may_redirect)?;
        Ok(parameters)
    }

    /// Checks the parameters that depend on `confirm`.
    fn check_confirm(&self, may_redirect: bool) -> Result<(), StripeError> {
        let needs_confirm = |param| {
            Err(
                StripeError::invalid("This parameter can only be used with confirm=true.")
                    .with_param(param),
            )
        };
        match (self.confirm, &self.method, &self.return_url) {
            (false, GivenMethod::ConfirmationToken(_), _) => needs_confirm("confirmation_token"),
            (false, _, Some(_)) => needs_confirm("return_url"),
            (true, GivenMethod::None, _) => Err(StripeError::invalid(
                "You cannot confirm this PaymentIntent because it's missing a payment method.",
            )
            .with_code("payment_intent_unexpected_state")),
            (true, _, None) if may_redirect => Err(StripeError::invalid(
                "Without payment_method_types, a payment method may redirect the shopper: provide \
                 a return_url, or set automatic_payment_methods[allow_redirects] to never.",
            )
            .with_param("return_url")),
            _ => Ok(()),
        }
    }
}

/// Creates an intent, and confirms it if requested.
pub(super) async fn create(
    request: HttpRequest,
    bytes: web::Bytes,
    simulator: web::Data<Simulator>,
) -> Result<HttpResponse, StripeError> {
    let (call, mut form) = Call::read(&request, &bytes)?;
    let parameters = Parameters::read(&mut form)?;
    form.finish()?;
    execute(&simulator, call, move |execution| {
        insert(execution, &parameters)
    })
    .await
}

fn insert(execution: &mut Execution<'_, '_>, parameters: &Parameters) -> Result<Value, Failure> {
    let method = parameters.method.resolve(execution)?;
    let intent_id = entropy::hex_id("pi_")?;
    let intent = PaymentIntent {
        client_secret: entropy::hex_id(&format!("{intent_id}_secret_"))?,
        amount: parameters.amount,
        currency: parameters.currency.clone(),
        capture_method: parameters.capture_method.clone(),
        confirmation_method: parameters.confirmation_method.clone(),
        payment_method_types: serde_json::to_string(&[CARD])?,
        payment_method: method.as_ref().map(|method| method.id.clone()),
        description: parameters.description.clone(),
        metadata: serde_json::to_string(&parameters.metadata)?,
        return_url: parameters.return_url.clone(),
        use_stripe_sdk: parameters.use_stripe_sdk,
        payment_reference: None,
        cancellation_reason: None,
        canceled_at: None,
        created_at: execution.transaction.now,
        intent_id,
    };
    payment_intents::insert(execution.transaction.connection, &intent)?;
    parameters.method.spend(execution, &intent.intent_id)?;
    if let Some(method) = method.filter(|_| parameters.confirm) {
        return attempt::pay_with(execution, intent, &method, parameters.expand);
    }
    let view = IntentView::load(execution.transaction.connection, intent)?;
    let (account, expand) = (&execution.account, parameters.expand);
    Ok(objects::payment_intent(account, &view, expand))
}
