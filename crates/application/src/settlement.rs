//! Settles a PSP result: commits its consequences together with the response that waits for it.

use oncharge_domain::{
    id::{NotificationId, OperationId, SessionId},
    operation::{CancelPurpose, Operation, OperationKind, OperationStatus, SendState},
    psp::{PspDetails, PspResponse, PspResult},
    refund::Refund,
    session::{Decision, Input, PspUpdate, Session, Status},
    time::Timestamp,
};
use oncharge_ports::{
    ApiResponse, CommitError, StoredResponse, UnitOfWork,
    unit_of_work::{IdempotencyRecord, IdempotencyScope, IdempotencyWrite, Lease, NewOperation},
};
use tracing::warn;

use crate::{
    App, Error,
    commit::{self, ACCEPTED_POLL_SECONDS, Backoff},
    psp_call::CallResult,
};

/// A PSP result to settle, and who waits for its consequences.
pub(crate) struct Settlement {
    /// The operation's session.
    pub(crate) session: SessionId,
    pub(crate) operation: OperationId,
    pub(crate) result: CallResult,
    /// The request that waits, if any.
    pub(crate) waiting: Option<WaitingRequest>,
    /// The worker's lease, if a worker obtained the result.
    pub(crate) lease: Option<Lease>,
    /// The notification that reported the result; the settlement marks it as handled.
    pub(crate) handled: Option<NotificationId>,
    /// The loaded state, so that the first try needs no reads.
    pub(crate) preloaded: Option<LoadedOperation>,
}

/// A merchant's request that waits for the outcome.
pub(crate) struct WaitingRequest {
    pub(crate) scope: Option<IdempotencyScope>,
    pub(crate) request_id: String,
}

/// An operation with its session and refund.
pub(crate) struct LoadedOperation {
    pub(crate) session: Session,
    pub(crate) operation: Operation,
    pub(crate) refund: Option<Refund>,
}

/// The outcome of a settlement.
pub(crate) struct Settled {
    /// The session afterwards.
    pub(crate) session: Session,
    /// The operation afterwards.
    pub(crate) operation: Operation,
    /// Whether the result was new, so that a decision based on it was committed.
    pub(crate) had_effect: bool,
    /// The response to the merchant; `None` if the PSP definitely could not be reached.
    pub(crate) response: Option<StoredResponse>,
}

impl Settled {
    fn of(after: LoadedOperation, had_effect: bool, response: Option<StoredResponse>) -> Self {
        if had_effect {
            count(&after.operation);
        }
        Self {
            session: after.session,
            operation: after.operation,
            had_effect,
            response,
        }
    }
}

/// Decides what follows from a PSP result and commits it; retries on a conflict until the deadline.
pub(crate) async fn settle(app: &App, settlement: Settlement) -> Result<Settled, Error> {
    let Settlement {
        session,
        operation,
        mut result,
        waiting,
        lease,
        handled,
        mut preloaded,
    } = settlement;
    let mut guard = app.inner().locks.lock(session).await;
    let mut backoff = Backoff::new();
    let mut is_confirmed = false;
    loop {
        let was_preloaded = preloaded.is_some();
        let loaded = match preloaded.take() {
            Some(preloaded) => preloaded,
            None => load_in(app, session, operation).await?,
        };
        if !is_confirmed && contradicts(&loaded.operation, &result) {
            drop(guard);
            match confirm(app, &loaded.operation, &result).await {
                Some(current) => result = current,
                // The worker applies it later.
                None if lease.is_some() => return Err(Error::PspUnavailable),
                None => {}
            }
            is_confirmed = true;
            guard = app.inner().locks.lock(session).await;
            continue;
        }
        warn_of_mismatch(&loaded.operation, &result);
        let now = app.now();
        let Some(decision) = decide(app, &loaded, &result, waiting.is_some(), now).await? else {
            backoff.wait(app).await?;
            continue;
        };
        let has_effect = !decision.is_empty(&loaded.session);
        let after = LoadedOperation {
            operation: changed(&decision, &loaded.operation),
            refund: decision.changed_refunds.first().cloned().or(loaded.refund),
            session: decision.session.clone(),
        };
        // Right after the intent, no other process can have stored the response.
        let waits = waiting.as_ref().filter(|_| !was_preloaded);
        let record = record(app, waits).await?;
        let (unit, response) = if has_effect {
            let (mut unit, response) =
                unit(app, &decision, &after, waiting.as_ref(), lease, now).await?;
            unit.handled = handled;
            (Some(unit), response)
        } else {
            respond_to_repeated_result(app, &after, waiting.as_ref(), record.as_ref(), now)
        };
        let response = record.and_then(|record| record.response).or(response);
        let committed = match unit {
            Some(unit) => commit::commit(app, unit).await,
            None => Ok(()),
        };
        match committed {
            Ok(()) => return Ok(Settled::of(after, has_effect, response)),
            // The state that the intent committed has changed since: reload it at once.
            Err(CommitError::Conflict) if was_preloaded => {}
            Err(CommitError::Conflict) => backoff.wait(app).await?,
            Err(error) => return Err(error.into()),
        }
    }
}

