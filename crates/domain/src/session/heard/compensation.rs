//! Words about money that is being sent back.

use super::note_progress;
use crate::{
    audit::AuditAction,
    id::OperationId,
    operation::{CompensationBy, Operation},
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
    if !operation.is_open() {
        return;
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
