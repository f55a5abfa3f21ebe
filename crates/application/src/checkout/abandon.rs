//! Abandons an open challenge, so that the shopper can use another card.

use oncharge_domain::session::Input;

use super::shopper_view::{self, ShopperState};
use crate::{
    App, Error,
    commit::{self, ChangeContext},
    execute::execute,
};

/// Cancels the open challenge at the PSP; another attempt is allowed once that is confirmed.
///
/// Errors: `BadPayToken`, `InvalidState` if no challenge is open, `Busy`.
pub async fn abandon(app: &App, id: &str, pay_token: &str) -> Result<ShopperState, Error> {
    let id = shopper_view::session(app, id, pay_token).await?.id;
    let app = app.clone();
    app.clone()
        .spawn_detached(async move { run(&app, id).await })
        .await
}

async fn run(app: &App, id: oncharge_domain::id::SessionId) -> Result<ShopperState, Error> {
    // A session's id has its merchant's slot.
    let operation = app.new_id_in(id.slot());
    let input = Input::Abandon { operation };
    let change = commit::change_session(app, id, &ChangeContext::default(), &input).await?;
    let execution = execute(app, change, None).await;
    Ok(ShopperState::of(&execution.session, app.now()))
}
