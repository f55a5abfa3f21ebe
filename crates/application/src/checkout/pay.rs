//! A shopper pays: intent, call, outcome. The heart of the product; read this file first.

use oncharge_domain::{
    psp::TokenFingerprint,
    session::{Input, Session},
};
use oncharge_ports::psp::PaymentMethod;

use super::look::{self, ShopperState};
use crate::{
    App, Error, calling,
    committing::{self, Intent},
    learning::{self, Known, Learned},
    screening,
};

/// Pays with a one-time payment-method token, which is the identity of the try: the same token
/// again answers the present state and starts nothing.
///
/// Errors: `BadPayToken`, `Field` (the token has not the connector's form), `InvalidState` (a try
/// is open, or the session is finished), `Busy`.
pub async fn pay(
    app: &App,
    id: &str,
    pay_token: &str,
    payment_method: String,
) -> Result<ShopperState, Error> {
    let session = look::session(app, id, pay_token).await?;
    let psp = app
        .inner()
        .psps
        .account(&session.account)
        .ok_or(Error::PspUnavailable)?;
    if !psp.is_payment_method(&payment_method) {
        let problem = "must be a token of the card fields";
        return Err(Error::Field {
            field: "payment_method",
            problem,
        });
    }
    let payment_method = PaymentMethod::new(payment_method);
    let app = app.clone();
    app.clone()
        .detached(async move { run(&app, &session, &payment_method).await })
        .await
}

async fn run(
    app: &App,
    session: &Session,
    payment_method: &PaymentMethod,
) -> Result<ShopperState, Error> {
    let token = TokenFingerprint::of(payment_method.expose());
    let banned = screening::is_banned(app, &session.contact).await?;
    let operation = app.new_id();
    let intent = Intent {
        payment_method: Some(payment_method),
        ..Intent::default()
    };
    let decide = |session: &Session, now| {
        session.decide(
            Input::Pay {
                operation,
                token,
                banned,
            },
            now,
        )
    };
    let mut intended = committing::intend(app, session.id, &intent, decide).await?;
    // Nothing to send: the token was tried before, or the shopper is banned.
    let Some((operation, prepared)) = intended.to_send.pop() else {
        return Ok(ShopperState::of(&intended.decision.session, app.now()));
    };
    let word = calling::send(app, &operation, &prepared).await;
    let session = intended.decision.session;
    let unsettled = session.clone();
    let outcome = learning::learn(
        app,
        Learned {
            operation: operation.id,
            word,
            waiting: None,
            lease: None,
            known: Some(Known {
                session,
                operation,
                refund: None,
            }),
        },
    );
    match outcome.await {
        Ok(outcome) => Ok(ShopperState::of(&outcome.session, app.now())),
        Err(error) => {
            tracing::warn!(%error, "an outcome is left to recovery");
            Ok(ShopperState::of(&unsettled, app.now()))
        }
    }
}
