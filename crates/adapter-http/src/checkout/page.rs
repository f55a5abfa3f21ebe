//! Renders the hosted checkout and its error page: pure functions from plain values to HTML and
//! headers.

pub mod assets;
mod branding;
mod data;

use askama::Template;
use oncharge_domain::{branding::Branding, money::Money};
use url::Url;

use self::branding::AccentStyle;
use super::messages::{LanguagePreference, Messages};
use super::security_headers::{Sources, content_security_policy, page_headers};
pub use crate::render::shopper_state::ShopperState;

/// The data of one checkout page. Contains the pay token: no `Debug`, never logged.
#[derive(Clone, Copy)]
pub struct PageModel<'a> {
    /// The session id, `cs_…`.
    pub session_id: &'a str,
    /// The shopper's pay token, `pt_…`, for the calls of the page's script.
    pub pay_token: &'a str,
    /// The merchant's name as shown to shoppers.
    pub merchant_name: &'a str,
    /// The merchant's accent colors and logo.
    pub branding: &'a Branding,
    /// The merchant's reference of the order.
    pub reference: &'a str,
    /// The amount to pay.
    pub amount: Money,
    /// The current state of the payment, as `GET /checkout/{id}/status` returns it.
    pub state: &'a ShopperState,
    /// Seconds until the session's `expires_at`, 0 once it has passed. A duration and not an
    /// instant, because the shopper's clock may be wrong.
    pub expires_in_seconds: u64,
    /// Where the shopper is sent in the end.
    pub return_url: &'a str,
    /// The name of the payment processor, as shown to the shopper.
    pub processor_name: &'a str,
    /// Test mode: no real money moves, and the page says so.
    pub is_test: bool,
    /// URL of the PSP's card fields, without a query: the page's script adds `session`,
    /// `parent_origin` (its own) and `lang`. Frames are allowed from its origin only.
    pub fields_url: &'a Url,
    /// The origins that may frame the page, from
    /// [`frame_ancestors`](super::security_headers::frame_ancestors).
    pub frame_ancestors: &'a [String],
    /// The request's `Accept-Language`.
    pub accept_language: Option<&'a str>,
    /// The shopper reaches the server by `https`.
    pub behind_tls: bool,
}

/// Why no checkout can be shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorKind {
    /// The token is missing, invalid, expired or for another session, or the session does not
    /// exist.
    InvalidLink,
    /// Too many requests from this address.
    Busy,
    /// An internal error.
    Internal,
}

impl ErrorKind {
    /// Message keys of the heading and the text.
    const fn message_keys(self) -> (&'static str, &'static str) {
        match self {
            Self::InvalidLink => ("error.link.heading", "error.link.text"),
            Self::Busy => ("error.busy.heading", "error.busy.text"),
            Self::Internal => ("error.broken.heading", "error.broken.text"),
        }
    }
}

/// The data of the plain error page, which must not be framed.
#[derive(Debug, Clone, Copy)]
pub struct ErrorModel<'a> {
    /// The kind of the error.
    pub kind: ErrorKind,
    /// The request id, for a shopper who contacts support.
    pub request_id: Option<&'a str>,
    /// The request's `Accept-Language`.
    pub accept_language: Option<&'a str>,
    /// The shopper reaches the server by `https`.
    pub behind_tls: bool,
}

