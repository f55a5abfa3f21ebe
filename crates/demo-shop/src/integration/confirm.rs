//! Retrieves the authoritative state of a payment from OnCharge. A webhook or a shopper's browser
//! is only a reason to retrieve it.

use oncharge_client::{Error, RefundDetails, RefundFilter, Session, SessionFilter, SessionStatus};

use crate::Shop;

/// Maximum number of sessions or refunds per list call.
const MAX_LIST: u8 = 100;

/// A payment's state as retrieved from OnCharge.
#[derive(Clone)]
pub(crate) struct Payment {
    pub(crate) session: Session,
    /// Newest first.
    pub(crate) refunds: Vec<RefundDetails>,
}

/// Retrieves the payment of this order.
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

/// Retrieves the shop's newest sessions, for the list of orders.
pub(crate) async fn newest(shop: &Shop) -> Result<Vec<Session>, Error> {
    let filter = SessionFilter {
        limit: Some(MAX_LIST),
        ..SessionFilter::default()
    };
    Ok(shop.oncharge.list_sessions(&filter).await?.data)
}
