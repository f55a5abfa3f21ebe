//! Applies what PSPs have told, through the pure state machine.
//!
//! A fact is applied only to an operation that was sent through the very account whose key verified
//! it, and only where reference, amount and currency agree: a merchant knows its own account's key.
//! Late, repeated and reordered ones are harmless, since the state machine knows old news.

use oncharge_domain::{
    audit::{AuditAction, AuditEntry},
    operation::{Operation, OperationStatus},
    psp::{PspAccount, PspReport, PspResponse},
    retry,
    time::Timestamp,
};
use oncharge_ports::{
    CommitError,
    inbox::{NotificationOutcome, NotificationStatus, StoredNotification},
    psp::{Notification, NotificationError, Psp},
    unit_of_work::Lease,
    work_queue::{AccountName, ClaimFilter, ClaimedNotification},
};
use time::Duration;
use tokio::sync::Notify;
use tracing::{debug, warn};

use super::{
    lease::{LEASE, release_lease, with_lease},
    notifiers::Notifiers,
    worker_pool::{self, JobQueue},
};
use crate::{
    App, Error,
    psp_call::CallResult,
    settlement::{self, Settlement},
};

/// How long a notification waits for the operation that it names, in seconds. Ours are committed
/// before a PSP hears of them, so that longer waits bring nothing.
const UNMATCHED_AFTER_SECONDS: i64 = 3600;

/// Claims notifications that wait and takes each one step further; returns how many.
pub async fn run_once(app: &App) -> Result<usize, Error> {
    worker_pool::run_once::<NotificationQueue>(app).await
}

/// Notifications that wait.
pub(super) struct NotificationQueue;

impl JobQueue for NotificationQueue {
    type Item = ClaimedNotification;
    const NAME: &'static str = "psp inbox";

    fn notifier(notifiers: &Notifiers) -> &Notify {
        &notifiers.inbox
    }

    async fn claim(app: &App, wanted: &ClaimFilter) -> Result<Vec<ClaimedNotification>, Error> {
        let work = &app.inner().work;
        Ok(work.claim_notifications(wanted, LEASE).await?)
    }

    fn account(item: &ClaimedNotification) -> &AccountName {
        &item.account
    }

    async fn handle(app: App, item: ClaimedNotification) {
        let next = match with_lease(&app, item.lease, Box::pin(step(&app, &item))).await {
            Ok(Step::Done) => return,
            Ok(Step::RetryLater) => next_try(&app, item.tries),
            Ok(Step::UnknownTarget(since)) => next_try_unknown_target(&app, item.tries, since),
            Err(error) => {
                warn!(notification = %item.notification, %error, "a notification is applied later");
                next_try(&app, item.tries)
            }
        };
        release_lease(&app, item.lease, next).await;
    }
}

/// How far a notification has come.
enum Step {
    /// It is applied or settled, or somebody else has it in hand.
    Done,
    /// Its time has not come.
    RetryLater,
    /// Nothing here knows yet what it is about, an operation or an account; it came at this time.
    UnknownTarget(Timestamp),
}

async fn step(app: &App, claimed: &ClaimedNotification) -> Result<Step, Error> {
    let found = app.inner().inbox.notification(claimed.notification).await?;
    let Some(stored) = found.filter(|stored| stored.status == NotificationStatus::Waiting) else {
        return Ok(Step::Done);
    };
    let account = &stored.new.account;
    let Some(psp) = app.inner().psps.account(account) else {
        warn!(notification = %stored.new.id, "the notification's PSP account is not configured");
        return Ok(Step::UnknownTarget(stored.new.received_at));
    };
    let leased = LeasedNotification {
        app,
        lease: claimed.lease,
        stored: &stored,
    };
    let notification = match psp.read_notification(&stored.new.body) {
        Ok(notification) => notification,
        Err(NotificationError::Irrelevant) => {
            return leased.close(NotificationStatus::Irrelevant, None).await;
        }
        Err(NotificationError::Malformed) => {
            return leased.close(NotificationStatus::Malformed, None).await;
        }
    };
    let found = app
        .inner()
        .checkout
        .operation(notification.operation)
        .await?;
    let Some(operation) = found else {
        let age = app.now().since(stored.new.received_at);
        if age < Duration::seconds(UNMATCHED_AFTER_SECONDS) {
            return Ok(Step::UnknownTarget(stored.new.received_at));
        }
        return leased.close(NotificationStatus::Unmatched, None).await;
    };
    if !matches_operation(&operation, account, &notification) {
        return leased
            .close(NotificationStatus::Mismatched, Some(&operation))
            .await;
    }
    let reported = PspReport {
        answer: notification.answer,
        card: notification.card,
    };
    let Some(report) = report(&*psp, &operation, reported).await else {
        return Ok(Step::RetryLater);
    };
    apply(&leased, &operation, report.into()).await
}

