//! Words about a capture.

use super::{note_progress, surely_not_sent};
use crate::{
    audit::AuditAction,
    operation::{Operation, OperationStatus},
    psp::{Answer, RefusalReason, Word},
    refund::{Refund, RefundStatus},
    session::{
        Authorized, Cancelled, CaptureFailed, Captured, Draft, EventKind, FailureCode, Heard,
        Refunds, Refusal, Status,
    },
};

pub(super) fn hear(draft: &mut Draft, heard: Heard, automatic: bool) -> Result<(), Refusal> {
    match heard.operation.status {
        OperationStatus::Requested => hear_open(draft, heard, automatic),
        OperationStatus::Succeeded => hear_again(draft, &heard),
        OperationStatus::Failed => {
            if let Word::Answer(Answer::Done { .. }) = heard.word {
                draft.contradict(heard.operation);
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
            draft.fail(operation, reason.clone());
            free_place(draft, |authorized| {
                authorized.planned_capture = None;
                note_lost_authorization(authorized, &reason);
            })?;
            let told = !waiting || automatic;
            if told && matches!(draft.session.status, Status::Authorized(_)) {
                let (kind, code) = (EventKind::PaymentCaptureFailed, FailureCode::CaptureFailed);
                draft.emit_refusal(kind, code, reason)?;
            }
            Ok(())
        }
        Word::NotSent if surely_not_sent(&operation, &word) && (!automatic || is_lapsed(draft)) => {
            let ordered = operation.amount;
            draft.fail(operation, RefusalReason::NeverSent);
            free_place(draft, |authorized| {
                if let Some(planned) = &mut authorized.planned_capture {
                    planned.amount = ordered;
                }
            })
        }
        // An automatic capture that could not be sent stays open, and recovery sends it again.
        _ => {
            note_progress(draft, operation, &word);
            Ok(())
        }
    }
}

/// A capture or cancel was refused because nothing is held (any more).
pub(super) fn note_lost_authorization(authorized: &mut Authorized, reason: &RefusalReason) {
    let code = FailureCode::of_lost_authorization(reason);
    authorized.lapsed = authorized.lapsed.or(code);
}

fn is_lapsed(draft: &Draft) -> bool {
    matches!(&draft.session.status, Status::Authorized(authorized) if authorized.lapsed.is_some())
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
