//! PSP results for a compensation.

use super::record_progress;
use crate::{
    audit::AuditAction,
    id::OperationId,
    operation::{CompensationMethod, Operation, OperationStatus},
    psp::{PspResponse, PspResult, RefusalReason},
    session::{Draft, PspUpdate},
};

/// Applies a result for a compensation: a void refused because the amount was captured becomes a
/// refund, a refusal because nothing is held counts as done, and any other refusal is retried with
/// a growing delay.
pub(super) fn apply(
    draft: &mut Draft,
    update: PspUpdate,
    of: OperationId,
    by: CompensationMethod,
    round: u32,
) {
    let PspUpdate {
        operation,
        result,
        next_operation_id,
        ..
    } = update;
    match (operation.status, &result) {
        (OperationStatus::Requested, _) => {}
        (OperationStatus::Succeeded, PspResult::Response(PspResponse::Refused(reason)))
            if *reason != RefusalReason::NothingHeld =>
        {
            restart_compensation(draft, operation, next_operation_id, of, by, round);
            return;
        }
        (OperationStatus::Failed, PspResult::Response(PspResponse::Done { .. })) => {
            draft.record_contradiction(operation);
            return;
        }
        (OperationStatus::Succeeded | OperationStatus::Failed, _) => return,
    }
    let id = operation.id;
    match result {
        PspResult::Response(PspResponse::Done { reference, .. }) => {
            draft.succeed(Operation {
                reference: Some(reference),
                ..operation
            });
            draft.record_audit(AuditAction::CompensationDone, id);
        }
        PspResult::Response(PspResponse::Refused(RefusalReason::NothingHeld)) => {
            draft.succeed(operation);
            draft.record_audit(AuditAction::CompensationDone, id);
        }
        PspResult::Response(PspResponse::Refused(reason)) => {
            let (by, round) = match (by, &reason) {
                (CompensationMethod::Void, RefusalReason::AlreadyCaptured) => {
                    (CompensationMethod::Refund, 0)
                }
                _ => (by, round.saturating_add(1)),
            };
            draft.compensate_again(&operation, next_operation_id, of, by, round);
            draft.fail(operation, reason);
            draft.record_audit(AuditAction::CompensationRefused, id);
        }
        result => record_progress(draft, operation, &result),
    }
}

/// Starts another compensation, once, after the PSP reversed one that was done.
fn restart_compensation(
    draft: &mut Draft,
    mut done: Operation,
    next_operation_id: OperationId,
    of: OperationId,
    by: CompensationMethod,
    round: u32,
) {
    if done.compensated {
        return;
    }
    draft.compensate_again(&done, next_operation_id, of, by, round.saturating_add(1));
    draft.record_audit(AuditAction::CompensationRefused, done.id);
    done.compensated = true;
    draft.change_operation(done);
}
