//! Load, decide, commit: every change of a session goes through here.

use std::time::Duration;

use oncharge_domain::{
    audit::AuditEntry,
    id::{MerchantId, SessionId},
    operation::Operation,
    psp::TokenFingerprint,
    session::{Decision, Input, Session},
    time::Timestamp,
};
use oncharge_ports::{
    ApiResponse, CommitError, StoredResponse, UnitOfWork,
    psp::{PaymentMethod, PreparedRequest, PspRequest},
    unit_of_work::{ChangedOperation, IdempotencyWrite, Lease, NewEvent, NewOperation},
};
use tokio::time::Instant;

use crate::{App, Error, PostContext};

/// How long a conflict is retried before the request fails.
pub(crate) const RETRY_DEADLINE: Duration = Duration::from_secs(5);
/// Seconds until recovery takes up an operation that its request has not finished: longer than any
/// call to a PSP lasts.
pub(crate) const RECOVERY_DELAY_SECONDS: i64 = 15;
/// Seconds until an accepted operation without a notification is looked up.
pub(crate) const ACCEPTED_POLL_SECONDS: i64 = 60;

/// Who requests a change of a session, and what is committed with it.
#[derive(Default)]
pub(crate) struct ChangeContext<'a> {
    /// The merchant that must own the session.
    pub(crate) owner: Option<MerchantId>,
    /// The merchant's request, for its idempotency record.
    pub(crate) request: Option<&'a PostContext>,
    /// The shopper's payment-method token, for an attempt.
    pub(crate) payment_method: Option<&'a PaymentMethod>,
    /// The worker's lease.
    pub(crate) lease: Option<Lease>,
    /// A deadline that has passed by the store's clock: the decision is made at this time or later,
    /// since this node's clock may be behind.
    pub(crate) due_at: Option<Timestamp>,
}

/// A committed decision with the requests that it intends.
pub(crate) struct CommittedChange {
    pub(crate) decision: Decision,
    /// The requests to send now, with their operations.
    pub(crate) to_send: Vec<(Operation, PreparedRequest)>,
    /// The stored response, if the commit completed the request.
    pub(crate) response: Option<StoredResponse>,
}

impl CommittedChange {
    /// A decision that needed no commit.
    fn nothing(decision: Decision) -> Self {
        Self {
            decision,
            to_send: Vec::new(),
            response: None,
        }
    }
}

impl ChangeContext<'_> {
    /// Whether this is an attempt with a token that was used before. Checked after the session was
    /// read: an attempt in between makes the commit a conflict.
    async fn is_repeated_attempt(&self, app: &App, session: SessionId) -> Result<bool, Error> {
        let Some(method) = self.payment_method else {
            return Ok(false);
        };
        let token = TokenFingerprint::of(method.expose());
        Ok(app
            .inner()
            .store
            .checkout
            .has_attempt(session, token)
            .await?)
    }
}

/// A unit whose connection was lost during its commit and that `is_committed` did not find: the
/// database may still write it.
struct UncertainCommit {
    unit: UnitOfWork,
    change: CommittedChange,
}

/// The input with the session's operation in flight, for a command that may replace it. Read after
/// the session: a commit in between makes the command's commit a conflict.
async fn with_in_flight(app: &App, input: &Input, session: &Session) -> Result<Input, Error> {
    let mut input = input.clone();
    if let Input::Capture { in_flight, .. } | Input::Cancel { in_flight, .. } = &mut input
        && let Some(flight) = session.status.in_flight()
    {
        let operation = app
            .inner()
            .store
            .checkout
            .operation(flight.operation)
            .await?;
        *in_flight = operation.map(Box::new);
    }
    Ok(input)
}

/// Loads the session, decides and commits; retries on a conflict until the deadline. An attempt
/// with a token that was used before returns the session unchanged.
///
/// Errors with the decision's refusal, with `NotFound`, or with `Busy` if definitely nothing was
/// written.
pub(crate) async fn change_session(
    app: &App,
    id: SessionId,
    context: &ChangeContext<'_>,
    input: &Input,
) -> Result<CommittedChange, Error> {
    let _guard = app.inner().locks.lock(id).await;
    let mut uncertain = None;
    match change_session_locked(app, id, context, input, &mut uncertain).await {
        Err(busy @ Error::Busy(_)) if uncertain.is_some() => Err(Error::internal(busy)),
        other => other,
    }
}

