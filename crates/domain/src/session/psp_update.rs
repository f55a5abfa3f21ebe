//! Applies a PSP result (response, look-up, notification, time-out) to a session.
//!
//! Results may be repeated, late, or out of order: an outdated one changes nothing.

mod authorize;
mod cancel;
mod capture;
mod compensation;
mod refund;

use crate::{
    audit::AuditAction,
    id::OperationId,
    operation::{CancelPurpose, Operation, OperationKind, SendState},
    psp::{PspResponse, PspResult},
    session::{Draft, PspUpdate, Refusal},
};

/// How long after a session's expiry an authorization is still kept, in seconds.
pub const LATE_AUTHORIZATION_SECONDS: i64 = 900;

/// How long after its last sending a look-up that finds nothing becomes conclusive, in seconds;
/// only for attempts whose session is past its expiry, which are never sent again. No call lasts
/// longer than a sixth of this, and an even later authorization would be compensated.
pub const NOT_FOUND_GRACE_SECONDS: i64 = 60;

pub(super) fn apply(draft: &mut Draft, update: PspUpdate) -> Result<(), Refusal> {
    if update.operation.session != draft.session.id {
        return Err(Refusal::Inconsistent("the operation is of another session"));
    }
    if !update.details.match_operation(&update.operation) {
        record_mismatch(draft, update.operation);
        return Ok(());
    }
    match update.operation.kind.clone() {
        OperationKind::Authorize { .. } => authorize::apply(draft, update),
        OperationKind::Capture { automatic } => capture::apply(draft, update, automatic),
        OperationKind::Cancel(CancelPurpose::Merchant) => {
            cancel::apply_to_merchant_cancel(draft, update)
        }
        OperationKind::Cancel(CancelPurpose::Abandon | CancelPurpose::Expiry) => {
            cancel::apply_to_attempt_cancel(draft, update)
        }
        OperationKind::Refund(_) => refund::apply(draft, update),
        OperationKind::Compensation { of, by, round } => {
            compensation::apply(draft, update, of, by, round);
            Ok(())
        }
    }
}

/// Records that the PSP responded with another reference or amount: the outcome of an open operation
/// is unknown. Recorded once, however often the PSP repeats the response.
fn record_mismatch(draft: &mut Draft, operation: Operation) {
    if operation.is_open() && operation.sending != SendState::Mismatched {
        draft.record_audit(AuditAction::ResponseMismatched, operation.id);
        draft.update_open(operation, SendState::Mismatched, None);
    }
}

/// Updates the send state of an operation from a result that does not end it.
///
/// [`PspResult::NotSent`] counts only while nothing may have been sent before: a later try that
/// could not connect proves nothing about an earlier one.
fn record_progress(draft: &mut Draft, operation: Operation, result: &PspResult) {
    let before = operation.sending;
    let (sending, reference) = match result {
        PspResult::Response(PspResponse::Accepted { reference }) => {
            (SendState::Accepted, Some(reference.clone()))
        }
        PspResult::Response(PspResponse::ActionRequired(challenge)) => {
            (SendState::Accepted, Some(challenge.reference.clone()))
        }
        PspResult::NotSent if before == SendState::Intended => (SendState::NotSent, None),
        PspResult::Unknown
            if matches!(
                before,
                SendState::Intended | SendState::NotSent | SendState::Unknown
            ) =>
        {
            (SendState::Unknown, None)
        }
        PspResult::Response(_) | PspResult::NotSent | PspResult::Unknown | PspResult::NotFound => {
            (before, None)
        }
    };
    draft.update_open(operation, sending, reference);
}

/// Whether this result shows that the operation was definitely never sent.
fn is_definitely_not_sent(operation: &Operation, result: &PspResult) -> bool {
    *result == PspResult::NotSent
        && matches!(operation.sending, SendState::Intended | SendState::NotSent)
}

impl Draft {
    /// Whether this is the attempt that the session waits for.
    pub(super) fn is_current_attempt(&self, id: OperationId) -> bool {
        matches!(&self.session.status,
            super::Status::Pending(pending) if pending.attempt == id)
    }
}
