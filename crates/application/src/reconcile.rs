//! Reconciliation: compares operations with the PSP's look-up of each.

use std::collections::HashMap;

use futures_util::{StreamExt, future::join_all, stream};
use oncharge_domain::{
    cursor::Position,
    id::OperationId,
    operation::{Operation, OperationKind, OperationStatus, SendState},
    psp::{PspAccount, PspResponse, RefusalReason},
    session::{OutcomeDuringCancel, Status, Step},
    time::Timestamp,
};
use tracing::warn;

use crate::{App, Error};

/// The number of operations read per page.
const PAGE_SIZE: u32 = 200;
/// The maximum number of concurrent look-ups per PSP account.
const MAX_LOOK_UPS_PER_ACCOUNT: usize = 8;

/// An operation whose state differs between OnCharge and the PSP.
#[derive(Debug, Clone)]
pub struct Difference {
    /// The operation as stored in OnCharge.
    pub operation: Operation,
    /// The state in OnCharge: `open`, `succeeded` or `failed`.
    pub ours: &'static str,
    /// The state at the PSP: `done`, `accepted`, `action_required`, `refused`, `not_found`,
    /// or `mismatched` if the PSP names another reference or amount.
    pub theirs: &'static str,
}

/// The operations to compare.
#[derive(Debug, Clone, Copy)]
pub struct Range {
    /// Those that were created at or after this time.
    pub since: Timestamp,
    /// Only those after this one; to resume an interrupted comparison.
    pub after: Option<OperationId>,
}

/// Progress of a comparison.
#[derive(Debug)]
pub enum Progress<'a> {
    /// An operation differs.
    Different(&'a Difference),
    /// All operations up to this one have been compared ([`Range::after`] takes its id), with these
    /// totals.
    ComparedUpTo(OperationId, ReconcileSummary),
}

/// The totals of a comparison.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ReconcileSummary {
    /// How many operations were compared.
    pub compared: u64,
    /// How many of them differ.
    pub differences: u64,
    /// How many could not be compared: the PSP or the store did not respond, or the PSP account is
    /// not configured.
    pub unreachable: u64,
}

/// The result of comparing one operation.
enum Comparison {
    Equal,
    Different(Box<Difference>),
    Unreachable,
}

