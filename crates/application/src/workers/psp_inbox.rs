//! Applies what PSPs have told, through the pure state machine.
//!
//! A fact is applied only to an operation that was sent through the very account whose key verified
//! it, and only where reference, amount and currency agree: a merchant knows its own account's key.
//! Late, repeated and reordered ones are harmless, since the state machine knows old news.

use oncharge_domain::{
    audit::{AuditAction, AuditEntry},
    operation::{Operation, OperationStatus},
    psp::{Answer, PspAccount, PspReport},
    retry,
    time::Timestamp,
};
use oncharge_ports::{
    CommitError,
    inbox::{NotificationStatus, Settled, StoredNotification},
    psp::{Notification, NotificationError, Psp},
    unit_of_work::Lease,
    work_queue::{AccountName, ClaimedNotification, WantedItems},
};
use time::Duration;
use tokio::sync::Notify;
use tracing::{debug, warn};

use super::{
    hands::{self, Queue},
    lease::{LEASE, give_back, holding},
    wakes::Wakes,
};
use crate::{
    App, Error,
    calling::CallResult,
    learning::{self, Learned},
};

/// How long a notification waits for the operation that it names, in seconds. Ours are committed
/// before a PSP hears of them, so that longer waits bring nothing.
const WAITS_FOR_ITS_OPERATION: i64 = 3600;

/// Claims notifications that wait and takes each one step further; returns how many.
pub async fn run_once(app: &App) -> Result<usize, Error> {
    hands::once::<Notifications>(app).await
}

/// Notifications that wait.
pub(super) struct Notifications;

impl Queue for Notifications {
    type Item = ClaimedNotification;
    const NAME: &'static str = "psp inbox";

    fn wake(wakes: &Wakes) -> &Notify {
        &wakes.inbox
    }

    async fn claim(app: &App, wanted: &WantedItems) -> Result<Vec<ClaimedNotification>, Error> {
        let work = &app.inner().work;
        Ok(work.claim_notifications(wanted, LEASE).await?)
    }

    fn account(item: &ClaimedNotification) -> &AccountName {
        &item.account
    }

    async fn handle(app: App, item: ClaimedNotification) {
        let next = match holding(&app, item.lease, Box::pin(step(&app, &item))).await {
            Ok(Step::Over) => return,
            Ok(Step::Waits) => later(&app, item.tries),
            Ok(Step::IsAhead(since)) => much_later(&app, item.tries, since),
            Err(error) => {
                warn!(notification = %item.notification, %error, "a notification is applied later");
                later(&app, item.tries)
            }
        };
        give_back(&app, item.lease, next).await;
    }
}

/// How far a notification has come.
enum Step {
    /// It is applied or settled, or somebody else has it in hand.
    Over,
    /// Its time has not come.
    Waits,
    /// Nothing here knows yet what it is about, an operation or an account; it came at this time.
    IsAhead(Timestamp),
}

async fn step(app: &App, claimed: &ClaimedNotification) -> Result<Step, Error> {
    let found = app.inner().inbox.notification(claimed.notification).await?;
    let Some(stored) = found.filter(|stored| stored.status == NotificationStatus::Waiting) else {
        return Ok(Step::Over);
    };
    let account = &stored.new.account;
    let Some(psp) = app.inner().psps.account(account) else {
        warn!(notification = %stored.new.id, "the notification's PSP account is not configured");
        return Ok(Step::IsAhead(stored.new.received_at));
    };
    let verdict = Verdict {
        app,
        lease: claimed.lease,
        stored: &stored,
    };
    let notification = match psp.read_notification(&stored.new.body) {
        Ok(notification) => notification,
        Err(NotificationError::Irrelevant) => {
            return verdict.write(NotificationStatus::Irrelevant, None).await;
        }
        Err(NotificationError::Malformed) => {
            return verdict.write(NotificationStatus::Malformed, None).await;
        }
    };
    let found = app
        .inner()
        .checkout
        .operation(notification.operation)
        .await?;
    let Some(operation) = found else {
        let age = app.now().since(stored.new.received_at);
        if age < Duration::seconds(WAITS_FOR_ITS_OPERATION) {
            return Ok(Step::IsAhead(stored.new.received_at));
        }
        return verdict.write(NotificationStatus::Unmatched, None).await;
    };
    if !agrees(&operation, account, &notification) {
        return verdict
            .write(NotificationStatus::Mismatched, Some(&operation))
            .await;
    }
    let told = PspReport {
        answer: notification.answer,
        card: notification.card,
    };
    let Some(report) = report(&*psp, &operation, told).await else {
        return Ok(Step::Waits);
    };
    apply(&verdict, &operation, report.into()).await
}

