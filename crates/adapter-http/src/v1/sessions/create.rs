//! `POST /v1/checkout/sessions`

use actix_web::{HttpResponse, web};
use oncharge_application::checkout::create::{self, CaptureMode, NewCheckout};
use oncharge_domain::{
    currency::Currency,
    text::{Contact, Email, Metadata, OrderId, Phone, Reference, ReturnUrl},
};

use crate::{
    Api,
    error_responses::{CreateErrors, PostErrors},
    gate::post::Post,
    problem::Problem,
    render::{self, session::CreatedSessionBody},
    request_body::{NonEmpty, request_body, values::MinorUnits},
};

request_body! {
    /// A new checkout session. Unknown members are ignored and listed in `Oncharge-Warning`; null
    /// counts as absent.
    pub(crate) struct NewSession {
        /// Minor units as in ISO 4217.
        #[schema(value_type = i64, minimum = 1, maximum = 99_999_999_999_i64, example = 9999)]
        amount: MinorUnits,
        /// ISO 4217, a code in use.
        #[schema(schema_with = crate::schema::currencies)]
        currency: Currency,
        /// Your own reference; need not be unique. No control characters.
        #[schema(schema_with = crate::schema::reference)]
        reference: Reference,
        /// Where the shopper is sent afterwards: absolute `https` URL without user info and fragment
        /// (`http` for loopback hosts in the sandbox).
        #[schema(
            value_type = String,
            max_length = 2048,
            format = "uri",
            pattern = "^https?://",
            example = "https://shop.example.com/thank-you"
        )]
        return_url: ReturnUrl,
        /// Your own order number. An empty string counts as absent.
        #[schema(value_type = Option<String>, max_length = 255, nullable, example = "42")]
        order_id: NonEmpty<OrderId>,
        /// The shopper's e-mail address. An empty string counts as absent.
        #[schema(
            value_type = Option<String>,
            max_length = 254,
            format = Email,
            nullable,
            example = "shopper@example.com"
        )]
        customer_email: NonEmpty<Email>,
        /// The shopper's phone number in E.164 form. An empty string counts as absent.
        #[schema(
            value_type = Option<String>,
            pattern = r"^\+[1-9][0-9]{4,14}$",
            nullable,
            example = "+15551234567"
        )]
        customer_phone: NonEmpty<Phone>,
        /// Your own pairs: at most 50, keys up to 40, values up to 500 characters.
        #[schema(schema_with = crate::schema::metadata)]
        metadata: Option<Metadata>,
        /// Whether payments are captured automatically or at your request; default: your account's
        /// setting.
        #[schema(value_type = Option<crate::schema::CaptureMode>)]
        capture: Option<CaptureMode>,
    }
}

impl TryFrom<NewSession> for NewCheckout {
    type Error = Problem;

    fn try_from(new: NewSession) -> Result<Self, Problem> {
        Ok(Self {
            amount: new.amount.of(new.currency)?,
            reference: new.reference,
            order_id: new.order_id.0,
            return_url: new.return_url,
            metadata: new.metadata.unwrap_or_default(),
            contact: Contact {
                email: new.customer_email.0,
                phone: new.customer_phone.0,
            },
            capture: new.capture,
        })
    }
}

/// Create a checkout session
///
/// The response contains the relative URL of the hosted checkout and the shopper's pay token.
#[utoipa::path(
    post,
    path = "/v1/checkout/sessions",
    tag = "Checkout sessions",
    operation_id = "createSession",
    params(crate::schema::IdempotencyHeader),
    request_body = NewSession,
    responses((status = 201, body = CreatedSessionBody<'_>, description = "Created."), PostErrors, CreateErrors),
)]
pub(crate) async fn create(
    api: web::Data<Api>,
    post: Post<NewSession>,
) -> Result<HttpResponse, Problem> {
    let new = NewCheckout::try_from(post.body)?;
    let reply = create::create(api.app(), post.context, new).await?;
    Ok(render::reply(reply))
}