/// Commits what follows from it, the notification's end included; where nothing follows, that alone.
async fn apply(
    leased: &LeasedNotification<'_>,
    operation: &Operation,
    result: CallResult,
) -> Result<Step, Error> {
    let settlement = Settlement {
        session: operation.session,
        operation: operation.id,
        result,
        waiting: None,
        lease: Some(leased.lease),
        handled: Some(leased.stored.new.id),
        preloaded: None,
    };
    let outcome = match settlement::settle(leased.app, settlement).await {
        Ok(outcome) => outcome,
        Err(Error::Overtaken) => return Ok(Step::Done),
        Err(error) => return Err(error),
    };
    if outcome.had_effect {
        count(NotificationStatus::Handled);
        return Ok(Step::Done);
    }
    leased
        .close(NotificationStatus::Handled, Some(operation))
        .await
}

/// The end of a notification that changes nothing.
struct LeasedNotification<'a> {
    app: &'a App,
    lease: Lease,
    stored: &'a StoredNotification,
}

impl LeasedNotification<'_> {
    async fn close(
        &self,
        status: NotificationStatus,
        operation: Option<&Operation>,
    ) -> Result<Step, Error> {
        let outcome = NotificationOutcome {
            lease: self.lease,
            status,
            operation: operation.map(|operation| operation.id),
            session: operation.map(|operation| operation.session),
            audit: self.audit(status, operation),
        };
        match self.app.inner().inbox.close(&outcome).await {
            Ok(()) => {
                count(status);
                Ok(Step::Done)
            }
            Err(CommitError::LeaseLost) => {
                debug!(notification = %self.stored.new.id, "somebody else has the notification");
                Ok(Step::Done)
            }
            Err(error) => Err(error.into()),
        }
    }

    fn audit(
        &self,
        status: NotificationStatus,
        operation: Option<&Operation>,
    ) -> Option<AuditEntry> {
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
            id: match operation {
                Some(operation) => self.app.new_id_in(operation.merchant.slot()),
                None => self.app.new_id(),
            },
            at: self.app.now(),
            action,
            merchant: operation.map(|operation| operation.merchant),
            session: operation.map(|operation| operation.session),
            operation: operation.map(|operation| operation.id),
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
async fn report(psp: &dyn Psp, operation: &Operation, reported: PspReport) -> Option<PspReport> {
    let is_news = matches!(reported.answer, PspResponse::Accepted { .. });
    if operation.status == OperationStatus::Succeeded || !is_news {
        return Some(reported);
    }
    match psp.look_up(operation.id).await {
        Ok(Some(found)) => Some(PspReport {
            card: found.card.or(reported.card),
            ..found
        }),
        Ok(None) => Some(reported),
        Err(error) => {
            warn!(operation = %operation.id, %error, "the PSP could not be asked for its news");
            None
        }
    }
}

/// Whether a notification is about this operation. The PSP's reference counts once it is known here.
fn matches_operation(
    operation: &Operation,
    account: &PspAccount,
    notification: &Notification,
) -> bool {
    let preloaded = operation.reference.as_ref();
    preloaded.is_none_or(|preloaded| *preloaded == notification.reference)
        && operation.account == *account
        && operation.session == notification.session
        && operation.amount == notification.amount
}

/// When a notification that could not be applied is looked at again.
fn next_try(app: &App, tries: u32) -> Timestamp {
    let [jitter] = app.inner().entropy.bytes::<1>();
    app.now()
        .plus(retry::backoff_delay(tries, Duration::ZERO, jitter))
}

/// When a notification is looked at again that names what nobody here knows: with waits that go on
/// doubling, up to a quarter of an hour, and once where its time of waiting ends. There may be
/// thousands, for anybody who holds an account's key can make them up, or share the account with
/// another system; looked at twice a minute each, they would stand before everybody else's.
fn next_try_unknown_target(app: &App, tries: u32, since: Timestamp) -> Timestamp {
    let [jitter] = app.inner().entropy.bytes::<1>();
    let (now, end) = (app.now(), since.plus_seconds(UNMATCHED_AFTER_SECONDS));
    let next = now.plus(retry::backoff_delay(tries, Duration::HOUR, jitter));
    if now < end { next.min(end) } else { next }
}
