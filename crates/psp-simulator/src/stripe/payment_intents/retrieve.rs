//! `GET /v1/payment_intents/{id}` and the list.

use actix_web::{HttpRequest, HttpResponse, web};
use serde_json::Value;

use crate::app::Simulator;
use crate::store::StoreError;
use crate::store::stripe::payment_intents::{self, Filter};
use crate::stripe::account::Access;
use crate::stripe::call::{access, read_query};
use crate::stripe::error::StripeError;
use crate::stripe::form::Form;
use crate::stripe::objects::{self, Expand};
use crate::stripe::paging::Page;
use crate::stripe::view::IntentView;

/// One intent. The publishable key gets it with its client secret, without its metadata.
pub(super) async fn retrieve(
    request: HttpRequest,
    id: web::Path<String>,
    simulator: web::Data<Simulator>,
) -> Result<HttpResponse, StripeError> {
    let mut form = Form::parse(request.query_string().as_bytes());
    let client_secret = form.take("client_secret");
    let expand = Expand::read(&mut form, "")?;
    form.finish()?;
    let id = id.into_inner();
    let view = load(&simulator, &id).await?.filter(|view| {
        let matches = client_secret.as_deref() == Some(&view.intent.client_secret);
        matches || access(&request) == Access::Secret && client_secret.is_none()
    });
    let missing = || StripeError::missing("payment_intent", &id, "intent");
    let view = view.ok_or_else(missing)?;
    let mut object = render(&simulator, &view, expand)?;
    if access(&request) == Access::Publishable
        && let Some(members) = object.as_object_mut()
    {
        members.remove("metadata");
        members.remove("latest_charge");
    }
    Ok(HttpResponse::Ok().json(object))
}

async fn load(simulator: &Simulator, id: &str) -> Result<Option<IntentView>, StoreError> {
    let id = id.to_owned();
    simulator
        .store
        .read(move |connection| {
            payment_intents::find(connection, &id)?
                .map(|intent| IntentView::load(connection, intent))
                .transpose()
        })
        .await
}

fn render(simulator: &Simulator, view: &IntentView, expand: Expand) -> Result<Value, StoreError> {
    let account = simulator.stripe.as_ref().ok_or(StoreError::Unavailable)?;
    Ok(objects::payment_intent(account, view, expand))
}

/// The intents, newest first.
pub(super) async fn list(
    request: HttpRequest,
    simulator: web::Data<Simulator>,
) -> Result<HttpResponse, StripeError> {
    let mut form = read_query(&request)?;
    let page = Page::read(&mut form)?;
    let expand = Expand::read(&mut form, "data.")?;
    form.finish()?;
    if let Some(id) = &page.starting_after
        && load(&simulator, id).await?.is_none()
    {
        return Err(StripeError::unknown("payment_intent", id, "starting_after"));
    }
    let filter = Filter {
        starting_after: page.starting_after.clone(),
        from: page.from,
        until: page.until,
        limit: page.limit + 1,
    };
    let mut views: Vec<IntentView> = simulator
        .store
        .read(move |connection| {
            payment_intents::list(connection, &filter)?
                .into_iter()
                .map(|intent| IntentView::load(connection, intent))
                .collect()
        })
        .await?;
    let has_more = page.cut(&mut views);
    let data = views
        .iter()
        .map(|view| render(&simulator, view, expand))
        .collect::<Result<Vec<Value>, StoreError>>()?;
    let list = objects::list("/v1/payment_intents", &data, has_more);
    Ok(HttpResponse::Ok().json(list))
}