/// Logs details that do not match the operation; the audit log only records that there were some.
fn warn_of_mismatch(operation: &Operation, result: &CallResult) {
    let PspDetails {
        reference, amount, ..
    } = &result.details;
    if !operation.matches(&result.details) {
        warn!(operation = %operation.id, ?reference, ?amount,
            "the PSP reported another reference or amount: the result does not count");
    }
}

/// Whether the PSP reports as done a capture, cancel, refund or compensation that failed here. Not
/// an authorization: the amount that it holds is compensated.
fn contradicts(operation: &Operation, result: &CallResult) -> bool {
    operation.status == OperationStatus::Failed
        && !matches!(operation.kind, OperationKind::Authorize { .. })
        && matches!(
            result.psp_result,
            PspResult::Response(PspResponse::Done { .. })
        )
        && operation.matches(&result.details)
}

/// The operation's current state at the PSP, in place of a result that contradicts the stored one:
/// a report of success that is older than the failure, repeated or out of order, is no
/// contradiction. `None` if the look-up fails or its result is not final.
async fn confirm(app: &App, operation: &Operation, result: &CallResult) -> Option<CallResult> {
    let psp = app.inner().psps.account(&operation.account)?;
    match psp.look_up(operation.id).await {
        Ok(None) => Some(result.clone()),
        Ok(Some(found)) if !operation.matches(&found.details) => None,
        Ok(Some(found)) => match found.response {
            PspResponse::Done { .. } | PspResponse::Refused(_) => Some(found.into()),
            PspResponse::Accepted { .. } | PspResponse::ActionRequired(_) => None,
        },
        Err(error) => {
            warn!(operation = %operation.id, error = &error as &dyn std::error::Error,
                "cannot confirm a contradiction with the PSP");
            None
        }
    }
}

/// Decides what follows from a PSP result; `None` if the decision has no effect and another process
/// has changed the session since it was read, so that it has to be read again. (A decision with an
/// effect needs no check here: its commit fails on a stale version.)
async fn decide(
    app: &App,
    loaded: &LoadedOperation,
    result: &CallResult,
    waiting: bool,
    now: Timestamp,
) -> Result<Option<Decision>, Error> {
    let update = psp_update(app, loaded, result, waiting, now).await?;
    let decision = loaded
        .session
        .decide(Input::PspUpdate(Box::new(update)), now);
    let has_effect = matches!(&decision, Ok(decision) if !decision.is_empty(&loaded.session));
    if has_effect || is_current(app, &loaded.session).await? {
        return Ok(Some(decision?));
    }
    Ok(None)
}

fn count(operation: &Operation) {
    let outcome = match operation.status {
        OperationStatus::Requested => return,
        OperationStatus::Succeeded => "succeeded",
        OperationStatus::Failed => "failed",
    };
    metrics::counter!("oncharge_operations_total", "kind" => operation.kind.name(), "outcome" => outcome)
        .increment(1);
}

/// The operation and its session in a consistent state.
pub(crate) async fn load(app: &App, id: OperationId) -> Result<LoadedOperation, Error> {
    load_in(app, session_of(app, id).await?, id).await
}