async fn change_session_locked(
    app: &App,
    id: SessionId,
    context: &ChangeContext<'_>,
    input: &Input,
    uncertain: &mut Option<UncertainCommit>,
) -> Result<CommittedChange, Error> {
    let mut backoff = Backoff::new();
    loop {
        let session = load(app, id).await?;
        if let Some(change) = resolve_uncertain(app, &session, uncertain).await? {
            return Ok(change);
        }
        if context.owner.is_some_and(|owner| owner != session.merchant) {
            return Err(Error::NotFound);
        }
        if context.is_repeated_attempt(app, id).await? {
            // That attempt may have changed the session after it was read.
            let session = load(app, id).await?;
            return Ok(CommittedChange::nothing(Decision::nothing(session)));
        }
        let input = with_in_flight(app, input, &session).await?;
        let now = context.due_at.map_or(app.now(), |due| due.max(app.now()));
        let decision = session.decide(input, now)?;
        if decision.is_empty(&session) {
            return Ok(CommittedChange::nothing(decision));
        }
        let mut unit = unit_of(app, &decision, now);
        unit.lease = context.lease;
        let to_send = attach_operations(app, &mut unit, &decision, context)?;
        let response = attach_key(app, &mut unit, &decision, context, now);
        let change = CommittedChange {
            decision,
            to_send,
            response,
        };
        match try_commit(app, &unit).await {
            Ok(true) => return Ok(change),
            Ok(false) => *uncertain = Some(UncertainCommit { unit, change }),
            Err(CommitError::Conflict) => {}
            Err(error) => return Err(error.into()),
        }
        backoff.wait(app).await?;
    }
}

/// Resolves an uncertain commit once the session has reached the version that the unit would have
/// written: either this unit was committed and its intent stands, or it never will be.
async fn resolve_uncertain(
    app: &App,
    session: &Session,
    uncertain: &mut Option<UncertainCommit>,
) -> Result<Option<CommittedChange>, Error> {
    let is_settled =
        |uncertain: &mut UncertainCommit| session.version >= uncertain.unit.session.version;
    let Some(settled) = uncertain.take_if(is_settled) else {
        return Ok(None);
    };
    match app.inner().store.checkout.is_committed(&settled.unit).await {
        Ok(true) => Ok(Some(settled.change)),
        Ok(false) => Ok(None),
        Err(error) => {
            *uncertain = Some(settled);
            Err(error.into())
        }
    }
}

async fn load(app: &App, id: SessionId) -> Result<Session, Error> {
    let found = app.inner().store.checkout.session(id).await?;
    found.ok_or(Error::NotFound)
}

/// A unit with what every decision contains: session, refunds, changed operations, events, audit.
pub(crate) fn unit_of(app: &App, decision: &Decision, now: Timestamp) -> UnitOfWork {
    let (entropy, slot) = (&app.inner().entropy, decision.session.merchant.slot());
    let mut unit = UnitOfWork::of(entropy.id_in(slot, now), decision.session.clone());
    unit.refund.clone_from(&decision.refund);
    unit.changed_refunds.clone_from(&decision.changed_refunds);
    unit.changed_operations = decision
        .changed_operations
        .iter()
        .map(|operation| ChangedOperation {
            operation: operation.clone(),
            next_try_at: None,
        })
        .collect();
    unit.events = decision
        .events
        .iter()
        .map(|event| NewEvent {
            id: entropy.id_in(slot, now),
            event: event.clone(),
        })
        .collect();
    unit.audit = decision
        .audit
        .iter()
        .map(|(action, operation)| AuditEntry {
            id: entropy.id_in(slot, now),
            at: now,
            action: *action,
            merchant: Some(decision.session.merchant),
            session: Some(decision.session.id),
            operation: Some(*operation),
            detail: String::new(),
        })
        .collect();
    unit
}

/// Prepares the requests of new operations. An amount that the connector does not support is
/// refused here, before anything is written.
fn attach_operations(
    app: &App,
    unit: &mut UnitOfWork,
    decision: &Decision,
    context: &ChangeContext<'_>,
) -> Result<Vec<(Operation, PreparedRequest)>, Error> {
    let scope = context.request.and_then(PostContext::scope);
    let mut to_send = Vec::with_capacity(decision.operations.len());
    for operation in &decision.operations {
        let request = prepare(app, operation, context.payment_method)?;
        unit.operations.push(NewOperation {
            operation: operation.clone(),
            request: request.clone(),
            next_try_at: operation.not_before.plus_seconds(RECOVERY_DELAY_SECONDS),
            key: scope.clone(),
        });
        to_send.push((operation.clone(), request));
    }
    Ok(to_send)
}

