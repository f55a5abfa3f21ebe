//! PSP results for a cancel: the merchant's, or one that ends an attempt.

use super::{
    authorize::{ConfirmedAuthorization, end_without_funds, keep_or_compensate},
    capture::{clear_in_flight, record_lost_authorization},
    is_definitely_not_sent, record_progress,
};
use crate::{
    audit::AuditAction,
    id::OperationId,
    operation::{CompensationMethod, Operation, OperationKind, OperationStatus},
    psp::{PspResponse, PspResult, RefusalReason},
    session::{
        AttemptCancel, Cancelled, Draft, EventKind, FailureCode, OutcomeDuringCancel, PspUpdate,
        Refusal, Status, Step,
    },
};

/// Applies a result for a cancel that the merchant requested.
pub(super) fn apply_to_merchant_cancel(
    draft: &mut Draft,
    update: PspUpdate,
) -> Result<(), Refusal> {
    let PspUpdate {
        operation,
        result,
        waiting,
        next_operation_id,
        ..
    } = update;
    match (operation.status, result) {
        (OperationStatus::Requested, PspResult::Response(PspResponse::Done { reference, .. })) => {
            draft.succeed(Operation {
                reference: Some(reference),
                ..operation
            });
            let Status::Authorized(authorized) = &draft.session.status else {
                return Err(Refusal::Inconsistent(
                    "a cancel in flight without an authorisation",
                ));
            };
            let payment = authorized.payment.clone();
            draft.session.status = Status::Cancelled(Cancelled {
                payment,
                failure: None,
            });
            draft.emit(EventKind::PaymentCancelled)
        }
        (OperationStatus::Requested, PspResult::Response(PspResponse::Refused(reason))) => {
            draft.fail(operation, reason.clone());
            clear_in_flight(draft, |authorized| {
                record_lost_authorization(authorized, &reason);
            })?;
            if !waiting && matches!(draft.session.status, Status::Authorized(_)) {
                let (kind, code) = (EventKind::PaymentCancelFailed, FailureCode::PspError);
                draft.emit_refusal(kind, code, reason)?;
            }
            Ok(())
        }
        (OperationStatus::Requested, result) if is_definitely_not_sent(&operation, &result) => {
            draft.fail(operation, RefusalReason::NeverSent);
            clear_in_flight(draft, |_| {})
        }
        (OperationStatus::Requested, result) => {
            record_progress(draft, operation, &result);
            Ok(())
        }
        // Reversed after it was done: the status stays, but the amount must not stay reserved.
        (OperationStatus::Succeeded, PspResult::Response(PspResponse::Refused(_))) => {
            if let Status::Cancelled(cancelled) = &draft.session.status {
                let of = cancelled.payment.attempt;
                compensate_reverted_cancel(draft, operation, of, next_operation_id);
            }
            Ok(())
        }
        (OperationStatus::Failed, PspResult::Response(PspResponse::Done { .. })) => {
            draft.record_contradiction(operation);
            Ok(())
        }
        _ => Ok(()),
    }
}

/// Compensates an authorization that is held again because the PSP reversed its cancel.
fn compensate_reverted_cancel(
    draft: &mut Draft,
    mut cancel: Operation,
    of: OperationId,
    next_operation_id: OperationId,
) {
    let Some(payment) = cancel.payment.clone() else {
        return;
    };
    if cancel.compensated {
        return;
    }
    let kind = OperationKind::Compensation {
        of,
        by: CompensationMethod::Void,
        round: 0,
    };
    draft.start(next_operation_id, kind, cancel.amount, Some(payment));
    draft.record_audit(AuditAction::CompensationStarted, cancel.id);
    cancel.compensated = true;
    draft.change_operation(cancel);
}

