//! What follows from a word of the PSP, committed with the answer that waits for it.

use oncharge_domain::{
    id::{NotificationId, OperationId, SessionId},
    operation::{CancelPurpose, Operation, OperationKind, OperationStatus, Sending},
    psp::{Answer, Word},
    refund::Refund,
    session::{Decision, Heard, Input, Session, Status},
    time::Timestamp,
};
use oncharge_ports::{
    CommitError, Presentable, RememberedAnswer, UnitOfWork,
    unit_of_work::{KeyRecord, KeyScope, KeyWrite, Lease, NewOperation},
};
use tracing::warn;

use crate::{
    App, Error,
    calling::CallResult,
    committing::{self, ACCEPTED_SECONDS, Patience},
};

/// A word of the PSP and who waits for what follows from it.
pub(crate) struct Learned {
    /// The operation's session.
    pub(crate) session: SessionId,
    pub(crate) operation: OperationId,
    pub(crate) result: CallResult,
    /// The request that waits, if one does.
    pub(crate) waiting: Option<Waiting>,
    /// The worker's lease, if a worker learned it.
    pub(crate) lease: Option<Lease>,
    /// The notification that told it, which is handled by what follows.
    pub(crate) handled: Option<NotificationId>,
    /// What is known already, so that the first try needs no reading.
    pub(crate) known: Option<Known>,
}

/// A merchant's request that waits for the outcome.
pub(crate) struct Waiting {
    pub(crate) scope: Option<KeyScope>,
    pub(crate) request_id: String,
}

/// What the intent has just committed.
pub(crate) struct Known {
    pub(crate) session: Session,
    pub(crate) operation: Operation,
    pub(crate) refund: Option<Refund>,
}

/// What followed.
pub(crate) struct Outcome {
    /// The session afterwards.
    pub(crate) session: Session,
    /// The operation afterwards.
    pub(crate) operation: Operation,
    /// Whether the word was news: something was committed because of it.
    pub(crate) was_news: bool,
    /// The answer for the merchant; `None` where the PSP could surely not be reached.
    pub(crate) answer: Option<RememberedAnswer>,
}

impl Outcome {
    fn of(after: Known, was_news: bool, answer: Option<RememberedAnswer>) -> Self {
        if was_news {
            count(&after.operation);
        }
        Self {
            session: after.session,
            operation: after.operation,
            was_news,
            answer,
        }
    }
}

/// Decides what follows from a word and commits it; again on a conflict until the deadline.
pub(crate) async fn learn(app: &App, learned: Learned) -> Result<Outcome, Error> {
    let Learned {
        session,
        operation,
        mut result,
        waiting,
        lease,
        handled,
        mut known,
    } = learned;
    let mut turn = app.inner().locks.lock(session).await;
    let mut patience = Patience::new();
    let mut is_confirmed = false;
    loop {
        let was_known = known.is_some();
        let case = match known.take() {
            Some(known) => known,
            None => load_in(app, session, operation).await?,
        };
        if !is_confirmed && contradicts(&case.operation, &result.word) {
            drop(turn);
            match confirm(app, &case.operation, &result).await {
                Some(current) => result = current,
                // The worker applies it later.
                None if lease.is_some() => return Err(Error::PspUnavailable),
                None => {}
            }
            is_confirmed = true;
            turn = app.inner().locks.lock(session).await;
            continue;
        }
        let now = app.now();
        let Some(decision) = decide(app, &case, &result, waiting.is_some(), now).await? else {
            patience.wait(app).await?;
            continue;
        };
        let is_news = !decision.is_empty(&case.session);
        let after = Known {
            operation: changed(&decision, &case.operation),
            refund: decision.changed_refunds.first().cloned().or(case.refund),
            session: decision.session.clone(),
        };
        // Right after the intent nobody else can have given the answer.
        let waits = waiting.as_ref().filter(|_| !was_known);
        let record = record(app, waits).await?;
        let (unit, answer) = if is_news {
            let (mut unit, answer) =
                unit(app, (&decision, &after), (waiting.as_ref(), lease), now).await?;
            unit.handled = handled;
            (Some(unit), answer)
        } else {
            old_news(app, &after, (waiting.as_ref(), record.as_ref()), now)
        };
        let answer = record.and_then(|record| record.answer).or(answer);
        let committed = match unit {
            Some(unit) => committing::commit(app, unit).await,
            None => Ok(()),
        };
        match committed {
            Ok(()) => return Ok(Outcome::of(after, is_news, answer)),
            // What the intent left behind has changed since: it is read anew at once.
            Err(CommitError::Conflict) if was_known => {}
            Err(CommitError::Conflict) => patience.wait(app).await?,
            Err(error) => return Err(error.into()),
        }
    }
}

