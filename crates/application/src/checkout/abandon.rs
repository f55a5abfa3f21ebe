//! A shopper gives up an open challenge, to use another card.

use oncharge_domain::session::{Input, Session};

use super::look::{self, ShopperState};
use crate::{
    App, Error, calling,
    committing::{self, Intent},
    learning::{self, Known, Learned},
};

/// Cancels the open challenge at the PSP; once that is confirmed another try is allowed.
///
/// Errors: `BadPayToken`, `InvalidState` where no challenge is open, `Busy`.
pub async fn abandon(app: &App, id: &str, pay_token: &str) -> Result<ShopperState, Error> {
    let id = look::admit(app, id, pay_token)?;
    let app = app.clone();
    app.clone()
        .detached(async move { run(&app, id).await })
        .await
}

async fn run(app: &App, id: oncharge_domain::id::SessionId) -> Result<ShopperState, Error> {
    let operation = app.new_id();
    let decide = |session: &Session, now| session.decide(Input::Abandon { operation }, now);
    let mut intended = committing::intend(app, id, &Intent::default(), decide).await?;
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