/// The session of an operation, which never changes.
async fn session_of(app: &App, id: OperationId) -> Result<SessionId, Error> {
    let found = app.inner().store.checkout.operation(id).await?;
    Ok(found.ok_or(Error::NotFound)?.session)
}

/// Reads the session first: every change of an operation or refund raises its session's version in
/// the same commit. If another process commits between these reads, the session is therefore
/// outdated: a commit based on it fails as a conflict, and [`decide`] checks the version if there
/// is nothing to commit. In the other order, an outdated operation could be combined with a current
/// session, and no version would reveal it.
async fn load_in(app: &App, session: SessionId, id: OperationId) -> Result<LoadedOperation, Error> {
    let checkout = &app.inner().store.checkout;
    let session = checkout.session(session).await?.ok_or(Error::NotFound)?;
    let operation = checkout.operation(id).await?.ok_or(Error::NotFound)?;
    let refund = match operation.kind {
        OperationKind::Refund(refund) => checkout.refund(refund).await?,
        _ => None,
    };
    Ok(LoadedOperation {
        session,
        operation,
        refund,
    })
}

/// Whether the session still has the version that was read, so that everything read since then
/// belongs to it.
async fn is_current(app: &App, read: &Session) -> Result<bool, Error> {
    let found = app.inner().store.checkout.session(read.id).await?;
    Ok(found.ok_or(Error::NotFound)?.version == read.version)
}

/// The PSP result with everything that the decision may change.
async fn psp_update(
    app: &App,
    loaded: &LoadedOperation,
    result: &CallResult,
    waiting: bool,
    now: Timestamp,
) -> Result<PspUpdate, Error> {
    let checkout = &app.inner().store.checkout;
    let operation = loaded.operation.clone();
    let mut update = PspUpdate::new(
        operation,
        app.inner()
            .entropy
            .id_in(loaded.session.merchant.slot(), now),
    );
    update.result.clone_from(&result.psp_result);
    update.details.clone_from(&result.details);
    update.waiting = waiting;
    update.refund.clone_from(&loaded.refund);
    if let (
        OperationKind::Cancel(CancelPurpose::Abandon | CancelPurpose::Expiry),
        Status::Pending(pending),
    ) = (&loaded.operation.kind, &loaded.session.status)
    {
        update.attempt = checkout.operation(pending.attempt).await?;
    }
    let is_reversed = matches!(
        result.psp_result,
        PspResult::Response(PspResponse::Refused(_))
    ) && loaded.operation.status == OperationStatus::Succeeded
        && matches!(loaded.session.status, Status::Captured(_));
    if is_reversed {
        update.unsent_refunds = checkout.unsent_refunds(loaded.session.id).await?;
    }
    Ok(update)
}

fn changed(decision: &Decision, before: &Operation) -> Operation {
    let changed = decision
        .changed_operations
        .iter()
        .find(|after| after.id == before.id);
    changed.unwrap_or(before).clone()
}

async fn unit(
    app: &App,
    decision: &Decision,
    after: &LoadedOperation,
    waiting: Option<&WaitingRequest>,
    lease: Option<Lease>,
    now: Timestamp,
) -> Result<(UnitOfWork, Option<StoredResponse>), Error> {
    let mut unit = commit::unit_of(app, decision, now);
    unit.lease = lease;
    for operation in &decision.operations {
        unit.operations.push(NewOperation {
            operation: operation.clone(),
            request: commit::prepare(app, operation, None)?,
            next_try_at: operation.not_before,
            key: None,
        });
    }
    for change in &mut unit.changed_operations {
        let wait = match change.operation.sending {
            SendState::Accepted => ACCEPTED_POLL_SECONDS,
            SendState::Intended
            | SendState::NotSent
            | SendState::Unknown
            | SendState::Mismatched => 1,
        };
        change.next_try_at = Some(now.plus_seconds(wait));
    }
    let response = render(app, after, waiting, now);
    let scope = match waiting {
        Some(waiting) => waiting.scope.clone(),
        None if is_requested_by_merchant(&after.operation) => {
            app.inner()
                .store
                .checkout
                .reserved_key(after.operation.id)
                .await?
        }
        None => None,
    };
    unit.key = match (scope, &response) {
        (Some(scope), Some(response)) => Some(IdempotencyWrite::Complete {
            scope,
            response: response.clone(),
            at: now,
        }),
        (Some(scope), None) if frees_key(&after.operation) => {
            Some(IdempotencyWrite::Release { scope })
        }
        _ => None,
    };
    Ok((unit, response))
}