/// Whether the PSP reports as done a capture, cancel, refund or compensation that failed here. An
/// authorization is not among them: what it holds is compensated.
fn contradicts(operation: &Operation, word: &Word) -> bool {
    operation.status == OperationStatus::Failed
        && !matches!(operation.kind, OperationKind::Authorize { .. })
        && matches!(word, Word::Answer(Answer::Done { .. }))
}

/// The current state of an operation at the PSP in place of a result that contradicts ours: a report
/// of success that is older than the failure, sent twice or out of order, is no contradiction.
/// `None` where the PSP cannot be asked.
async fn confirm(app: &App, operation: &Operation, result: &CallResult) -> Option<CallResult> {
    let psp = app.inner().psps.account(&operation.account)?;
    match psp.look_up(operation.id).await {
        Ok(found) => Some(found.map_or_else(|| result.clone(), CallResult::from)),
        Err(error) => {
            warn!(operation = %operation.id, %error, "a contradiction could not be confirmed");
            None
        }
    }
}

/// Decides what follows from a word; `None` where the decision has no effect and another process has
/// changed the session since it was read, so that it has to be read again. (A decision with an
/// effect needs no check here: its commit fails on a stale version.)
async fn decide(
    app: &App,
    case: &Known,
    result: &CallResult,
    waiting: bool,
    now: Timestamp,
) -> Result<Option<Decision>, Error> {
    let heard = heard(app, case, result, waiting, now).await?;
    let decision = case.session.decide(Input::Heard(Box::new(heard)), now);
    let has_effect = matches!(&decision, Ok(decision) if !decision.is_empty(&case.session));
    if has_effect || is_current(app, &case.session).await? {
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

/// The operation and its session as they are together at one time.
pub(crate) async fn load(app: &App, id: OperationId) -> Result<Known, Error> {
    load_in(app, session_of(app, id).await?, id).await
}

/// The session of an operation: it never changes.
async fn session_of(app: &App, id: OperationId) -> Result<SessionId, Error> {
    let found = app.inner().checkout.operation(id).await?;
    Ok(found.ok_or(Error::NotFound)?.session)
}

/// The session is read first: every change of an operation or refund raises its session's version in
/// the same commit. Where another process commits between these reads, the session is therefore
/// outdated: a commit that is based on it fails as a conflict, and [`decide`] checks the version of
/// what needs no commit. Read in the other order, an outdated operation would meet a current
/// session, and no version would show it.
async fn load_in(app: &App, session: SessionId, id: OperationId) -> Result<Known, Error> {
    let checkout = &app.inner().checkout;
    let session = checkout.session(session).await?.ok_or(Error::NotFound)?;
    let operation = checkout.operation(id).await?.ok_or(Error::NotFound)?;
    let refund = match operation.kind {
        OperationKind::Refund(refund) => checkout.refund(refund).await?,
        _ => None,
    };
    Ok(Known {
        session,
        operation,
        refund,
    })
}

/// Whether the session still has the version that was read, so that everything read since then
/// belongs to it.
async fn is_current(app: &App, read: &Session) -> Result<bool, Error> {
    let found = app.inner().checkout.session(read.id).await?;
    Ok(found.ok_or(Error::NotFound)?.version == read.version)
}

/// The word with all that the decision may touch.
async fn heard(
    app: &App,
    case: &Known,
    result: &CallResult,
    waiting: bool,
    now: Timestamp,
) -> Result<Heard, Error> {
    let word = &result.word;
    let checkout = &app.inner().checkout;
    let operation = case.operation.clone();
    let mut heard = Heard::new(
        operation,
        app.inner().entropy.id_in(case.session.merchant.slot(), now),
    );
    heard.word = word.clone();
    heard.card.clone_from(&result.card);
    heard.waiting = waiting;
    heard.refund.clone_from(&case.refund);
    if let (
        OperationKind::Cancel(CancelPurpose::Abandon | CancelPurpose::Expiry),
        Status::Pending(pending),
    ) = (&case.operation.kind, &case.session.status)
    {
        heard.attempt = checkout.operation(pending.attempt).await?;
    }
    let taken_back = matches!(word, Word::Answer(Answer::Refused(_)))
        && case.operation.status == OperationStatus::Succeeded
        && matches!(case.session.status, Status::Captured(_));
    if taken_back {
        heard.unsent_refunds = checkout.unsent_refunds(case.session.id).await?;
    }
    Ok(heard)
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
    (decision, after): (&Decision, &Known),
    (waiting, lease): (Option<&Waiting>, Option<Lease>),
    now: Timestamp,
) -> Result<(UnitOfWork, Option<RememberedAnswer>), Error> {
    let mut unit = committing::unit_of(app, decision, now);
    unit.lease = lease;
    for operation in &decision.operations {
        unit.operations.push(NewOperation {
            operation: operation.clone(),
            request: committing::prepare(app, operation, None)?,
            next_try_at: operation.not_before,
            key: None,
        });
    }
    for change in &mut unit.changed_operations {
        let wait = match change.operation.sending {
            Sending::Accepted => ACCEPTED_SECONDS,
            Sending::Intended | Sending::NotSent | Sending::Unknown => 1,
        };
        change.next_try_at = Some(now.plus_seconds(wait));
    }
    let answer = render(app, after, waiting, now);
    let scope = match waiting {
        Some(waiting) => waiting.scope.clone(),
        None if is_merchants(&after.operation) => {
            app.inner().checkout.waiting_key(after.operation.id).await?
        }
        None => None,
    };
    unit.key = match (scope, &answer) {
        (Some(scope), Some(answer)) => Some(KeyWrite::Remember {
            scope,
            answer: answer.clone(),
            at: now,
        }),
        (Some(scope), None) if frees_key(&after.operation) => Some(KeyWrite::Free { scope }),
        _ => None,
    };
    Ok((unit, answer))
}

/// Whether a merchant's request may wait for this operation.
fn is_merchants(operation: &Operation) -> bool {
    match operation.kind {
        OperationKind::Capture { automatic } => !automatic,
        OperationKind::Cancel(purpose) => purpose == CancelPurpose::Merchant,
        OperationKind::Refund(_) => true,
        OperationKind::Authorize { .. } | OperationKind::Compensation { .. } => false,
    }
}

/// `psp_unavailable` is never remembered: the commit that fails the operation frees the key.
fn frees_key(operation: &Operation) -> bool {
    is_merchants(operation) && operation.status == OperationStatus::Failed
}

/// The answer to the merchant; `None` where there is none to give (yet), or the PSP could surely
/// not be reached.
fn render(
    app: &App,
    after: &Known,
    waiting: Option<&Waiting>,
    now: Timestamp,
) -> Option<RememberedAnswer> {
    use oncharge_domain::psp::RefusalReason;
    if !is_merchants(&after.operation) {
        return None;
    }
    let session = &after.session;
    let answer = match (&after.operation.kind, after.operation.status) {
        (OperationKind::Refund(_), _) => Presentable::RefundOrdered(after.refund.as_ref()?),
        (_, OperationStatus::Succeeded) => Presentable::Done(session),
        (_, OperationStatus::Failed)
            if after.operation.failure == Some(RefusalReason::NeverSent) =>
        {
            return None;
        }
        // A refused cancel of an authorization that is gone: what was asked for is true.
        (OperationKind::Cancel(_), OperationStatus::Failed)
            if matches!(session.status, Status::Cancelled(_)) =>
        {
            Presentable::Done(session)
        }
        (_, OperationStatus::Failed) => Presentable::PspRejected,
        // Where no request is at hand, an answer is due as soon as the PSP has taken the operation
        // in: until its end may come, days can pass.
        (_, OperationStatus::Requested)
            if waiting.is_none() && after.operation.sending != Sending::Accepted =>
        {
            return None;
        }
        (_, OperationStatus::Requested) => Presentable::Accepted(session),
    };
    let request_id = waiting.map(|waiting| waiting.request_id.clone());
    // Where recovery answers, there is no request: the operation's id leads to the story.
    let request_id = request_id.unwrap_or_else(|| after.operation.id.to_string());
    Some(app.inner().presenter.present(&answer, &request_id, now))
}

/// The word says nothing new: somebody else has committed it meanwhile. Where the key has no
/// answer yet, this is the first, and it is remembered now.
fn old_news(
    app: &App,
    after: &Known,
    (waiting, record): (Option<&Waiting>, Option<&KeyRecord>),
    now: Timestamp,
) -> (Option<UnitOfWork>, Option<RememberedAnswer>) {
    let answer = render(app, after, waiting, now);
    let scope = waiting.and_then(|waiting| waiting.scope.clone());
    let is_reserved = record.is_some_and(|record| record.answer.is_none());
    let unit = match (scope, &answer) {
        (Some(scope), Some(answer)) if is_reserved => {
            let mut session = after.session.clone();
            session.version = session.version.saturating_add(1);
            let id = app.inner().entropy.id_in(session.merchant.slot(), now);
            let mut unit = UnitOfWork::of(id, session);
            unit.key = Some(KeyWrite::Remember {
                scope,
                answer: answer.clone(),
                at: now,
            });
            Some(unit)
        }
        _ => None,
    };
    (unit, answer)
}

/// The record of the key under which a request waits.
async fn record(app: &App, waiting: Option<&Waiting>) -> Result<Option<KeyRecord>, Error> {
    match waiting.and_then(|waiting| waiting.scope.as_ref()) {
        Some(scope) => Ok(app.inner().checkout.key(scope).await?),
        None => Ok(None),
    }
}