/// The prepared request of an operation.
pub(crate) fn prepare(
    app: &App,
    operation: &Operation,
    payment_method: Option<&PaymentMethod>,
) -> Result<PreparedRequest, Error> {
    let connector = app
        .connector(&operation.account)
        .ok_or(Error::PspUnavailable)?;
    let instruction = operation
        .instruction()
        .ok_or_else(|| Error::internal("the operation's payment is missing"))?;
    let call = PspRequest {
        operation: operation.id,
        session: operation.session,
        instruction,
        payment_method,
    };
    connector.prepare(&call).map_err(|_| unsupported_amount())
}

/// The error for an amount that the PSP cannot represent exactly.
pub(crate) fn unsupported_amount() -> Error {
    let problem = "is not supported by the payment processor in this currency";
    Error::Field {
        field: "amount",
        problem,
    }
}

/// Adds the request's idempotency record: reserved while an operation is open, otherwise completed.
fn attach_key(
    app: &App,
    unit: &mut UnitOfWork,
    decision: &Decision,
    context: &ChangeContext<'_>,
    now: Timestamp,
) -> Option<StoredResponse> {
    let request = context.request?;
    let operation = decision.operations.first().map(|operation| operation.id);
    let response = operation.is_none().then(|| {
        let done = ApiResponse::Done(&decision.session);
        app.inner()
            .presenter
            .render(&done, &request.request_id, now)
    });
    if let (Some(scope), Some(idempotency)) = (request.scope(), &request.idempotency) {
        let fingerprint = idempotency.fingerprint;
        unit.key = match (&response, operation) {
            (Some(response), _) => Some(IdempotencyWrite::ReserveAndComplete {
                scope,
                fingerprint,
                response: response.clone(),
                at: now,
            }),
            (None, Some(operation)) => Some(IdempotencyWrite::Reserve {
                scope,
                fingerprint,
                operation,
                at: now,
            }),
            (None, None) => None,
        };
    }
    response
}

/// Commits a unit; if the connection is lost meanwhile, checks whether it was committed. A unit
/// that is not found is reported as a conflict: if it is written after all, the retry sees it.
pub(crate) async fn commit(app: &App, unit: UnitOfWork) -> Result<(), CommitError> {
    match try_commit(app, &unit).await {
        Ok(true) => Ok(()),
        Ok(false) => Err(CommitError::Conflict),
        Err(error) => Err(error),
    }
}

/// As [`commit`]; `false` if the unit was not found but may still be written.
async fn try_commit(app: &App, unit: &UnitOfWork) -> Result<bool, CommitError> {
    let checkout = &app.inner().store.checkout;
    let is_due = unit
        .operations
        .iter()
        .any(|new| new.next_try_at <= new.operation.not_before);
    let has_events = !unit.events.is_empty();
    let result = checkout.commit(unit.clone()).await;
    let result = match result {
        Err(CommitError::OutcomeUnknown) => match checkout.is_committed(unit).await {
            Ok(is_committed) => Ok(is_committed),
            Err(error) => {
                tracing::error!(error = &error as &dyn std::error::Error, unit = %unit.id,
                    "cannot determine whether a unit of work was committed");
                Err(CommitError::OutcomeUnknown)
            }
        },
        other => other.map(|()| true),
    };
    if result.is_ok() {
        let notifiers = &app.inner().notifiers;
        if is_due {
            notifiers.operations.notify_one();
        }
        if has_events {
            notifiers.deliveries.notify_one();
        }
    }
    result
}

/// Backoff for conflicts: bounded by time, not by count, with jitter.
pub(crate) struct Backoff {
    until: Instant,
    wait: Duration,
}

impl Backoff {
    /// The backoff of one request or one outcome.
    pub(crate) fn new() -> Self {
        Self {
            until: Instant::now() + RETRY_DEADLINE,
            wait: Duration::from_millis(2),
        }
    }

    /// Sleeps, longer each time; errors with `Busy` once the deadline has passed.
    pub(crate) async fn wait(&mut self, app: &App) -> Result<(), Error> {
        let [jitter] = app.inner().entropy.bytes::<1>();
        let wait = self.wait + self.wait.mul_f32(f32::from(jitter) / 255.0);
        if Instant::now() + wait > self.until {
            return Err(Error::Busy(None));
        }
        tokio::time::sleep(wait).await;
        self.wait = (self.wait * 2).min(Duration::from_millis(100));
        Ok(())
    }
}
