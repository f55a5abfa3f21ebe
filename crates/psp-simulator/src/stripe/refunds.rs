//! `/v1/refunds`: create, retrieve, list.

use actix_web::web::{self, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};
use diesel::sqlite::SqliteConnection;
use serde_json::{Value, json};

use super::amounts;
use super::call::{Call, read_query};
use super::error::StripeError;
use super::execution::{Execution, Failure, execute};
use super::form::{Form, invalid};
use super::modification::{Accepted, modify, refused_by_fault};
use super::objects::{self, CHARGE_PREFIX, REFUND_PREFIX, RefundDetails, object_id, reference};
use super::paging::Page;
use crate::app::Simulator;
use crate::codes::{Kind, Reason, Status};
use crate::store::StoreError;
use crate::store::operations::Operation;
use crate::store::payments::{self, Payment};
use crate::store::stripe::payment_intents;
use crate::store::stripe::refunds::{self, Filter};

const REASONS: [&str; 3] = ["duplicate", "fraudulent", "requested_by_customer"];

/// The routes of the resource.
pub(super) fn routes(config: &mut ServiceConfig) {
    config
        .route("", web::post().to(create))
        .route("", web::get().to(list))
        .route("/{id}", web::get().to(retrieve));
}

/// What is refunded.
enum Target {
    PaymentIntent(String),
    Charge(String),
}

impl Target {
    fn read(form: &mut Form) -> Result<Self, StripeError> {
        match (form.take("payment_intent"), form.take("charge")) {
            (Some(id), None) => Ok(Self::PaymentIntent(id)),
            (None, Some(id)) => Ok(Self::Charge(id)),
            (None, None) => Err(StripeError::required("payment_intent")),
            (Some(_), Some(_)) => Err(invalid("charge", "excludes payment_intent")),
        }
    }

    /// The payment; `None` if the intent was never confirmed.
    fn find(&self, connection: &mut SqliteConnection) -> Result<Option<Payment>, Failure> {
        let reference = match self {
            Self::PaymentIntent(id) => {
                let intent = payment_intents::find(connection, id)?
                    .ok_or_else(|| StripeError::missing("payment_intent", id, "payment_intent"))?;
                intent.payment_reference
            }
            Self::Charge(id) => reference(CHARGE_PREFIX, id),
        };
        let payment = match reference {
            Some(reference) => payments::find(connection, &reference)?,
            None => None,
        };
        match self {
            Self::Charge(id) if payment.as_ref().is_none_or(|it| it.intent_id.is_none()) => {
                Err(StripeError::missing("charge", id, "charge").into())
            }
            _ => Ok(payment),
        }
    }

    fn not_refundable(&self) -> StripeError {
        let subject = match self {
            Self::PaymentIntent(id) => format!("PaymentIntent ({id})"),
            Self::Charge(id) => format!("Charge ({id})"),
        };
        StripeError::invalid(&format!(
            "This {subject} does not have a successful charge to refund."
        ))
        .with_code("payment_intent_unexpected_state")
    }
}

async fn create(
    request: HttpRequest,
    bytes: web::Bytes,
    simulator: web::Data<Simulator>,
) -> Result<HttpResponse, StripeError> {
    let (call, mut form) = Call::read(&request, &bytes)?;
    let target = Target::read(&mut form)?;
    let amount = form.amount("amount")?;
    let details = RefundDetails {
        metadata: form.metadata()?,
        reason: form.choice("reason", &REASONS)?,
    };
    form.finish()?;
    execute(&simulator, call, move |execution| {
        execute_refund(execution, &target, amount, &details)
    })
    .await
}

fn execute_refund(
    execution: &mut Execution<'_, '_>,
    target: &Target,
    amount: Option<i64>,
    details: &RefundDetails,
) -> Result<Value, Failure> {
    let payment = target
        .find(execution.transaction.connection)?
        .ok_or_else(|| target.not_refundable())?;
    let rest = payment.captured - payment.refunded;
    let is_refunded = payment.status == Status::Captured && rest == 0;
    // Without an amount, everything that is left; the engine decides whether that may be refunded.
    let amount = amount.unwrap_or(if rest > 0 { rest } else { payment.amount });
    let metadata = serde_json::to_string(details)?;
    match modify(
        execution,
        Kind::Refund,
        &payment,
        Some(amount),
        Some(metadata),
    )? {
        Ok(Accepted { operation, payment }) => Ok(objects::refund(&payment, &operation)),
        Err(Reason::RefusedByFault) => Err(refused_by_fault().into()),
        Err(Reason::AmountTooLarge) if is_refunded => {
            let charge_id = object_id(CHARGE_PREFIX, &payment.psp_reference);
            let message = format!("Charge {charge_id} has already been refunded.");
            Err(StripeError::invalid(&message)
                .with_code("charge_already_refunded")
                .with("charge", json!(charge_id))
                .into())
        }
        Err(Reason::AmountTooLarge) => {
            let currency = payment.currency.to_ascii_lowercase();
            let text = |amount| amounts::format(amount, &currency);
            let message = format!(
                "Refund amount ({} {currency}) is greater than unrefunded amount on charge ({} \
                 {currency})",
                text(amount),
                text(rest)
            );
            Err(StripeError::invalid(&message).with_param("amount").into())
        }
        Err(_) => Err(target.not_refundable().into()),
    }
}

async fn retrieve(
    request: HttpRequest,
    id: web::Path<String>,
    simulator: web::Data<Simulator>,
) -> Result<HttpResponse, StripeError> {
    read_query(&request)?.finish()?;
    let id = id.into_inner();
    let found = find(&simulator, &id).await?;
    let (operation, payment) = found.ok_or_else(|| StripeError::missing("refund", &id, "id"))?;
    Ok(HttpResponse::Ok().json(objects::refund(&payment, &operation)))
}

/// Finds a refund by its id.
async fn find(simulator: &Simulator, id: &str) -> Result<Option<(Operation, Payment)>, StoreError> {
    let Some(reference) = reference(REFUND_PREFIX, id) else {
        return Ok(None);
    };
    let filter = Filter {
        refund_reference: Some(reference),
        limit: 1,
        ..Filter::default()
    };
    let found = simulator
        .store
        .read(move |connection| Ok(refunds::list(connection, &filter)?))
        .await?;
    Ok(found.into_iter().next())
}

/// The refunds, newest first: all, or those of an intent or a charge.
async fn list(
    request: HttpRequest,
    simulator: web::Data<Simulator>,
) -> Result<HttpResponse, StripeError> {
    let mut form = read_query(&request)?;
    let page = Page::read(&mut form)?;
    let intent_id = form.take("payment_intent");
    let charge = form.take("charge");
    form.finish()?;
    let before = match &page.starting_after {
        None => None,
        Some(id) => {
            let found = find(&simulator, id).await?;
            let unknown = || StripeError::unknown("refund", id, "starting_after");
            Some(found.ok_or_else(unknown)?.0)
        }
    };
    let filter = Filter {
        intent_id,
        payment_reference: charge.and_then(|id| reference(CHARGE_PREFIX, &id)),
        refund_reference: None,
        before,
        from: page.from,
        until: page.until,
        limit: page.limit + 1,
    };
    let mut found = simulator
        .store
        .read(move |connection| Ok(refunds::list(connection, &filter)?))
        .await?;
    let has_more = page.cut(&mut found);
    let data: Vec<Value> = found
        .iter()
        .map(|(operation, payment)| objects::refund(payment, operation))
        .collect();
    Ok(HttpResponse::Ok().json(objects::list("/v1/refunds", &data, has_more)))
}
