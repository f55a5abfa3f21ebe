//! How a payment stands: asked of OnCharge, and believed. A webhook or a shopper's browser only says
//! that it is time to ask.

use oncharge_client::{Error, RefundDetails, RefundFilter, Session, SessionFilter, SessionStatus};

use crate::shop::Shop;

/// The most sessions or refunds that one call lists.
const MAX_LIST: u8 = 100;

/// A payment, as OnCharge says.
#[derive(Clone)]
pub(crate) struct Payment {
    pub(crate) session: Session,
    /// The newest first.
    pub(crate) refunds: Vec<RefundDetails>,
}

/// How the payment of this order stands.
pub(crate) async fn payment(shop: &Shop, number: u64, session_id: &str) -> Result<Payment, Error> {
    let oncharge = shop.oncharge_for(number);
    let session = oncharge.session(session_id).await?;
    // Only captured money can have been refunded.
    if session.status != SessionStatus::Captured {
        let refunds = Vec::new();
        return Ok(Payment { session, refunds });
    }
    let filter = RefundFilter {
        limit: Some(MAX_LIST),
        session_id: Some(session_id.to_owned()),
        ..RefundFilter::default()
    };
    let refunds = oncharge.list_refunds(&filter).await?.data;
    Ok(Payment { session, refunds })
}

/// The shop's newest sessions, for a list of orders.
pub(crate) async fn newest(shop: &Shop) -> Result<Vec<Session>, Error> {
    let filter = SessionFilter {
        limit: Some(MAX_LIST),
        ..SessionFilter::default()
    };
    Ok(shop.oncharge.list_sessions(&filter).await?.data)
}
