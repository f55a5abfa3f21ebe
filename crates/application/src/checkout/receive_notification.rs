//! A PSP tells what became of an operation.

use oncharge_domain::{
    operation::Operation,
    psp::{PspAccount, Word},
};
use oncharge_ports::psp::{Notification, NotificationError};
use tracing::warn;

use crate::{
    App, Error,
    learning::{self, Learned},
};

/// Takes in a notification: verified under the account's key, applied only where account,
/// session, amount and currency agree with the operation. Late, repeated and reordered ones are
/// harmless: the state machine knows old news.
///
/// Errors: `NotFound` (no such connector or account, or an operation that is not known: the PSP
/// sends it again), `Unverified`, `Busy`.
pub async fn receive(
    app: &App,
    (connector, account): (&str, &str),
    header: &dyn Fn(&str) -> Option<String>,
    body: &[u8],
) -> Result<(), Error> {
    let account = PspAccount::new(connector, account).map_err(|_| Error::NotFound)?;
    let psp = app.inner().psps.account(&account).ok_or(Error::NotFound)?;
    let notification = match psp.notification(header, body) {
        Ok(notification) => notification,
        Err(NotificationError::Unverified) => return Err(Error::Unverified),
        Err(error @ (NotificationError::Irrelevant | NotificationError::Malformed)) => {
            warn!(%error, "a notification was taken in and left alone");
            return Ok(());
        }
    };
    let app = app.clone();
    app.clone()
        .detached(async move { apply(&app, &account, notification).await })
        .await
}

async fn apply(app: &App, account: &PspAccount, notification: Notification) -> Result<(), Error> {
    let found = app
        .inner()
        .checkout
        .operation(notification.operation)
        .await?;
    let operation = found.ok_or(Error::NotFound)?;
    if !agrees(&operation, account, &notification) {
        metrics::counter!("oncharge_psp_notifications_mismatched_total").increment(1);
        warn!(operation = %operation.id, "a notification does not agree with its operation");
        return Ok(());
    }
    learning::learn(
        app,
        Learned {
            operation: operation.id,
            word: Word::Answer(notification.answer),
            waiting: None,
            lease: None,
            known: None,
        },
    )
    .await
    .map(|_| ())
}

fn agrees(operation: &Operation, account: &PspAccount, notification: &Notification) -> bool {
    operation.account == *account
        && operation.session == notification.session
        && operation.amount == notification.amount
}