/// Commits what follows from it, the notification's end included; where nothing follows, that alone.
async fn apply(
    verdict: &Verdict<'_>,
    operation: &Operation,
    result: CallResult,
) -> Result<Step, Error> {
    let learned = Learned {
        session: operation.session,
        operation: operation.id,
        result,
        waiting: None,
        lease: Some(verdict.lease),
        handled: Some(verdict.stored.new.id),
        known: None,
    };
    let outcome = match learning::learn(verdict.app, learned).await {
        Ok(outcome) => outcome,
        Err(Error::Overtaken) => return Ok(Step::Over),
        Err(error) => return Err(error),
    };
    if outcome.was_news {
        count(NotificationStatus::Handled);
        return Ok(Step::Over);
    }
    verdict
        .write(NotificationStatus::Handled, Some(operation))
        .await
}

/// The end of a notification that changes nothing.
struct Verdict<'a> {
    app: &'a App,
    lease: Lease,
    stored: &'a StoredNotification,
}

impl Verdict<'_> {
    async fn write(
        &self,
        status: NotificationStatus,
        about: Option<&Operation>,
    ) -> Result<Step, Error> {
        let settled = Settled {
            lease: self.lease,
            status,
            operation: about.map(|operation| operation.id),
            session: about.map(|operation| operation.session),
            audit: self.audit(status, about),
        };
        match self.app.inner().inbox.settle(&settled).await {
            Ok(()) => {
                count(status);
                Ok(Step::Over)
            }
            Err(CommitError::LeaseLost) => {
                debug!(notification = %self.stored.new.id, "somebody else has the notification");
                Ok(Step::Over)
            }
            Err(error) => Err(error.into()),
        }
    }

    fn audit(&self, status: NotificationStatus, about: Option<&Operation>) -> Option<AuditEntry> {
        let action = match status {
            NotificationStatus::Mismatched => AuditAction::NotificationMismatched,
            NotificationStatus::Unmatched => AuditAction::NotificationUnmatched,
            NotificationStatus::Malformed => AuditAction::NotificationMalformed,
            _ => return None,
        };
        let account = &self.stored.new.account;
        warn!(notification = %self.stored.new.id, status = status.name(),
            "a notification changes nothing; a person should look");
        Some(AuditEntry {
            id: match about {
                Some(operation) => self.app.new_id_in(operation.merchant.slot()),
                None => self.app.new_id(),
            },
            at: self.app.now(),
            action,
            merchant: about.map(|operation| operation.merchant),
            session: about.map(|operation| operation.session),
            operation: about.map(|operation| operation.id),
            detail: format!(
                "{} by {}/{}",
                self.stored.new.id,
                account.connector(),
                account.account()
            ),
        })
    }
}

fn count(status: NotificationStatus) {
    metrics::counter!("oncharge_psp_notifications_total", "outcome" => status.name()).increment(1);
}

/// The result that a notification reports. Where it only says that there is news, a look-up tells the
/// operation's state; `None` where that fails. Of an operation that succeeded, this is no news.
async fn report(psp: &dyn Psp, operation: &Operation, told: PspReport) -> Option<PspReport> {
    let is_news = matches!(told.answer, Answer::Accepted { .. });
    if operation.status == OperationStatus::Succeeded || !is_news {
        return Some(told);
    }
    match psp.look_up(operation.id).await {
        Ok(Some(found)) => Some(PspReport {
            card: found.card.or(told.card),
            ..found
        }),
        Ok(None) => Some(told),
        Err(error) => {
            warn!(operation = %operation.id, %error, "the PSP could not be asked for its news");
            None
        }
    }
}

/// Whether a notification is about this operation. The PSP's reference counts once it is known here.
fn agrees(operation: &Operation, account: &PspAccount, notification: &Notification) -> bool {
    let known = operation.reference.as_ref();
    known.is_none_or(|known| *known == notification.reference)
        && operation.account == *account
        && operation.session == notification.session
        && operation.amount == notification.amount
}

/// When a notification that could not be applied is looked at again.
fn later(app: &App, tries: u32) -> Timestamp {
    let [jitter] = app.inner().entropy.bytes::<1>();
    app.now().plus(retry::wait(tries, Duration::ZERO, jitter))
}

/// When a notification is looked at again that names what nobody here knows: with waits that go on
/// doubling, up to a quarter of an hour, and once where its time of waiting ends. There may be
/// thousands, for anybody who holds an account's key can make them up, or share the account with
/// another system; looked at twice a minute each, they would stand before everybody else's.
fn much_later(app: &App, tries: u32, since: Timestamp) -> Timestamp {
    let [jitter] = app.inner().entropy.bytes::<1>();
    let (now, end) = (app.now(), since.plus_seconds(WAITS_FOR_ITS_OPERATION));
    let next = now.plus(retry::wait(tries, Duration::HOUR, jitter));
    if now < end { next.min(end) } else { next }
}