/// A rendered page; the handler chooses the status. May contain a pay token: no `Debug`.
pub struct RenderedPage {
    /// The body, UTF-8.
    pub html: String,
    /// All response headers, including `Content-Type`; each name once.
    pub headers: Vec<(&'static str, String)>,
}

/// Why a page could not be rendered.
#[derive(Debug, thiserror::Error)]
pub enum PageError {
    /// The URL of the PSP's fields has no web origin: a configuration error.
    #[error("the URL of the PSP's card fields has no web origin")]
    FieldsUrl,
    /// The data for the page's script could not be serialized as JSON.
    #[error("cannot serialize the page's data")]
    Data(#[from] serde_json::Error),
    /// The template could not be rendered.
    #[error("cannot render the page")]
    Template(#[from] askama::Error),
}

/// The messages of one page, with known values filled in.
struct PageMessages<'a> {
    messages: &'static Messages,
    merchant: &'a str,
    reference: &'a str,
    processor: &'a str,
}

impl PageMessages<'_> {
    fn get(&self, key: &str) -> String {
        self.messages.fill(
            key,
            &[
                ("merchant", self.merchant),
                ("reference", self.reference),
                ("processor", self.processor),
            ],
        )
    }
}

#[derive(Template)]
#[template(path = "checkout.html")]
struct CheckoutTemplate<'a> {
    language: &'static str,
    messages: PageMessages<'a>,
    merchant: &'a str,
    locale: &'a str,
    currency: &'a str,
    amount: &'a str,
    decimals: u32,
    is_test: bool,
    logo: Option<String>,
    style: &'static str,
    accent_style: Option<&'a AccentStyle>,
    amount_script: &'static str,
    script: &'static str,
    data: &'a str,
}

#[derive(Template)]
#[template(path = "checkout_error.html")]
struct ErrorTemplate<'a> {
    language: &'static str,
    heading: &'a str,
    text: &'a str,
    request_label: &'a str,
    request_id: Option<&'a str>,
    style: &'static str,
}

/// Renders the checkout page of one session.
pub fn render(model: &PageModel<'_>) -> Result<RenderedPage, PageError> {
    let origin = model.fields_url.origin();
    if !origin.is_tuple() {
        return Err(PageError::FieldsUrl);
    }
    let psp_origin = origin.ascii_serialization();
    let preference = LanguagePreference::negotiate(model.accept_language);
    let data = data::block(model, preference.language, &psp_origin)?;
    let accent_style = branding::accent_style(model.branding);
    let html = CheckoutTemplate {
        language: preference.language.code(),
        messages: PageMessages {
            messages: preference.language.messages(),
            merchant: model.merchant_name,
            reference: model.reference,
            processor: model.processor_name,
        },
        merchant: model.merchant_name,
        locale: &preference.locale,
        currency: model.amount.currency().code(),
        amount: &model.amount.decimal_text(),
        decimals: model.amount.currency().exponent(),
        is_test: model.is_test,
        logo: model.branding.logo.as_ref().map(branding::data_url),
        style: assets::STYLE,
        accent_style: accent_style.as_ref(),
        amount_script: assets::AMOUNT_SCRIPT,
        script: assets::SCRIPT,
        data: &data,
    }
    .render()?;
    let styles = std::iter::once(assets::style_digest());
    let styles: Vec<&str> = styles
        .chain(
            accent_style
                .as_ref()
                .map(|accent_style| accent_style.digest.as_str()),
        )
        .collect();
    let policy = content_security_policy(&Sources {
        script_digests: &assets::script_digests(),
        style_digests: &styles,
        connects: true,
        frames: &[psp_origin],
        frame_ancestors: model.frame_ancestors,
    });
    Ok(RenderedPage {
        html,
        headers: page_headers(policy, model.behind_tls),
    })
}

/// Renders the plain page for a browser without a valid token, or after an error.
pub fn render_error(model: &ErrorModel<'_>) -> Result<RenderedPage, PageError> {
    let language = LanguagePreference::negotiate(model.accept_language).language;
    let messages = language.messages();
    let (heading, text) = model.kind.message_keys();
    let html = ErrorTemplate {
        language: language.code(),
        heading: messages.get(heading),
        text: messages.get(text),
        request_label: messages.get("broken.request"),
        request_id: model.request_id,
        style: assets::STYLE,
    }
    .render()?;
    let policy = content_security_policy(&Sources {
        style_digests: &[assets::style_digest()],
        ..Sources::default()
    });
    Ok(RenderedPage {
        html,
        headers: page_headers(policy, model.behind_tls),
    })
}

#[cfg(test)]
mod tests;