/// Whether a merchant's request may wait for this operation.
fn is_requested_by_merchant(operation: &Operation) -> bool {
    match operation.kind {
        OperationKind::Capture { automatic } => !automatic,
        OperationKind::Cancel(purpose) => purpose == CancelPurpose::Merchant,
        OperationKind::Refund(_) => true,
        OperationKind::Authorize { .. } | OperationKind::Compensation { .. } => false,
    }
}

/// `psp_unavailable` is never stored: the commit that fails the operation frees the key.
fn frees_key(operation: &Operation) -> bool {
    is_requested_by_merchant(operation) && operation.status == OperationStatus::Failed
}

/// The response to the merchant; `None` if there is none (yet), or the PSP definitely could not be
/// reached.
fn render(
    app: &App,
    after: &LoadedOperation,
    waiting: Option<&WaitingRequest>,
    now: Timestamp,
) -> Option<StoredResponse> {
    use oncharge_domain::psp::RefusalReason;
    if !is_requested_by_merchant(&after.operation) {
        return None;
    }
    let session = &after.session;
    let response = match (&after.operation.kind, after.operation.status) {
        (OperationKind::Refund(_), _) => ApiResponse::RefundRequested(after.refund.as_ref()?),
        (_, OperationStatus::Succeeded) => ApiResponse::Done(session),
        (_, OperationStatus::Failed)
            if after.operation.failure == Some(RefusalReason::NeverSent) =>
        {
            return None;
        }
        // The cancel of an authorization that is gone was refused: the requested state is reached.
        (OperationKind::Cancel(_), OperationStatus::Failed)
            if matches!(session.status, Status::Cancelled(_)) =>
        {
            ApiResponse::Done(session)
        }
        (_, OperationStatus::Failed) => ApiResponse::PspRejected,
        // Without a waiting request, the key is answered as soon as the PSP has accepted the
        // operation: its outcome may take days.
        (_, OperationStatus::Requested)
            if waiting.is_none() && after.operation.sending != SendState::Accepted =>
        {
            return None;
        }
        (_, OperationStatus::Requested) => ApiResponse::Accepted(session),
    };
    let request_id = waiting.map(|waiting| waiting.request_id.clone());
    // Recovery has no request id: the operation's id leads to the session's history.
    let request_id = request_id.unwrap_or_else(|| after.operation.id.to_string());
    Some(app.inner().presenter.render(&response, &request_id, now))
}

/// Another process has already committed this result. If the key has no stored response yet, this
/// one is stored now.
fn respond_to_repeated_result(
    app: &App,
    after: &LoadedOperation,
    waiting: Option<&WaitingRequest>,
    record: Option<&IdempotencyRecord>,
    now: Timestamp,
) -> (Option<UnitOfWork>, Option<StoredResponse>) {
    let response = render(app, after, waiting, now);
    let scope = waiting.and_then(|waiting| waiting.scope.clone());
    let is_reserved = record.is_some_and(|record| record.response.is_none());
    let unit = match (scope, &response) {
        (Some(scope), Some(response)) if is_reserved => {
            let mut session = after.session.clone();
            session.version = session.version.saturating_add(1);
            let id = app.inner().entropy.id_in(session.merchant.slot(), now);
            let mut unit = UnitOfWork::of(id, session);
            unit.key = Some(IdempotencyWrite::Complete {
                scope,
                response: response.clone(),
                at: now,
            });
            Some(unit)
        }
        _ => None,
    };
    (unit, response)
}

/// The idempotency record of a waiting request.
async fn record(
    app: &App,
    waiting: Option<&WaitingRequest>,
) -> Result<Option<IdempotencyRecord>, Error> {
    match waiting.and_then(|waiting| waiting.scope.as_ref()) {
        Some(scope) => Ok(app.inner().store.checkout.key(scope).await?),
        None => Ok(None),
    }
}
