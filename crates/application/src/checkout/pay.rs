//! Pays a session: commits the intent, calls the PSP, commits the outcome. Read this file first.

use oncharge_domain::{
    psp::TokenFingerprint,
    session::{Input, Session},
};
use oncharge_ports::psp::PaymentMethod;

use super::shopper_view::{self, ShopperState};
use crate::{
    App, Error,
    commit::{self, ChangeContext},
    execute::execute,
    screening,
};

/// Pays with a one-time payment-method token, which identifies the attempt: a repeated token
/// returns the current state and starts nothing.
///
/// Errors: `BadPayToken`, `MerchantDisabled`, `Field` (the token does not have the connector's
/// form), `InvalidState` (an attempt is open, or the session is final), `Busy`.
pub async fn pay(
    app: &App,
    id: &str,
    pay_token: &str,
    payment_method: String,
) -> Result<ShopperState, Error> {
    let session = shopper_view::session(app, id, pay_token).await?;
    if app.merchant(session.merchant).await?.disabled_at.is_some() {
        return Err(Error::MerchantDisabled);
    }
    let connector = app
        .connector(&session.account)
        .ok_or(Error::PspUnavailable)?;
    if !connector.is_payment_method(&payment_method) {
        let problem = "must be a token issued by the card fields";
        return Err(Error::Field {
            field: "payment_method",
            problem,
        });
    }
    let payment_method = PaymentMethod::new(payment_method);
    let app = app.clone();
    app.clone()
        .spawn_detached(async move { run(&app, &session, &payment_method).await })
        .await
}

async fn run(
    app: &App,
    session: &Session,
    payment_method: &PaymentMethod,
) -> Result<ShopperState, Error> {
    let token = TokenFingerprint::of(payment_method.expose());
    let banned = screening::is_banned(app, &session.contact).await?;
    let operation = app.new_id_in(session.merchant.slot());
    let context = ChangeContext {
        payment_method: Some(payment_method),
        ..ChangeContext::default()
    };
    let input = Input::Pay {
        operation,
        token,
        banned,
    };
    let change = commit::change_session(app, session.id, &context, &input).await?;
    // Nothing is sent if the token was used before or the shopper is banned.
    let execution = execute(app, change, None).await;
    Ok(ShopperState::of(&execution.session, app.now()))
}
