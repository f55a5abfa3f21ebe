//! Recovers operations that a crash, a time-out or an unresponsive PSP has left open.
//!
//! Each operation is looked up at the PSP; if the PSP has not seen it, the same bytes are sent
//! again under the same key. Only the PSP's own response ends an operation.

use oncharge_domain::{
    id::SessionId,
    operation::{Operation, OperationKind, SendState},
    psp::{PspResponse, PspResult, RefusalReason},
    retry,
    session::Session,
    time::Timestamp,
};
use oncharge_ports::{
    CommitError, Connector, Psp, UnitOfWork,
    unit_of_work::ChangedOperation,
    work_queue::{AccountName, ClaimFilter, ClaimedOperation},
};
use time::Duration;
use tokio::sync::Notify;
use tracing::{info, warn};

use super::{
    lease::{LEASE, release_lease, with_lease},
    notifiers::Notifiers,
    worker_pool::{self, JobQueue},
};
use crate::{
    App, Error,
    commit::{self, ACCEPTED_POLL_SECONDS},
    psp_call::{self, CallResult},
    settlement::{self, LoadedOperation, Settlement},
};

/// How long a refund that was never sent is retried, in seconds.
const NEVER_SENT_SECONDS: i64 = 72 * 3600;

/// Claims due operations and processes one step of each; returns how many.
pub async fn run_once(app: &App) -> Result<usize, Error> {
    worker_pool::run_once::<OperationQueue>(app).await
}

/// Operations that are due.
pub(super) struct OperationQueue;

impl JobQueue for OperationQueue {
    type Item = ClaimedOperation;
    const NAME: &'static str = "recovery";

    fn notifier(notifiers: &Notifiers) -> &Notify {
        &notifiers.operations
    }

    async fn claim(app: &App, wanted: &ClaimFilter) -> Result<Vec<ClaimedOperation>, Error> {
        let work = &app.inner().store.work;
        Ok(work.claim_operations(wanted, LEASE).await?)
    }

    /// While an account's circuit breaker is open, its operations stay in the queue: each one
    /// claimed would fail without being sent.
    fn unavailable_accounts(app: &App) -> Vec<AccountName> {
        let accounts = app.inner().psps.unavailable_accounts();
        accounts.iter().map(AccountName::of).collect()
    }

    fn account(item: &ClaimedOperation) -> &AccountName {
        &item.account
    }

    async fn handle(app: App, item: ClaimedOperation) {
        let (operation, lease) = (item.operation, item.lease);
        let next = match with_lease(&app, lease, Box::pin(step(&app, &item))).await {
            Ok(open) => next_try(&app, item.tries, open),
            Err(error) => {
                warn!(%operation, error = &error as &dyn std::error::Error,
                    "cannot recover an operation, retrying later");
                app.now()
                    .plus(retry_delay(&app, item.tries, Duration::ZERO))
            }
        };
        release_lease(&app, lease, next).await;
    }
}

/// Processes one step of an operation; returns the operation if it is still open.
async fn step(app: &App, claimed: &ClaimedOperation) -> Result<Option<Operation>, Error> {
    let LoadedOperation {
        session, operation, ..
    } = settlement::load(app, claimed.operation).await?;
    if !operation.is_open() {
        return Ok(None);
    }
    let Some(psp) = app.inner().psps.account(&operation.account) else {
        warn!(operation = %operation.id, "the operation's PSP account is not configured");
        return Ok(Some(operation));
    };
    let now = app.now();
    let result = match operation.sending {
        SendState::NotSent if is_given_up(&operation, now) => {
            let refused = PspResponse::Refused(RefusalReason::NeverSent);
            Some(PspResult::Response(refused).into())
        }
        SendState::Accepted => look_up(&*psp, &operation).await,
        // Operations that were never sent are also looked up first: while the PSP is unreachable, a
        // failed look-up writes nothing, however many operations wait and for how long.
        SendState::NotSent | SendState::Intended | SendState::Unknown | SendState::Mismatched => {
            match look_up(&*psp, &operation).await {
                Some(found)
                    if found.psp_result == PspResult::NotFound
                        && may_resend(&*psp.connector(), &operation, now) =>
                {
                    resend(app, claimed, session.id).await?
                }
                found => found,
            }
        }
    };
    let Some(result) = result else {
        return Ok(Some(operation));
    };
    let settlement = Settlement {
        session: session.id,
        operation: operation.id,
        result,
        waiting: None,
        lease: Some(claimed.lease),
        handled: None,
        preloaded: None,
    };
    let outcome = settlement::settle(app, settlement).await?;
    if !outcome.operation.is_open() {
        info!(operation = %operation.id, kind = operation.kind.name(), "recovered an operation");
    }
    Ok(Some(outcome.operation).filter(Operation::is_open))
}

