//! The pages: the goods, one order, all orders.

use std::collections::BTreeMap;

use actix_web::{HttpRequest, HttpResponse, web};
use askama::Template;
use oncharge_client::SessionStatus as Status;
use serde::Serialize;

use super::{
    Shop,
    catalogue::Cart,
    dollars::Dollars,
    fault::Fault,
    moment::Moment,
    order::Order,
    parts::Parts,
    payments,
    tone::{Tone, tone_of},
    view::{self, Look},
};

/// How many orders the list shows.
const LISTED: usize = 100;

#[derive(Template)]
#[template(path = "shop/goods.html")]
struct Goods<'a> {
    page: &'a str,
    cart: Cart,
}

#[derive(Template)]
#[template(path = "shop/order.html")]
struct OrderPage<'a> {
    page: &'a str,
    api: &'a str,
    order: &'a Order,
    /// The checkout's address while the shopper can pay.
    iframe_url: Option<&'a str>,
    parts: Parts,
}

#[derive(Template)]
#[template(path = "shop/orders.html")]
struct Orders<'a> {
    page: &'a str,
    rows: Vec<Row>,
    trouble: Option<String>,
}

/// An order in the list.
struct Row {
    number: u64,
    goods: String,
    total: Dollars,
    placed_at: Moment,
    status: &'static str,
    tone: Tone,
}

/// What the order's page asks for every second.
#[derive(Serialize)]
struct State<'a> {
    number: u64,
    /// As OnCharge said last; null where it cannot be asked.
    status: Option<&'static str>,
    /// Whether the checkout is to be shown.
    payable: bool,
    /// The parts of the page that change, by their element's id.
    parts: &'a Parts,
}

/// `GET /`
pub(super) async fn goods(query: web::Query<Vec<(String, String)>>) -> Result<HttpResponse, Fault> {
    html(&Goods {
        page: "goods",
        cart: Cart::from_pairs(&query),
    })
}

/// `GET /orders/{number}`. The query that the checkout adds to the return URL is a hint that
/// anybody could write: it is not read.
pub(super) async fn order(
    shop: web::Data<Shop>,
    number: web::Path<u64>,
) -> Result<HttpResponse, Fault> {
    let view = view::of(&shop, *number, Look::Now).await?;
    let checkout = view.order.checkout.as_ref().filter(|_| view.is_payable());
    html(&OrderPage {
        page: "orders",
        api: &shop.api,
        order: &view.order,
        iframe_url: checkout.map(|checkout| checkout.iframe_url.as_str()),
        parts: Parts::of(&view)?,
    })
}

/// `GET /orders/{number}/state`, and with `?now` where the page has reason to think that something
/// has just happened.
pub(super) async fn state(
    shop: web::Data<Shop>,
    number: web::Path<u64>,
    request: HttpRequest,
) -> Result<HttpResponse, Fault> {
    let look = match request.query_string() {
        "now" => Look::Now,
        _ => Look::Recent,
    };
    let view = view::of(&shop, *number, look).await?;
    let parts = Parts::of(&view)?;
    Ok(HttpResponse::Ok().json(State {
        number: *number,
        status: view
            .payment
            .as_ref()
            .map(|payment| payment.session.status.as_str()),
        payable: view.is_payable(),
        parts: &parts,
    }))
}

/// `GET /orders`
pub(super) async fn orders(shop: web::Data<Shop>) -> Result<HttpResponse, Fault> {
    let orders = shop.book.newest(LISTED);
    let (statuses, trouble) = match payments::newest_sessions(&shop).await {
        Ok(sessions) => {
            let pairs = sessions
                .into_iter()
                .map(|session| (session.session_id, session.status));
            (pairs.collect(), None)
        }
        Err(error) => {
            let trouble = format!("OnCharge cannot be asked ({error}): this was seen last.");
            (BTreeMap::new(), Some(trouble))
        }
    };
    let rows = orders.iter().map(|order| row(order, &statuses)).collect();
    html(&Orders {
        page: "orders",
        rows,
        trouble,
    })
}

fn row(order: &Order, statuses: &BTreeMap<String, Status>) -> Row {
    let now = order
        .checkout
        .as_ref()
        .and_then(|checkout| statuses.get(&checkout.session_id));
    let status = now
        .copied()
        .or_else(|| order.sightings.last().map(|seen| seen.status));
    let goods = order
        .lines
        .iter()
        .map(|line| format!("{} × {}", line.quantity, line.name));
    Row {
        number: order.number,
        goods: goods.collect::<Vec<_>>().join(", "),
        total: order.total,
        placed_at: order.placed_at,
        status: status.map_or("no payment yet", Status::as_str),
        tone: status.map_or(Tone::Plain, tone_of),
    }
}

fn html(page: &impl Template) -> Result<HttpResponse, Fault> {
    Ok(HttpResponse::Ok()
        .content_type("text/html; charset=utf-8")
        .body(page.render()?))
}