/// Looks up every operation of a range at the PSP, oldest first, and reports differences. Changes
/// nothing. At most `MAX_LOOK_UPS_PER_ACCOUNT` look-ups of one account are in flight. A failed
/// look-up is counted, and the comparison continues.
///
/// Errors: `NotFound` if the operation `after` does not exist, `Busy`, `Internal` if a page of
/// operations cannot be read.
pub async fn run(
    app: &App,
    range: Range,
    report: &mut (dyn FnMut(Progress<'_>) + Send),
) -> Result<ReconcileSummary, Error> {
    let checkout = &app.inner().store.checkout;
    let mut after = match range.after {
        Some(id) => {
            let found = checkout.operation(id).await?;
            Some(position(&found.ok_or(Error::NotFound)?))
        }
        None => None,
    };
    let mut summary = ReconcileSummary::default();
    loop {
        let page = checkout.operations(range.since, after, PAGE_SIZE).await?;
        let Some(last) = page.last() else {
            return Ok(summary);
        };
        let up_to = last.id;
        after = Some(position(last));
        for comparison in compare_all(app, page).await {
            summary.add(&comparison);
            if let Comparison::Different(difference) = &comparison {
                report(Progress::Different(difference));
            }
        }
        report(Progress::ComparedUpTo(up_to, summary));
    }
}

fn position(operation: &Operation) -> Position {
    Position {
        created_at: operation.created_at,
        id: operation.id.uuid(),
    }
}

impl ReconcileSummary {
    fn add(&mut self, comparison: &Comparison) {
        let (compared, different, unreachable) = match comparison {
            Comparison::Equal => (1, 0, 0),
            Comparison::Different(_) => (1, 1, 0),
            Comparison::Unreachable => (0, 0, 1),
        };
        self.compared = self.compared.saturating_add(compared);
        self.differences = self.differences.saturating_add(different);
        self.unreachable = self.unreachable.saturating_add(unreachable);
    }
}

/// Compares all of them, the accounts concurrently.
async fn compare_all(app: &App, operations: Vec<Operation>) -> Vec<Comparison> {
    let mut by_account: HashMap<PspAccount, Vec<Operation>> = HashMap::new();
    for operation in operations {
        let account = operation.account.clone();
        by_account.entry(account).or_default().push(operation);
    }
    let accounts = by_account.into_values().map(|operations| {
        let each = operations
            .into_iter()
            .map(|operation| compare(app, operation));
        stream::iter(each)
            .buffered(MAX_LOOK_UPS_PER_ACCOUNT)
            .collect::<Vec<_>>()
    });
    join_all(accounts).await.into_iter().flatten().collect()
}

async fn compare(app: &App, operation: Operation) -> Comparison {
    let psp = app.inner().psps.account(&operation.account);
    let Some(psp) = psp else {
        warn!(operation = %operation.id, "the operation's PSP account is not configured");
        return Comparison::Unreachable;
    };
    let theirs = match psp.look_up(operation.id).await {
        Ok(Some(report)) if !operation.matches(&report.details) => {
            return Comparison::Different(Box::new(Difference {
                ours: ours(&operation),
                theirs: "mismatched",
                operation,
            }));
        }
        Ok(report) => report.map(|report| report.response),
        Err(error) => {
            warn!(operation = %operation.id, error = &error as &dyn std::error::Error,
                "cannot look up the operation at the PSP");
            return Comparison::Unreachable;
        }
    };
    let id = operation.id;
    match difference(app, operation, theirs.as_ref()).await {
        Ok(None) => Comparison::Equal,
        Ok(Some(difference)) => Comparison::Different(Box::new(difference)),
        Err(error) => {
            warn!(operation = %id, error = &error as &dyn std::error::Error,
                "cannot read the operation again");
            Comparison::Unreachable
        }
    }
}

/// The difference, unless the operation has changed during the look-up.
async fn difference(
    app: &App,
    operation: Operation,
    theirs: Option<&PspResponse>,
) -> Result<Option<Difference>, Error> {
    if is_consistent(&operation, theirs) {
        return Ok(None);
    }
    let now = app.inner().store.checkout.operation(operation.id).await?;
    let operation = now.unwrap_or(operation);
    if is_consistent(&operation, theirs) || is_known_reversal(app, &operation, theirs).await? {
        return Ok(None);
    }
    Ok(Some(Difference {
        ours: ours(&operation),
        theirs: name(theirs),
        operation,
    }))
}

/// Whether both states can be true at once. An operation that is open in OnCharge is consistent
/// with any non-final state at the PSP, and one that was definitely not sent, or not yet, with "not
/// found".
fn is_consistent(operation: &Operation, theirs: Option<&PspResponse>) -> bool {
    match (operation.status, theirs) {
        (OperationStatus::Succeeded, Some(PspResponse::Done { .. }))
        | (OperationStatus::Failed, None | Some(PspResponse::Refused(_)))
        | (
            OperationStatus::Requested,
            Some(PspResponse::Accepted { .. } | PspResponse::ActionRequired(_)),
        ) => true,
        (OperationStatus::Requested, None) => !matches!(
            operation.sending,
            SendState::Accepted | SendState::Mismatched
        ),
        (OperationStatus::Requested, Some(PspResponse::Done { .. } | PspResponse::Refused(_)))
        | (OperationStatus::Succeeded | OperationStatus::Failed, _) => false,
    }
}

/// Whether the PSP's reversal of this success is known. The operation did succeed and stays so;
/// what followed shows the reversal: a compensation, or how the session ended. An authorization
/// that its session never kept was reversed while its cancel was in flight.
async fn is_known_reversal(
    app: &App,
    operation: &Operation,
    theirs: Option<&PspResponse>,
) -> Result<bool, Error> {
    let (OperationStatus::Succeeded, Some(PspResponse::Refused(reason))) =
        (operation.status, theirs)
    else {
        return Ok(false);
    };
    if operation.compensated {
        return Ok(true);
    }
    if matches!(operation.kind, OperationKind::Compensation { .. }) {
        // If nothing was held any more, the compensation counts as done.
        return Ok(*reason == RefusalReason::NothingHeld);
    }
    let session = app
        .inner()
        .store
        .checkout
        .session(operation.session)
        .await?;
    let Some(status) = session.map(|session| session.status) else {
        return Ok(false);
    };
    let is_payment_lost = match &status {
        Status::Authorized(authorized) => authorized.lapsed.is_some(),
        // Also if the merchant cancelled it and the PSP had already ended it.
        Status::Cancelled(_) | Status::CaptureFailed(_) => true,
        _ => false,
    };
    Ok(match operation.kind {
        OperationKind::Authorize { .. } => match status.payment() {
            Some(payment) if payment.attempt == operation.id => is_payment_lost,
            _ => !is_awaited(&status, operation.id),
        },
        OperationKind::Capture { .. } => is_payment_lost,
        _ => false,
    })
}

/// Whether the session still waits for this attempt and has received no refusal of it.
fn is_awaited(status: &Status, attempt: OperationId) -> bool {
    let Status::Pending(pending) = status else {
        return false;
    };
    let is_refused = matches!(&pending.step,
        Step::Cancelling(ending) if matches!(ending.outcome, Some(OutcomeDuringCancel::Refused(_))));
    pending.attempt == attempt && !is_refused
}

fn ours(operation: &Operation) -> &'static str {
    match operation.status {
        OperationStatus::Requested => "open",
        OperationStatus::Succeeded => "succeeded",
        OperationStatus::Failed => "failed",
    }
}

fn name(theirs: Option<&PspResponse>) -> &'static str {
    match theirs {
        None => "not_found",
        Some(PspResponse::Done { .. }) => "done",
        Some(PspResponse::Accepted { .. }) => "accepted",
        Some(PspResponse::ActionRequired(_)) => "action_required",
        Some(PspResponse::Refused(_)) => "refused",
    }
}
