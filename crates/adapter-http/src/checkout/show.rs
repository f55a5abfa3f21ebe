//! `GET /checkout/{id}?token=pt_…`: the checkout page.

use actix_web::{
    HttpRequest, HttpResponse, HttpResponseBuilder,
    http::{
        StatusCode,
        header::{ACCEPT_LANGUAGE, HeaderValue, RETRY_AFTER},
    },
    web,
};
use oncharge_application::{
    Error,
    checkout::shopper_view::{self, CheckoutView},
};
use url::{Url, form_urlencoded};

use super::{
    page::{
        ErrorKind, ErrorModel, PageError, PageModel, RenderedPage, ShopperState, render,
        render_error,
    },
    security_headers::frame_ancestors,
    shopper::is_bad_token,
};
use crate::{Api, gate, problem::Problem, request_log::request_id};

/// Renders the page, or an error page, which must not be framed.
pub(crate) async fn show(
    api: web::Data<Api>,
    request: HttpRequest,
    id: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    let token = form_urlencoded::parse(request.query_string().as_bytes())
        .find_map(|(name, value)| (name == "token").then(|| value.into_owned()))
        .unwrap_or_default();
    let page = match shopper_view::load(api.app(), &id, &token).await {
        Ok(view) => checkout_page(&api, &request, &view, &token).map_err(Problem::from),
        Err(error) => Err(Problem::from(error)),
    };
    match page {
        Ok(page) => Ok(respond(StatusCode::OK, page)),
        Err(problem) => error_page(&api, &request, problem),
    }
}

fn checkout_page(
    api: &Api,
    request: &HttpRequest,
    view: &CheckoutView,
    token: &str,
) -> Result<RenderedPage, PageError> {
    let CheckoutView {
        session,
        merchant,
        connector,
        now,
    } = view;
    let language = accept_language(request);
    let fields_url = Url::parse(&connector.fields_url()).map_err(|_| PageError::FieldsUrl)?;
    let remaining = session.expires_at.since(*now).whole_seconds();
    render(&PageModel {
        session_id: &session.id.to_string(),
        pay_token: token,
        merchant_name: merchant.name.as_str(),
        branding: &merchant.branding,
        reference: session.reference.as_str(),
        amount: session.amount,
        state: &ShopperState::from(view.state()),
        expires_in_seconds: u64::try_from(remaining).unwrap_or(0),
        return_url: session.return_url.as_str(),
        processor_name: &capitalize(session.account.connector()),
        is_test: !connector.is_live(),
        fields_url: &fields_url,
        frame_ancestors: &frame_ancestors(&merchant.origins, session.return_url.as_str()),
        accept_language: language.as_deref(),
        behind_tls: api.settings().behind_tls,
    })
}

/// `stripe` as shown to shoppers: `Stripe`.
fn capitalize(name: &str) -> String {
    let mut letters = name.chars();
    letters.next().map_or_else(String::new, |first| {
        first.to_uppercase().chain(letters).collect()
    })
}

fn error_page(api: &Api, request: &HttpRequest, problem: Problem) -> Result<HttpResponse, Problem> {
    let problem = gate::count_auth_failure(api, request, problem);
    problem.log();
    let kind = match &problem {
        Problem::RateLimited(_) | Problem::UseCase(Error::Busy(_)) => ErrorKind::Busy,
        problem if is_bad_token(problem) => ErrorKind::InvalidLink,
        _ => ErrorKind::Internal,
    };
    let page = render_error(&ErrorModel {
        kind,
        request_id: Some(&request_id(request)),
        accept_language: accept_language(request).as_deref(),
        behind_tls: api.settings().behind_tls,
    })?;
    let mut response = respond(problem.status(), page);
    if let Some(seconds) = problem.retry_after() {
        response
            .headers_mut()
            .insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    Ok(response)
}

fn accept_language(request: &HttpRequest) -> Option<String> {
    let value = request.headers().get(ACCEPT_LANGUAGE)?;
    value.to_str().ok().map(str::to_owned)
}

fn respond(status: StatusCode, page: RenderedPage) -> HttpResponse {
    let mut response = HttpResponseBuilder::new(status);
    for header in page.headers {
        response.insert_header(header);
    }
    response.body(page.html)
}
