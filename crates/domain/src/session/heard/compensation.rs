//! Words about money that is being sent back.

use super::note_progress;
use crate::{
    audit::AuditAction,
    id::OperationId,
    operation::{CompensationBy, Operation, OperationStatus},
    psp::{Answer, RefusalReason, Word},
    session::{Draft, Heard},
};

/// Done counts as done; a void refused because the money was captured becomes a refund; refused
/// because nothing is held counts as done; any other refusal is tried again, later each time.
pub(super) fn hear(
    draft: &mut Draft,
    heard: Heard,
    (of, by, round): (OperationId, CompensationBy, u32),
) {
    let Heard {
        operation,
        word,
        spare,
        ..
    } = heard;
    match (operation.status, &word) {
        (OperationStatus::Requested, _) => {}
        (OperationStatus::Succeeded, Word::Answer(Answer::Refused(reason)))
            if *reason != RefusalReason::NothingHeld =>
        {
            taken_back(draft, operation, spare, (of, by, round));
            return;
        }
        (OperationStatus::Failed, Word::Answer(Answer::Done { .. })) => {
            draft.contradict(operation);
            return;
        }
        (OperationStatus::Succeeded | OperationStatus::Failed, _) => return,
    }
    let id = operation.id;
    match word {
        Word::Answer(Answer::Done { reference, .. }) => {
            draft.succeed(Operation {
                reference: Some(reference),
                ..operation
            });
            draft.note(AuditAction::CompensationDone, id);
        }
        Word::Answer(Answer::Refused(RefusalReason::NothingHeld)) => {
            draft.succeed(operation);
            draft.note(AuditAction::CompensationDone, id);
        }
        Word::Answer(Answer::Refused(reason)) => {
            let next = match (by, &reason) {
                (CompensationBy::Void, RefusalReason::AlreadyCaptured) => {
                    (of, CompensationBy::Refund, 0)
                }
                _ => (of, by, round.saturating_add(1)),
            };
            draft.compensate_again(&operation, spare, next);
            draft.fail(operation, reason);
            draft.note(AuditAction::CompensationRefused, id);
        }
        word => note_progress(draft, operation, &word),
    }
}

/// The PSP took back what it had sent back: another one is started, once.
fn taken_back(
    draft: &mut Draft,
    mut done: Operation,
    spare: OperationId,
    (of, by, round): (OperationId, CompensationBy, u32),
) {
    if done.compensated {
        return;
    }
    draft.compensate_again(&done, spare, (of, by, round.saturating_add(1)));
    draft.note(AuditAction::CompensationRefused, done.id);
    done.compensated = true;
    draft.changed(done);
}
