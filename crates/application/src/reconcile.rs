//! Holds our operations against the PSP's own word on each.

use oncharge_domain::{
    operation::{Operation, OperationKind, OperationStatus, Sending},
    psp::{Answer, RefusalReason},
    session::Status,
    time::Timestamp,
};
use tracing::warn;

use crate::{App, Error};

/// How many operations are read at once.
const PAGE: u32 = 200;

/// Something that we and the PSP see differently.
#[derive(Debug, Clone)]
pub struct Difference {
    /// The operation as we have it.
    pub operation: Operation,
    /// What we say: `open`, `succeeded` or `failed`.
    pub ours: &'static str,
    /// What the PSP says: `done`, `accepted`, `action_required`, `refused` or `not_found`.
    pub theirs: &'static str,
}

/// What a walk has come to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Reconciled {
    /// How many operations were compared.
    pub compared: u64,
    /// How many of them are seen differently.
    pub differences: u64,
    /// How many could not be asked about: no answer from the PSP, or its account is not configured.
    pub unreachable: u64,
}

/// Walks every operation that was created at or after `since`, asks the PSP about each, and reports
/// what differs. Changes nothing.
///
/// Errors: `Busy`, `Internal` where our own store fails.
pub async fn run(
    app: &App,
    since: Timestamp,
    report: &mut (dyn FnMut(&Difference) + Send),
) -> Result<Reconciled, Error> {
    let (mut sum, mut after) = (Reconciled::default(), None);
    loop {
        let page = app.inner().checkout.operations(since, after, PAGE).await?;
        let Some(last) = page.last() else {
            return Ok(sum);
        };
        after = Some(last.id);
        for operation in page {
            compare(app, operation, &mut sum, report).await?;
        }
    }
}

async fn compare(
    app: &App,
    operation: Operation,
    sum: &mut Reconciled,
    report: &mut (dyn FnMut(&Difference) + Send),
) -> Result<(), Error> {
    let psp = app.inner().psps.account(&operation.account);
    let Some(psp) = psp else {
        warn!(operation = %operation.id, "the operation's PSP account is not configured");
        sum.unreachable = sum.unreachable.saturating_add(1);
        return Ok(());
    };
    let theirs = match psp.look_up(operation.id).await {
        Ok(theirs) => theirs,
        Err(error) => {
            warn!(operation = %operation.id, %error, "the PSP could not be asked");
            sum.unreachable = sum.unreachable.saturating_add(1);
            return Ok(());
        }
    };
    sum.compared = sum.compared.saturating_add(1);
    if fits(&operation, theirs.as_ref()) {
        return Ok(());
    }
    // What has moved on while the PSP was asked is no difference.
    let now = app.inner().checkout.operation(operation.id).await?;
    let operation = now.unwrap_or(operation);
    if !fits(&operation, theirs.as_ref()) && !is_known(app, &operation, theirs.as_ref()).await? {
        sum.differences = sum.differences.saturating_add(1);
        report(&Difference {
            ours: ours(&operation),
            theirs: name(theirs.as_ref()),
            operation,
        });
    }
    Ok(())
}

/// Whether both can be true at once. An operation that is open here fits whatever is not final
/// there, and one that was surely not sent yet fits "not found".
fn fits(operation: &Operation, theirs: Option<&Answer>) -> bool {
    match (operation.status, theirs) {
        (OperationStatus::Succeeded, Some(Answer::Done { .. }))
        | (OperationStatus::Failed, None | Some(Answer::Refused(_)))
        | (OperationStatus::Requested, Some(Answer::Accepted { .. } | Answer::ActionRequired(_))) => {
            true
        }
        (OperationStatus::Requested, None) => operation.sending != Sending::Accepted,
        (OperationStatus::Requested, Some(Answer::Done { .. } | Answer::Refused(_)))
        | (OperationStatus::Succeeded | OperationStatus::Failed, _) => false,
    }
}

/// Whether we know that the PSP took this success back. The operation did succeed and stays so; what
/// followed says the rest: a compensation, or how the session ended.
async fn is_known(
    app: &App,
    operation: &Operation,
    theirs: Option<&Answer>,
) -> Result<bool, Error> {
    let (OperationStatus::Succeeded, Some(Answer::Refused(reason))) = (operation.status, theirs)
    else {
        return Ok(false);
    };
    if operation.compensated {
        return Ok(true);
    }
    if matches!(operation.kind, OperationKind::Compensation { .. }) {
        // Where nothing was held any more, it counts as done.
        return Ok(*reason == RefusalReason::NothingHeld);
    }
    let session = app.inner().checkout.session(operation.session).await?;
    let (payment, by_its_end) = match session.map(|session| session.status) {
        Some(Status::Authorized(now)) => (now.payment, now.lapsed.is_some()),
        Some(Status::Cancelled(now)) => (now.payment, now.failure.is_some()),
        Some(Status::CaptureFailed(now)) => (now.payment, true),
        _ => return Ok(false),
    };
    Ok(by_its_end
        && match operation.kind {
            OperationKind::Authorize { .. } => payment.attempt == operation.id,
            OperationKind::Capture { .. } => true,
            _ => false,
        })
}

fn ours(operation: &Operation) -> &'static str {
    match operation.status {
        OperationStatus::Requested => "open",
        OperationStatus::Succeeded => "succeeded",
        OperationStatus::Failed => "failed",
    }
}

fn name(theirs: Option<&Answer>) -> &'static str {
    match theirs {
        None => "not_found",
        Some(Answer::Done { .. }) => "done",
        Some(Answer::Accepted { .. }) => "accepted",
        Some(Answer::ActionRequired(_)) => "action_required",
        Some(Answer::Refused(_)) => "refused",
    }
}
