//! Renders the hosted checkout and its error page: pure functions from plain values to HTML and headers.

pub mod amount;
pub mod assets;
mod branding;
mod data;
pub mod state;

use askama::Template;
use oncharge_domain::merchant::branding::Branding;
use url::Url;

use self::branding::AccentStyle;
use self::state::ShopperState;
use super::messages::{LanguagePreference, Messages};
use super::security_headers::{Sources, content_security_policy, page_headers};

/// Everything that one checkout page shows and knows. It holds the pay token: no `Debug`, never logged.
#[derive(Clone, Copy)]
pub struct PageModel<'a> {
    /// The session, `cs_…`.
    pub session_id: &'a str,
    /// The shopper's token, `pt_…`, for the calls of the page's script.
    pub pay_token: &'a str,
    /// The merchant's name as shoppers know it.
    pub merchant_name: &'a str,
    /// The merchant's accents and logo.
    pub branding: &'a Branding,
    /// The merchant's reference of the order.
    pub reference: &'a str,
    /// What is to be paid, in minor units of the currency.
    pub amount_minor: i64,
    /// ISO 4217, three upper-case letters.
    pub currency: &'a str,
    /// Decimals of that currency: 2 for EUR, 0 for JPY, 3 for KWD.
    pub decimals: u8,
    /// How the payment stands now; the same that `GET /checkout/{id}/status` answers.
    pub state: &'a ShopperState,
    /// Seconds from now to the session's `expires_at`, 0 when that is past. A span and not an instant:
    /// the shopper's clock may be wrong.
    pub expires_in_seconds: u64,
    /// Where the shopper goes in the end.
    pub return_url: &'a str,
    /// Who processes the card, as shown to the shopper.
    pub processor_name: &'a str,
    /// No real money moves. The page says so.
    pub is_test: bool,
    /// The PSP's page of card fields, without the query: the page's script adds `session`,
    /// `parent_origin` (its own) and `lang`. Its origin is the only one that frames may come from.
    pub fields_url: &'a Url,
    /// The origins that may frame the page, from
    /// [`frame_ancestors`](super::security_headers::frame_ancestors).
    pub frame_ancestors: &'a [String],
    /// The request's `Accept-Language`.
    pub accept_language: Option<&'a str>,
    /// The shopper reaches us by `https`.
    pub behind_tls: bool,
}

/// What is wrong when there is no checkout to show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorKind {
    /// The token is missing, wrong, too old or another session's; or there is no such session.
    InvalidLink,
    /// Too many requests from this address.
    Busy,
    /// The fault is ours.
    Internal,
}

impl ErrorKind {
    /// The keys of heading and text.
    const fn message_keys(self) -> (&'static str, &'static str) {
        match self {
            Self::InvalidLink => ("error.link.heading", "error.link.text"),
            Self::Busy => ("error.busy.heading", "error.busy.text"),
            Self::Internal => ("error.broken.heading", "error.broken.text"),
        }
    }
}

/// What the plain error page shows. Nobody may frame it.
#[derive(Debug, Clone, Copy)]
pub struct ErrorModel<'a> {
    /// What is wrong.
    pub kind: ErrorKind,
    /// The request's id, for a shopper who asks for help.
    pub request_id: Option<&'a str>,
    /// The request's `Accept-Language`.
    pub accept_language: Option<&'a str>,
    /// The shopper reaches us by `https`.
    pub behind_tls: bool,
}

/// A page, ready to be sent with whatever status its handler chooses. May hold a pay token: no `Debug`.
pub struct RenderedPage {
    /// The body, UTF-8.
    pub html: String,
    /// All headers of the answer, `Content-Type` among them, each name once.
    pub headers: Vec<(&'static str, String)>,
}

/// Why a page could not be rendered.
#[derive(Debug, thiserror::Error)]
pub enum PageError {
    /// The PSP's fields are not served from a web origin: a fault of the configuration.
    #[error("the PSP's fields have no web origin")]
    FieldsUrl,
    /// The data for the page's script could not be written as JSON.
    #[error("the page's data could not be written")]
    Data(#[from] serde_json::Error),
    /// The template failed.
    #[error("the page's template failed")]
    Template(#[from] askama::Error),
}

/// The messages of one page, with the values that are known here put in.
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
    decimals: u8,
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

/// The checkout page of one session.
pub fn render(model: &PageModel<'_>) -> Result<RenderedPage, PageError> {
    let origin = model.fields_url.origin();
    if !origin.is_tuple() {
        return Err(PageError::FieldsUrl);
    }
    let psp_origin = origin.ascii_serialization();
    let preference = LanguagePreference::negotiate(model.accept_language);
    let amount = amount::decimal_text(model.amount_minor, model.decimals);
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
        currency: model.currency,
        amount: &amount,
        decimals: model.decimals,
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

/// The plain page for a browser that came without a good token, or that we failed.
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
