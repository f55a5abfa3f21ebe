//! The Stripe face: a translation of Stripe's API, under `/stripe/v1/…`, to the engine.
//!
//! A payment intent has one engine payment for each attempt to confirm it, a refund is a refund call
//! of the engine. Events are sent through the same queue as the notifications of the simulator's own
//! API, and the faults, the ledger and the idempotency keys are shared. Only what the engine does not
//! know is stored beside it: intents, confirmation tokens, recorded responses.
//!
//! # Limits and differences
//!
//! - Cards only; amounts are checked as Stripe does (minimum, three-decimal currencies).
//! - Idempotency keys are shared with the simulator's own API and kept permanently. The money of a
//!   payment whose challenge is passed moves under the key of the request that opened it.
//! - A payment method is for one attempt to pay, also if that is declined: there are no customers to
//!   attach it to.
//! - Faults apply to `payment_intents` and `refunds`, not to payment methods and confirmation tokens.
//!   A call that a fault refuses gets 402 `card_declined`.
//! - In asynchronous mode an intent is `processing` while a call on it is accepted and not executed,
//!   a refund is `pending`.
//! - `fail_late`: a lapsed authorization makes the intent `canceled` (`automatic`), a failed capture
//!   makes it `requires_payment_method`, a failed cancel `requires_capture`; a refund becomes `failed`.
//! - Each result of an intent is one event, named after the status that the intent has then.

pub(crate) mod account;
mod amounts;
mod call;
mod card_form;
mod confirmation_tokens;
mod error;
pub(crate) mod events;
mod execution;
mod form;
mod middleware;
mod modification;
mod objects;
mod paging;
mod payment_failure;
mod payment_intents;
mod payment_methods;
mod refunds;
mod test_cards;
mod view;

use actix_web::middleware::from_fn;
use actix_web::web::{self, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse, ResponseError as _};

use crate::faults::inject::inject;
use error::StripeError;

/// The routes of the face.
pub(crate) fn routes(config: &mut ServiceConfig) {
    config.service(
        web::scope("/stripe/v1")
            .wrap(from_fn(middleware::admit))
            .service(
                web::scope("/payment_intents")
                    .wrap(from_fn(inject))
                    .configure(payment_intents::routes)
                    .default_service(web::to(not_found)),
            )
            .service(
                web::scope("/refunds")
                    .wrap(from_fn(inject))
                    .configure(refunds::routes)
                    .default_service(web::to(not_found)),
            )
            .configure(payment_methods::routes)
            .configure(confirmation_tokens::routes)
            .default_service(web::to(not_found)),
    );
}

async fn not_found(request: HttpRequest) -> HttpResponse {
    let path = request.path().trim_start_matches("/stripe");
    let message = format!("Unrecognized request URL ({}: {path}).", request.method());
    StripeError::invalid(&message)
        .with_status(404)
        .error_response()
}