/// Applies a result for a cancel that ends an abandoned or expired attempt.
pub(super) fn apply_to_attempt_cancel(draft: &mut Draft, update: PspUpdate) -> Result<(), Refusal> {
    let PspUpdate {
        operation,
        result,
        next_operation_id,
        attempt,
        ..
    } = update;
    match (operation.status, &result) {
        (OperationStatus::Requested, _) => {}
        // The session no longer refers to the attempt, so the compensation names the cancel
        // instead.
        (OperationStatus::Succeeded, PspResult::Response(PspResponse::Refused(_))) => {
            let of = operation.id;
            compensate_reverted_cancel(draft, operation, of, next_operation_id);
            return Ok(());
        }
        (OperationStatus::Failed, PspResult::Response(PspResponse::Done { .. })) => {
            draft.record_contradiction(operation);
            return Ok(());
        }
        (OperationStatus::Succeeded | OperationStatus::Failed, _) => return Ok(()),
    }
    let PspResult::Response(response) = result else {
        record_progress(draft, operation, &result);
        return Ok(());
    };
    let id = operation.id;
    match response {
        PspResponse::Done { reference, .. } => {
            draft.succeed(Operation {
                reference: Some(reference),
                ..operation
            });
            let Some(attempt_cancel) = attempt_cancel_by(draft, id) else {
                return Ok(());
            };
            complete_attempt_cancel(draft, &attempt_cancel, attempt)
        }
        PspResponse::Refused(reason) => {
            draft.fail(operation, reason.clone());
            let Some(attempt_cancel) = attempt_cancel_by(draft, id) else {
                return Ok(());
            };
            fail_attempt_cancel(draft, &attempt_cancel, &reason, attempt, next_operation_id)
        }
        response => {
            record_progress(draft, operation, &PspResult::Response(response));
            Ok(())
        }
    }
}

fn attempt_cancel_by(draft: &Draft, id: OperationId) -> Option<AttemptCancel> {
    match &draft.session.status {
        Status::Pending(pending) => match &pending.step {
            Step::Cancelling(attempt_cancel) if attempt_cancel.by == id => {
                Some(attempt_cancel.clone())
            }
            _ => None,
        },
        _ => None,
    }
}

/// The PSP confirmed that nothing is held.
fn complete_attempt_cancel(
    draft: &mut Draft,
    attempt_cancel: &AttemptCancel,
    attempt: Option<Operation>,
) -> Result<(), Refusal> {
    if let Some(attempt) = attempt.filter(Operation::is_open) {
        draft.fail(attempt, RefusalReason::NothingHeld);
    }
    let failure = match &attempt_cancel.outcome {
        // A refusal caused by the cancel itself is not a refusal of the issuer.
        Some(OutcomeDuringCancel::Refused(reason)) if !is_caused_by_cancel(reason) => {
            FailureCode::of_refusal(reason)
        }
        _ => FailureCode::AuthenticationAbandoned,
    };
    end_without_funds(draft, failure)
}

fn is_caused_by_cancel(reason: &RefusalReason) -> bool {
    matches!(reason, RefusalReason::Other(_) | RefusalReason::NothingHeld)
}

/// The PSP refused to cancel: the attempt has already ended, or will be looked up.
fn fail_attempt_cancel(
    draft: &mut Draft,
    attempt_cancel: &AttemptCancel,
    reason: &RefusalReason,
    attempt: Option<Operation>,
    next_operation_id: OperationId,
) -> Result<(), Refusal> {
    match (&attempt_cancel.outcome, reason, attempt) {
        (
            Some(OutcomeDuringCancel::Authorized {
                reference,
                captured,
            }),
            _,
            Some(attempt),
        ) => {
            let reference = reference.clone();
            let captured = *captured || *reason == RefusalReason::AlreadyCaptured;
            keep_or_compensate(
                draft,
                ConfirmedAuthorization {
                    attempt,
                    reference,
                    captured,
                    next_operation_id,
                },
            )
        }
        (Some(OutcomeDuringCancel::Refused(_)), _, attempt)
        | (None, RefusalReason::NothingHeld, attempt) => {
            complete_attempt_cancel(draft, attempt_cancel, attempt)
        }
        _ => {
            // No result yet: recovery looks the attempt up, and that result decides.
            if let Status::Pending(pending) = &mut draft.session.status {
                pending.step = Step::AwaitingResult;
            }
            Ok(())
        }
    }
}