/// Refunds that could not be sent within this time fail; other kinds are retried without limit.
fn is_given_up(operation: &Operation, now: Timestamp) -> bool {
    matches!(operation.kind, OperationKind::Refund(_))
        && now > operation.created_at.plus_seconds(NEVER_SENT_SECONDS)
}

/// Nothing is sent again once the PSP may have forgotten its key. An operation that was never sent
/// has no key there; one that was sent has it from `not_before` at the earliest.
fn may_resend(connector: &dyn Connector, operation: &Operation, now: Timestamp) -> bool {
    if operation.sending == SendState::NotSent {
        return true;
    }
    let lifetime = Duration::try_from(connector.key_lifetime()).unwrap_or(Duration::MAX);
    now.since(operation.not_before) < lifetime
}

/// An authorization is never sent again past its session's expiry.
fn is_too_late(operation: &Operation, session: &Session, now: Timestamp) -> bool {
    let is_attempt = matches!(operation.kind, OperationKind::Authorize { .. });
    is_attempt && now >= session.expires_at
}

async fn look_up(psp: &dyn Psp, operation: &Operation) -> Option<CallResult> {
    match psp.look_up(operation.id).await {
        Ok(Some(report)) => Some(report.into()),
        Ok(None) => Some(PspResult::NotFound.into()),
        Err(error) => {
            warn!(operation = %operation.id, error = &error as &dyn std::error::Error,
                "cannot look up the operation at the PSP");
            None
        }
    }
}

/// Sends the same bytes again; `None` if the outcome became known in the meantime. If it is too
/// late to send, the look-up's result stands.
async fn resend(
    app: &App,
    claimed: &ClaimedOperation,
    session: SessionId,
) -> Result<Option<CallResult>, Error> {
    let Some(request) = app
        .inner()
        .store
        .checkout
        .request(claimed.operation)
        .await?
    else {
        return Ok(None);
    };
    match record_resend(app, claimed, session).await? {
        Resend::Recorded(operation) => Ok(Some(psp_call::send(app, &operation, &request).await)),
        Resend::TooLate => Ok(Some(PspResult::NotFound.into())),
        Resend::Overtaken => Ok(None),
    }
}

/// Whether an operation is sent again.
enum Resend {
    /// Yes, and that is committed.
    Recorded(Box<Operation>),
    /// No: its session has expired in the meantime.
    TooLate,
    /// No: another worker has it or has committed its outcome.
    Overtaken,
}

/// Commits that the operation is sent again: from then on "could not connect" proves nothing,
/// unless it had never been sent before. The decisive time is now, after the look-up.
async fn record_resend(
    app: &App,
    claimed: &ClaimedOperation,
    session: SessionId,
) -> Result<Resend, Error> {
    let _guard = app.inner().locks.lock(session).await;
    let LoadedOperation {
        mut session,
        operation,
        ..
    } = settlement::load(app, claimed.operation).await?;
    if !operation.is_open() || operation.sending == SendState::Accepted {
        return Ok(Resend::Overtaken);
    }
    let now = app.now();
    if is_too_late(&operation, &session, now) {
        return Ok(Resend::TooLate);
    }
    let (sending, not_before) = match operation.sending {
        SendState::NotSent => (SendState::Intended, now),
        SendState::Mismatched => (SendState::Mismatched, operation.not_before),
        _ => (SendState::Unknown, operation.not_before),
    };
    let operation = Operation {
        sending,
        last_sent_at: now,
        not_before,
        ..operation
    };
    session.version = session.version.saturating_add(1);
    let mut unit = UnitOfWork::of(app.new_id_in(session.merchant.slot()), session);
    unit.changed_operations = vec![ChangedOperation {
        operation: operation.clone(),
        next_try_at: None,
    }];
    unit.lease = Some(claimed.lease);
    match commit::commit(app, unit).await {
        Ok(()) => Ok(Resend::Recorded(Box::new(operation))),
        Err(CommitError::Conflict | CommitError::LeaseLost) => Ok(Resend::Overtaken),
        Err(error) => Err(error.into()),
    }
}

/// When the operation is retried: with backoff, and if the PSP has accepted it, not before its
/// notification had time to arrive.
fn next_try(app: &App, tries: u32, open: Option<Operation>) -> Timestamp {
    let now = app.now();
    let Some(operation) = open else { return now };
    let next = now.plus(retry_delay(app, tries, now.since(operation.created_at)));
    match operation.sending {
        SendState::Accepted => next.max(operation.last_sent_at.plus_seconds(ACCEPTED_POLL_SECONDS)),
        SendState::Intended | SendState::NotSent | SendState::Unknown | SendState::Mismatched => {
            next
        }
    }
}

fn retry_delay(app: &App, tries: u32, age: Duration) -> Duration {
    let [jitter] = app.inner().entropy.bytes::<1>();
    retry::backoff_delay(tries, age, jitter)
}
