//! The shop's calls of OnCharge: all that a merchant's back end needs.
//!
//! The client signs them. Each is noted for the page that shows what the shop's server did.

use oncharge_client::{
    Error, IdempotencyKey, NewRefund, NewSession, RefundDetails, RefundFilter, Session,
    SessionFilter, SessionStatus,
};

use super::{
    Shop,
    dollars::{CURRENCY, Dollars},
    moment::Moment,
    order::{Call, Checkout, Order},
};

/// The most sessions or refunds that one call lists.
const LONGEST_LIST: u8 = 100;
/// Where sessions live.
const SESSIONS: &str = "/v1/checkout/sessions";
/// Where refunds live.
const REFUNDS: &str = "/v1/refunds";

/// How an order's payment stands, as OnCharge says.
#[derive(Clone)]
pub(super) struct Payment {
    pub(super) session: Session,
    /// The newest first.
    pub(super) refunds: Vec<RefundDetails>,
}

/// Makes a checkout session for an order.
pub(super) async fn create_session(
    shop: &Shop,
    order: &Order,
    key: &IdempotencyKey,
) -> Result<Checkout, Error> {
    let number = order.number.to_string();
    let return_url = format!("{}/orders/{number}", shop.origin);
    let mut new = NewSession::new(order.total.minor(), CURRENCY, &number, &return_url);
    new.order_id = Some(number);
    new.customer_email = Some(order.email.clone()).filter(|email| !email.is_empty());
    new.customer_phone = Some(order.phone.clone()).filter(|phone| !phone.is_empty());
    let answer = shop.oncharge.create_session(&new, Some(key)).await;
    note(
        shop,
        order,
        ("POST", SESSIONS.to_owned(), Some(key)),
        status_of(&answer, |_| 201),
    );
    let created = answer?;
    Ok(Checkout {
        session_id: created.session_id,
        iframe_url: created.iframe_url,
        origin: shop.origin.clone(),
    })
}

/// How the order's payment stands.
pub(super) async fn look(shop: &Shop, order: &Order, session_id: &str) -> Result<Payment, Error> {
    let answer = shop.oncharge.session(session_id).await;
    let path = format!("{SESSIONS}/{session_id}");
    note(
        shop,
        order,
        ("GET", path, None),
        status_of(&answer, |_| 200),
    );
    let session = answer?;
    // Only captured money can have been refunded.
    if session.status != SessionStatus::Captured {
        return Ok(Payment {
            session,
            refunds: Vec::new(),
        });
    }
    let filter = RefundFilter {
        limit: Some(LONGEST_LIST),
        session_id: Some(session_id.to_owned()),
        ..RefundFilter::default()
    };
    let answer = shop.oncharge.list_refunds(&filter).await;
    let path = format!("{REFUNDS}?session_id={session_id}");
    note(
        shop,
        order,
        ("GET", path, None),
        status_of(&answer, |_| 200),
    );
    Ok(Payment {
        session,
        refunds: answer?.data,
    })
}

/// The newest sessions of the shop, whatever order they belong to.
pub(super) async fn newest_sessions(shop: &Shop) -> Result<Vec<Session>, Error> {
    let filter = SessionFilter {
        limit: Some(LONGEST_LIST),
        ..SessionFilter::default()
    };
    Ok(shop.oncharge.list_sessions(&filter).await?.data)
}

/// Takes all of the money that is held.
pub(super) async fn capture(
    shop: &Shop,
    order: &Order,
    session_id: &str,
    key: &IdempotencyKey,
) -> Result<(), Error> {
    let answer = shop.oncharge.capture(session_id, None, Some(key)).await;
    let path = format!("{SESSIONS}/{session_id}/capture");
    note(
        shop,
        order,
        ("POST", path, Some(key)),
        status_of(&answer, done_or_accepted),
    );
    answer.map(drop)
}

/// Lets go of the money that is held.
pub(super) async fn cancel(
    shop: &Shop,
    order: &Order,
    session_id: &str,
    key: &IdempotencyKey,
) -> Result<(), Error> {
    let answer = shop.oncharge.cancel(session_id, Some(key)).await;
    let path = format!("{SESSIONS}/{session_id}/cancel");
    note(
        shop,
        order,
        ("POST", path, Some(key)),
        status_of(&answer, done_or_accepted),
    );
    answer.map(drop)
}

/// Gives back a part of the money, or all of it.
pub(super) async fn refund(
    shop: &Shop,
    order: &Order,
    (session_id, amount): (&str, Dollars),
    key: &IdempotencyKey,
) -> Result<(), Error> {
    // A repeated request must be the same to the byte: all of it comes from order and act.
    let reference = format!("{}-refund-{}", order.number, order.turn);
    let new = NewRefund {
        session_id: session_id.to_owned(),
        amount: amount.minor(),
        currency: CURRENCY.to_owned(),
        reference,
    };
    let answer = shop.oncharge.refund(&new, Some(key)).await;
    note(
        shop,
        order,
        ("POST", REFUNDS.to_owned(), Some(key)),
        status_of(&answer, |_| 201),
    );
    answer.map(drop)
}

/// 202 where the outcome is still to come.
fn done_or_accepted(session: &Session) -> u16 {
    if session.pending_operation.is_some() {
        202
    } else {
        200
    }
}

fn status_of<T>(answer: &Result<T, Error>, good: impl FnOnce(&T) -> u16) -> Option<u16> {
    match answer {
        Ok(body) => Some(good(body)),
        Err(Error::Api { status, .. } | Error::UnexpectedAnswer { status, .. }) => Some(*status),
        Err(_) => None,
    }
}

fn note(
    shop: &Shop,
    order: &Order,
    (method, path, key): (&str, String, Option<&IdempotencyKey>),
    status: Option<u16>,
) {
    let call = Call {
        method: method.to_owned(),
        path,
        idempotency_key: key.map(ToString::to_string),
        status,
        at: Moment::now(),
        times: 1,
    };
    shop.book.note(order.number, |order| order.note_call(call));
}
