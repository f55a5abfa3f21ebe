//! PSP results for a capture.

use super::{is_definitely_not_sent, record_progress};
use crate::{
    audit::AuditAction,
    operation::{Operation, OperationStatus},
    psp::{PspResponse, PspResult, RefusalReason},
    refund::{Refund, RefundStatus},
    session::{
        Authorized, Cancelled, CaptureFailed, Captured, Draft, EventKind, FailureCode, PspUpdate,
        Refunds, Refusal, Status,
    },
};

pub(super) fn apply(draft: &mut Draft, update: PspUpdate, automatic: bool) -> Result<(), Refusal> {
    match update.operation.status {
        OperationStatus::Requested => apply_to_open(draft, update, automatic),
        OperationStatus::Succeeded => apply_to_succeeded(draft, &update),
        OperationStatus::Failed => {
            if let PspResult::Response(PspResponse::Done { .. }) = update.result {
                draft.record_contradiction(update.operation);
            }
            Ok(())
        }
    }
}

fn apply_to_open(draft: &mut Draft, update: PspUpdate, automatic: bool) -> Result<(), Refusal> {
    let PspUpdate {
        operation,
        result,
        waiting,
        ..
    } = update;
    match result {
        PspResult::Response(PspResponse::Done { reference, .. }) => {
            let captured = operation.amount;
            let capture = operation.id;
            draft.succeed(Operation {
                reference: Some(reference),
                ..operation
            });
            let Status::Authorized(authorized) = &draft.session.status else {
                draft.record_audit(AuditAction::UnexpectedFact, capture);
                return Ok(());
            };
            let payment = authorized.payment.clone();
            let refunds = Refunds::none(captured);
            draft.session.status = Status::Captured(Captured {
                payment,
                capture,
                captured,
                refunds,
            });
            draft.emit(EventKind::PaymentCaptured)
        }
        PspResult::Response(PspResponse::Refused(reason)) => {
            draft.fail(operation, reason.clone());
            clear_in_flight(draft, |authorized| {
                authorized.planned_capture = None;
                record_lost_authorization(authorized, &reason);
            })?;
            let emits_event = !waiting || automatic;
            if emits_event && matches!(draft.session.status, Status::Authorized(_)) {
                let (kind, code) = (EventKind::PaymentCaptureFailed, FailureCode::CaptureFailed);
                draft.emit_refusal(kind, code, reason)?;
            }
            Ok(())
        }
        PspResult::NotSent
            if is_definitely_not_sent(&operation, &result) && (!automatic || is_lapsed(draft)) =>
        {
            let ordered = operation.amount;
            draft.fail(operation, RefusalReason::NeverSent);
            clear_in_flight(draft, |authorized| {
                if let Some(planned) = &mut authorized.planned_capture {
                    planned.amount = ordered;
                }
            })
        }
        // An automatic capture that could not be sent stays open, and recovery sends it again.
        _ => {
            record_progress(draft, operation, &result);
            Ok(())
        }
    }
}

/// Records that a capture or cancel was refused because nothing is held (any more).
pub(super) fn record_lost_authorization(authorized: &mut Authorized, reason: &RefusalReason) {
    let code = FailureCode::of_lost_authorization(reason);
    authorized.lapsed = authorized.lapsed.or(code);
}

fn is_lapsed(draft: &Draft) -> bool {
    matches!(&draft.session.status, Status::Authorized(authorized) if authorized.lapsed.is_some())
}

/// Ends the capture or cancel in flight; an authorization that lapsed meanwhile ends, too.
pub(super) fn clear_in_flight(
    draft: &mut Draft,
    change: impl FnOnce(&mut Authorized),
) -> Result<(), Refusal> {
    let Status::Authorized(authorized) = &mut draft.session.status else {
        return Err(Refusal::Inconsistent(
            "an operation in flight without an authorisation",
        ));
    };
    authorized.in_flight = None;
    change(authorized);
    let Some(code) = authorized.lapsed else {
        return Ok(());
    };
    let payment = authorized.payment.clone();
    draft.session.status = Status::Cancelled(Cancelled {
        payment,
        failure: Some(code),
    });
    draft.emit(EventKind::PaymentCancelled)
}

fn apply_to_succeeded(draft: &mut Draft, update: &PspUpdate) -> Result<(), Refusal> {
    let PspResult::Response(PspResponse::Refused(_)) = update.result else {
        return Ok(());
    };
    match &draft.session.status {
        Status::Captured(captured) if captured.capture == update.operation.id => {
            revert_capture(draft, &update.unsent_refunds)
        }
        _ => Ok(()),
    }
}

/// The PSP reversed the capture: the session ends in `error`, and refunds that were never sent
/// fail.
pub(super) fn revert_capture(
    draft: &mut Draft,
    unsent: &[(Refund, Operation)],
) -> Result<(), Refusal> {
    let Status::Captured(captured) = &draft.session.status else {
        return Err(Refusal::Inconsistent("no capture to take back"));
    };
    let failed = CaptureFailed {
        payment: captured.payment.clone(),
        refunds: captured.refunds,
    };
    let capture = captured.capture;
    draft.session.status = Status::CaptureFailed(failed.clone());
    draft.emit(EventKind::PaymentCaptureFailed)?;
    if !failed.refunds.succeeded.is_zero() {
        draft.record_audit(AuditAction::RefundOfFailedCapture, capture);
    }
    for (refund, operation) in unsent {
        draft.fail(operation.clone(), RefusalReason::NothingHeld);
        let status = RefundStatus::Failed(RefusalReason::NothingHeld);
        let refund = Refund {
            status,
            updated_at: draft.now,
            ..refund.clone()
        };
        if let Status::CaptureFailed(state) = &mut draft.session.status {
            state.refunds.requested = state.refunds.requested.minus(refund.amount)?;
        }
        draft.emit_refund(EventKind::RefundFailed, &refund)?;
        draft.changed_refunds.push(refund);
    }
    Ok(())
}
