//! The shopper's view of a session: the checkout page and the payment's state.

use std::sync::Arc;

use oncharge_domain::{
    id::SessionId,
    merchant::Merchant,
    session::{NextAction, Session, StatusName},
    time::Timestamp,
};
use oncharge_ports::Connector;

use crate::{App, Error};

/// Everything that the checkout page shows.
pub struct CheckoutView {
    /// The session.
    pub session: Session,
    /// Its merchant.
    pub merchant: Arc<Merchant>,
    /// The connector of the PSP whose card fields the page embeds.
    pub connector: Arc<dyn Connector>,
    /// The time of the read.
    pub now: Timestamp,
}

/// The response to every shopper request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShopperState {
    /// The session's status at the time of the read.
    pub status: StatusName,
    /// What the shopper has to do next.
    pub next: NextAction,
}

impl ShopperState {
    pub(crate) fn of(session: &Session, now: Timestamp) -> Self {
        Self {
            status: session.status_at(now),
            next: session.next(now),
        }
    }

    /// As [`ShopperState::of`], except that a disabled merchant takes no new payments: a payable
    /// session is shown as finally refused. Payments in progress continue.
    fn for_merchant(session: &Session, merchant: &Merchant, now: Timestamp) -> Self {
        let state = Self::of(session, now);
        let can_pay =
            state.status == StatusName::Created || matches!(state.next, NextAction::Retry { .. });
        if merchant.disabled_at.is_some() && can_pay {
            return Self {
                status: StatusName::Refused,
                next: NextAction::None,
            };
        }
        state
    }
}

impl CheckoutView {
    /// The state to show to the shopper.
    pub fn state(&self) -> ShopperState {
        ShopperState::for_merchant(&self.session, &self.merchant, self.now)
    }
}

/// Loads the checkout page's data for the bearer of the session's pay token.
///
/// Errors: `BadPayToken` (also for a session that does not exist), `Busy`.
pub async fn load(app: &App, id: &str, pay_token: &str) -> Result<CheckoutView, Error> {
    let session = session(app, id, pay_token).await?;
    let merchant = app.merchant(session.merchant).await?;
    let connector = app
        .connector(&session.account)
        .ok_or(Error::PspUnavailable)?;
    Ok(CheckoutView {
        session,
        merchant,
        connector,
        now: app.now(),
    })
}

/// The payment's state, for the bearer of the session's pay token.
///
/// Errors as of [`load`].
pub async fn status(app: &App, id: &str, pay_token: &str) -> Result<ShopperState, Error> {
    let session = session(app, id, pay_token).await?;
    let merchant = app.merchant(session.merchant).await?;
    Ok(ShopperState::for_merchant(&session, &merchant, app.now()))
}

/// The session's id if the pay token is valid for it, without a store access.
///
/// Errors: `BadPayToken`.
pub fn verify_pay_token(app: &App, id: &str, pay_token: &str) -> Result<SessionId, Error> {
    let id = id.parse().map_err(|_| Error::BadPayToken)?;
    let good = app.inner().pay_tokens.verify(id, pay_token, app.now());
    if good {
        Ok(id)
    } else {
        Err(Error::BadPayToken)
    }
}

pub(crate) async fn session(app: &App, id: &str, pay_token: &str) -> Result<Session, Error> {
    let id = verify_pay_token(app, id, pay_token)?;
    let session = app.inner().store.checkout.session(id).await?;
    let session = session.ok_or(Error::BadPayToken)?;
    // For the caller's log line, if its span has such a field.
    tracing::Span::current().record("merchant", tracing::field::display(session.merchant));
    Ok(session)
}
