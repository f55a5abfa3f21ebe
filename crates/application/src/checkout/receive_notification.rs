//! A PSP tells what became of an operation.

use oncharge_domain::{
    operation::{Operation, OperationStatus},
    psp::{Answer, PspAccount, Word},
};
use oncharge_ports::psp::{Notification, NotificationError, Psp};
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
        .detached(async move { apply(&app, (&account, &*psp), notification).await })
        .await
}

async fn apply(
    app: &App,
    (account, psp): (&PspAccount, &dyn Psp),
    notification: Notification,
) -> Result<(), Error> {
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
    let word = word(psp, &operation, notification.answer).await?;
    learning::learn(
        app,
        Learned {
            operation: operation.id,
            word,
            waiting: None,
            lease: None,
            known: None,
        },
    )
    .await
    .map(|_| ())
}

/// What the notification tells. Where that is only that there is news, the look-up says what
/// became of the operation; if that brings no answer, the PSP has to tell it again. Of one that
/// succeeded this is no news, but of one that failed it may be money that has to go back.
async fn word(psp: &dyn Psp, operation: &Operation, told: Answer) -> Result<Word, Error> {
    let is_known = operation.status == OperationStatus::Succeeded;
    if is_known || !matches!(told, Answer::Accepted { .. }) {
        return Ok(Word::Answer(told));
    }
    match psp.look_up(operation.id).await {
        Ok(found) => Ok(Word::Answer(found.unwrap_or(told))),
        Err(error) => {
            warn!(operation = %operation.id, %error, "the PSP could not be asked for its news");
            Err(Error::Busy(Some(Box::new(error))))
        }
    }
}

fn agrees(operation: &Operation, account: &PspAccount, notification: &Notification) -> bool {
    operation.account == *account
        && operation.session == notification.session
        && operation.amount == notification.amount
}
