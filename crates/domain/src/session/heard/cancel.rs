//! Words about a cancel: the merchant's, or one that ends an attempt.

use super::{
    authorize::{Stand, nothing_held, stand_or_go_back},
    capture::{free_place, note_lost_authorization},
    note_progress, surely_not_sent,
};
use crate::{
    audit::AuditAction,
    id::OperationId,
    operation::{CompensationBy, Operation, OperationKind, OperationStatus},
    psp::{Answer, RefusalReason, Word},
    session::{
        Cancelled, Draft, EndOutcome, Ending, EventKind, FailureCode, Heard, Refusal, Status, Step,
    },
};

/// A cancel that the merchant ordered.
pub(super) fn hear_merchants(draft: &mut Draft, heard: Heard) -> Result<(), Refusal> {
    let Heard {
        operation,
        word,
        waiting,
        spare,
        ..
    } = heard;
    match (operation.status, word) {
        (OperationStatus::Requested, Word::Answer(Answer::Done { reference, .. })) => {
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
        (OperationStatus::Requested, Word::Answer(Answer::Refused(reason))) => {
            draft.fail(operation, reason.clone());
            free_place(draft, |authorized| {
                note_lost_authorization(authorized, &reason);
            })?;
            if !waiting && matches!(draft.session.status, Status::Authorized(_)) {
                let (kind, code) = (EventKind::PaymentCancelFailed, FailureCode::PspError);
                draft.emit_refusal(kind, code, reason)?;
            }
            Ok(())
        }
        (OperationStatus::Requested, word) if surely_not_sent(&operation, &word) => {
            draft.fail(operation, RefusalReason::NeverSent);
            free_place(draft, |_| {})
        }
        (OperationStatus::Requested, word) => {
            note_progress(draft, operation, &word);
            Ok(())
        }
        // Taken back after it was done: the status stays, but the money must not stay held.
        (OperationStatus::Succeeded, Word::Answer(Answer::Refused(_))) => {
            if let Status::Cancelled(cancelled) = &draft.session.status {
                let of = cancelled.payment.attempt;
                release_again(draft, operation, of, spare);
            }
            Ok(())
        }
        (OperationStatus::Failed, Word::Answer(Answer::Done { .. })) => {
            draft.contradict(operation);
            Ok(())
        }
        _ => Ok(()),
    }
}

/// The PSP took a cancel back, so the money is held again: it goes back by a compensation.
fn release_again(draft: &mut Draft, mut cancel: Operation, of: OperationId, spare: OperationId) {
    let Some(payment) = cancel.payment.clone() else {
        return;
    };
    if cancel.compensated {
        return;
    }
    let kind = OperationKind::Compensation {
        of,
        by: CompensationBy::Void,
        round: 0,
    };
    draft.start(spare, kind, cancel.amount, Some(payment));
    draft.note(AuditAction::CompensationStarted, cancel.id);
    cancel.compensated = true;
    draft.changed(cancel);
}

/// A cancel that ends an attempt which was given up or whose time is over.
pub(super) fn hear_ending(draft: &mut Draft, heard: Heard) -> Result<(), Refusal> {
    let Heard {
        operation,
        word,
        spare,
        attempt,
        ..
    } = heard;
    match (operation.status, &word) {
        (OperationStatus::Requested, _) => {}
        // The session has moved on and no longer knows the attempt: the cancel stands for it.
        (OperationStatus::Succeeded, Word::Answer(Answer::Refused(_))) => {
            let of = operation.id;
            release_again(draft, operation, of, spare);
            return Ok(());
        }
        (OperationStatus::Failed, Word::Answer(Answer::Done { .. })) => {
            draft.contradict(operation);
            return Ok(());
        }
        (OperationStatus::Succeeded | OperationStatus::Failed, _) => return Ok(()),
    }
    let Word::Answer(answer) = word else {
        note_progress(draft, operation, &word);
        return Ok(());
    };
    let id = operation.id;
    match answer {
        Answer::Done { reference, .. } => {
            draft.succeed(Operation {
                reference: Some(reference),
                ..operation
            });
            let Some(ending) = ending_by(draft, id) else {
                return Ok(());
            };
            ended(draft, &ending, attempt)
        }
        Answer::Refused(reason) => {
            draft.fail(operation, reason.clone());
            let Some(ending) = ending_by(draft, id) else {
                return Ok(());
            };
            not_ended(draft, (ending, reason), (attempt, spare))
        }
        answer => {
            note_progress(draft, operation, &Word::Answer(answer));
            Ok(())
        }
    }
}

fn ending_by(draft: &Draft, id: OperationId) -> Option<Ending> {
    match &draft.session.status {
        Status::Pending(pending) => match &pending.step {
            Step::Ending(ending) if ending.by == id => Some(ending.clone()),
            _ => None,
        },
        _ => None,
    }
}

/// The PSP confirmed: nothing is held.
fn ended(draft: &mut Draft, ending: &Ending, attempt: Option<Operation>) -> Result<(), Refusal> {
    if let Some(attempt) = attempt.filter(Operation::is_open) {
        draft.fail(attempt, RefusalReason::NothingHeld);
    }
    let failure = match &ending.outcome {
        // What the cancel itself brought about is no refusal of the issuer.
        Some(EndOutcome::Refused(reason)) if !is_by_cancel(reason) => {
            FailureCode::of_refusal(reason)
        }
        _ => FailureCode::AuthenticationAbandoned,
    };
    nothing_held(draft, failure)
}

fn is_by_cancel(reason: &RefusalReason) -> bool {
    matches!(reason, RefusalReason::Other(_) | RefusalReason::NothingHeld)
}

/// The PSP refused to cancel: the attempt has come to an end of its own, or will be looked up.
fn not_ended(
    draft: &mut Draft,
    (ending, reason): (Ending, RefusalReason),
    (attempt, spare): (Option<Operation>, OperationId),
) -> Result<(), Refusal> {
    match (&ending.outcome, &reason, attempt) {
        (
            Some(EndOutcome::Authorized {
                reference,
                captured,
            }),
            _,
            Some(attempt),
        ) => {
            let reference = reference.clone();
            let captured = *captured || reason == RefusalReason::AlreadyCaptured;
            stand_or_go_back(
                draft,
                Stand {
                    attempt,
                    reference,
                    captured,
                    spare,
                },
            )
        }
        (Some(EndOutcome::Refused(_)), _, attempt)
        | (None, RefusalReason::NothingHeld, attempt) => ended(draft, &ending, attempt),
        _ => {
            // Nothing known: recovery looks the attempt up, and its word decides.
            if let Status::Pending(pending) = &mut draft.session.status {
                pending.step = Step::Asking;
            }
            Ok(())
        }
    }
}
