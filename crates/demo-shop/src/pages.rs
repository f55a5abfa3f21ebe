//! The pages: products, one order, all orders.

use std::collections::BTreeMap;

use actix_web::{HttpRequest, HttpResponse, web};
use askama::Template;
use serde::{Deserialize, Serialize};

use crate::{
    Shop,
    catalog::Cart,
    dollars::Dollars,
    integration::{confirm, session},
    moment::Moment,
    order::Order,
    page_error::PageError,
    parts::Parts,
    status_label::StatusLabel,
    view::{self, Freshness},
};

/// Maximum number of orders in the list.
const MAX_LISTED: usize = 100;
/// The simulator's test cards and their outcomes.
const CARDS: [(&str, &str); 5] = [
    ("4242 4242 4242 4242", "is approved"),
    ("4000 0000 0000 0002", "is declined"),
    ("4000 0000 0000 9995", "has insufficient funds"),
    ("4000 0000 0000 0069", "has expired"),
    ("4000 0025 0000 3155", "requires 3-D Secure"),
];

#[derive(Template)]
#[template(path = "products.html")]
struct Products<'a> {
    page: &'a str,
    cart: Cart,
}

#[derive(Template)]
#[template(path = "order.html")]
struct OrderPage<'a> {
    page: &'a str,
    api: &'a str,
    order: &'a Order,
    /// The checkout's URL while the shopper can pay.
    iframe_url: Option<String>,
    parts: Parts,
}

#[derive(Template)]
#[template(path = "orders.html")]
struct Orders<'a> {
    page: &'a str,
    rows: Vec<Row>,
    error: Option<String>,
}

/// An order in the list.
struct Row {
    number: u64,
    goods: String,
    total: Dollars,
    placed_at: Moment,
    status_label: StatusLabel,
}

/// The response to the order page's polling, once a second.
#[derive(Serialize)]
struct State<'a> {
    number: u64,
    /// The last known status; null if OnCharge cannot be reached.
    status: Option<&'static str>,
    /// Whether a visible checkout should stay.
    payable: bool,
    /// The changing parts of the page, by element id.
    parts: &'a Parts,
}

/// `GET /`
pub(crate) async fn products(
    query: web::Query<Vec<(String, String)>>,
) -> Result<HttpResponse, PageError> {
    html(&Products {
        page: "products",
        cart: Cart::from_pairs(&query),
    })
}

/// `GET /orders/{number}`. The query that the checkout appends to the return URL could be written
/// by anyone: it is not read.
pub(crate) async fn order(
    shop: web::Data<Shop>,
    number: web::Path<u64>,
) -> Result<HttpResponse, PageError> {
    let mut view = view::load(&shop, *number, Freshness::Now).await?;
    let mut iframe_url = None;
    if view.is_payable() {
        match session::iframe_url(&shop, &view.order).await {
            Ok(address) => iframe_url = address,
            Err(error) => view.unreachable = Some(view::error_text(&error)),
        }
    }
    html(&OrderPage {
        page: "orders",
        api: &shop.api,
        order: &view.order,
        iframe_url,
        parts: Parts::render(&shop, &view)?,
    })
}

/// `GET /orders/{number}/state`, with `?now` if the page expects a recent change.
pub(crate) async fn state(
    shop: web::Data<Shop>,
    number: web::Path<u64>,
    request: HttpRequest,
) -> Result<HttpResponse, PageError> {
    let freshness = match request.query_string() {
        "now" => Freshness::Now,
        _ => Freshness::Recent,
    };
    let view = view::load(&shop, *number, freshness).await?;
    let parts = Parts::render(&shop, &view)?;
    Ok(HttpResponse::Ok().json(State {
        number: *number,
        status: view
            .payment
            .as_ref()
            .map(|payment| payment.session.status.as_str()),
        payable: view.may_be_payable(),
        parts: &parts,
    }))
}

/// `GET /orders`
pub(crate) async fn orders(shop: web::Data<Shop>) -> Result<HttpResponse, PageError> {
    let orders = shop.order_store.newest(MAX_LISTED);
    let (status_labels, error) = match confirm::newest(&shop).await {
        Ok(sessions) => {
            let sessions = sessions.iter();
            let pairs =
                sessions.map(|session| (session.session_id.clone(), StatusLabel::of(session)));
            (pairs.collect(), None)
        }
        Err(error) => {
            let error =
                format!("OnCharge is unreachable ({error}). The last known status is shown.");
            (BTreeMap::new(), Some(error))
        }
    };
    let rows = orders
        .iter()
        .map(|order| row(order, &status_labels))
        .collect();
    html(&Orders {
        page: "orders",
        rows,
        error,
    })
}

/// The query of [`received`].
#[derive(Deserialize)]
pub(crate) struct ReceivedQuery {
    session_id: String,
}

/// `GET /webhooks/received?session_id=…`: the verified events of a session by sequence number, as
/// JSON.
pub(crate) async fn received(
    shop: web::Data<Shop>,
    query: web::Query<ReceivedQuery>,
) -> HttpResponse {
    HttpResponse::Ok().json(shop.inbox.of_session(&query.session_id))
}

fn row(order: &Order, status_labels: &BTreeMap<String, StatusLabel>) -> Row {
    let checkout = order.checkout.as_ref();
    let status_label = checkout.and_then(|checkout| status_labels.get(&checkout.session_id));
    let goods = order
        .lines
        .iter()
        .map(|line| format!("{} × {}", line.quantity, line.name));
    Row {
        number: order.number,
        goods: goods.collect::<Vec<_>>().join(", "),
        total: order.total,
        placed_at: order.placed_at,
        status_label: status_label
            .copied()
            .unwrap_or_else(|| order.last_known_status_label()),
    }
}

fn html(page: &impl Template) -> Result<HttpResponse, PageError> {
    Ok(HttpResponse::Ok()
        .content_type("text/html; charset=utf-8")
        .body(page.render()?))
}
