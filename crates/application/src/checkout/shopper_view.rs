//! A shopper looks at a session: the page, and how far the payment is.

use std::sync::Arc;

use oncharge_domain::{
    id::SessionId,
    merchant::Merchant,
    session::{NextAction, Session, StatusName},
    time::Timestamp,
};
use oncharge_ports::Psp;

use crate::{App, Error};

/// All that the checkout page shows.
pub struct CheckoutView {
    /// The session.
    pub session: Session,
    /// Its merchant.
    pub merchant: Arc<Merchant>,
    /// The PSP whose fields take the card.
    pub psp: Arc<dyn Psp>,
    /// When it was looked at.
    pub now: Timestamp,
}

/// What every call of the shopper is answered with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShopperState {
    /// The session's status, as it is read now.
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

    /// As [`ShopperState::of`]; but a disabled merchant takes no new payment, so that a session that
    /// could be paid looks refused for good. What has begun goes on.
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
    /// What the shopper can do.
    pub fn state(&self) -> ShopperState {
        ShopperState::for_merchant(&self.session, &self.merchant, self.now)
    }
}

/// All that the checkout page shows, for the bearer of the session's pay token.
///
/// Errors: `BadPayToken` (also for a session that does not exist), `Busy`.
pub async fn load(app: &App, id: &str, pay_token: &str) -> Result<CheckoutView, Error> {
    let session = session(app, id, pay_token).await?;
    let merchant = app.merchant(session.merchant).await?;
    let psp = app.psp(&session.account).ok_or(Error::PspUnavailable)?;
    Ok(CheckoutView {
        session,
        merchant,
        psp,
        now: app.now(),
    })
}

/// How far the payment is, for the bearer of the session's pay token.
///
/// Errors as of [`load`].
pub async fn status(app: &App, id: &str, pay_token: &str) -> Result<ShopperState, Error> {
    let session = session(app, id, pay_token).await?;
    let merchant = app.merchant(session.merchant).await?;
    Ok(ShopperState::for_merchant(&session, &merchant, app.now()))
}

/// The session's id, if the pay token is good for it; asks no store.
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
    let session = app.inner().checkout.session(id).await?;
    let session = session.ok_or(Error::BadPayToken)?;
    // For the caller's log line, if its span has such a field.
    tracing::Span::current().record("merchant", tracing::field::display(session.merchant));
    Ok(session)
}
