//! Words about a capture.

use time::Duration;

use super::{note_progress, surely_not_sent};
use crate::{
    audit::AuditAction,
    operation::{Operation, OperationStatus},
    psp::{Answer, RefusalReason, Word},
    refund::{Refund, RefundStatus},
    retry,
    session::{
        Authorized, Cancelled, CaptureFailed, Captured, Draft, EventKind, Heard, Refunds, Refusal,
        Status,
    },
};

pub(super) fn hear(draft: &mut Draft, heard: Heard, automatic: bool) -> Result<(), Refusal> {
    match heard.operation.status {
        OperationStatus::Requested => hear_open(draft, heard, automatic),
        OperationStatus::Succeeded => hear_again(draft, &heard),
        OperationStatus::Failed => {
            if let Word::Answer(Answer::Done { .. }) = heard.word {
                draft.note(AuditAction::UnexpectedFact, heard.operation.id);
            }
            Ok(())
        }
    }
}

fn hear_open(draft: &mut Draft, heard: Heard, automatic: bool) -> Result<(), Refusal> {
    let Heard {
        operation,
        word,
        waiting,
        ..
    } = heard;
    match word {
        Word::Answer(Answer::Done { reference, .. }) => {
            let captured = operation.amount;
            let capture = operation.id;
            draft.succeed(Operation {
                reference: Some(reference),
                ..operation
            });
            let Status::Authorized(authorized) = &draft.session.status else {
                draft.note(AuditAction::UnexpectedFact, capture);
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
        Word::Answer(Answer::Refused(reason)) => {
            draft.fail(operation, reason);
            let told = !waiting || automatic;
            free_place(draft, |authorized| {
                if automatic {
                    authorized.capture_due = None;
                }
            })?;
            if told && matches!(draft.session.status, Status::Authorized(_)) {
                draft.emit(EventKind::PaymentCaptureFailed)?;
            }
            Ok(())
        }
        Word::NotSent if surely_not_sent(&operation, &word) => {
            draft.fail(operation, RefusalReason::NeverSent);
            let now = draft.now;
            free_place(draft, |authorized| {
                if automatic {
                    let wait = retry::wait(authorized.capture_tries, Duration::ZERO, 0);
                    authorized.capture_due = Some(now.plus(wait));
                    authorized.capture_tries = authorized.capture_tries.saturating_add(1);
                }
            })
        }
        _ => {
            note_progress(draft, operation, &word);
            Ok(())
        }
    }
}

/// The place for a capture or cancel is free again; an authorisation that lapsed meanwhile ends.
pub(super) fn free_place(
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

fn hear_again(draft: &mut Draft, heard: &Heard) -> Result<(), Refusal> {
    let Word::Answer(Answer::Refused(_)) = heard.word else {
        return Ok(());
    };
    match &draft.session.status {
        Status::Captured(captured) if captured.capture == heard.operation.id => {
            take_back(draft, &heard.unsent_refunds)
        }
        _ => Ok(()),
    }
}

/// The PSP took the capture back: the session ends in `error`, refunds that were never sent fail.
pub(super) fn take_back(draft: &mut Draft, unsent: &[(Refund, Operation)]) -> Result<(), Refusal> {
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
        draft.note(AuditAction::RefundOfFailedCapture, capture);
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
