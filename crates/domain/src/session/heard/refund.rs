//! Words about a refund.

use super::{note_progress, surely_not_sent};
use crate::{
    audit::AuditAction,
    money::Money,
    operation::{Operation, OperationStatus},
    psp::{Answer, PspReference, RefusalReason, Word},
    refund::{Refund, RefundStatus},
    session::{Draft, EventKind, Heard, Refunds, Refusal, Status},
};

pub(super) fn hear(draft: &mut Draft, heard: Heard) -> Result<(), Refusal> {
    let Heard {
        operation,
        word,
        refund,
        ..
    } = heard;
    let refund = refund.ok_or(Refusal::Inconsistent(
        "a refund's operation without its refund",
    ))?;
    match (operation.status, word) {
        (OperationStatus::Requested, Word::Answer(Answer::Done { reference, .. })) => {
            paid_out(draft, operation, refund, reference)
        }
        (OperationStatus::Requested, Word::Answer(Answer::Refused(reason))) => {
            not_paid(draft, (operation, reason), refund, |totals, amount| {
                totals.requested = totals.requested.minus(amount)?;
                Ok(())
            })
        }
        // The capture was taken back while it was on its way: nothing more is paid out of it.
        (OperationStatus::Requested, word)
            if surely_not_sent(&operation, &word)
                && matches!(draft.session.status, Status::CaptureFailed(_)) =>
        {
            let reason = RefusalReason::NothingHeld;
            not_paid(draft, (operation, reason), refund, |totals, amount| {
                totals.requested = totals.requested.minus(amount)?;
                Ok(())
            })
        }
        (OperationStatus::Requested, word) => {
            if let Word::Answer(Answer::Accepted { reference }) = &word
                && refund.psp_reference.as_ref() != Some(reference)
            {
                let psp_reference = Some(reference.clone());
                let updated_at = draft.now;
                draft.changed_refunds.push(Refund {
                    psp_reference,
                    updated_at,
                    ..refund
                });
            }
            note_progress(draft, operation, &word);
            Ok(())
        }
        // Taken back after it was paid out: the amount is the merchant's again.
        (OperationStatus::Succeeded, Word::Answer(Answer::Refused(reason))) => {
            not_paid(draft, (operation, reason), refund, |totals, amount| {
                totals.succeeded = totals.succeeded.minus(amount)?;
                Ok(())
            })
        }
        (OperationStatus::Failed, Word::Answer(Answer::Done { .. })) => {
            draft.contradict(operation);
            Ok(())
        }
        _ => Ok(()),
    }
}

fn paid_out(
    draft: &mut Draft,
    operation: Operation,
    refund: Refund,
    reference: PspReference,
) -> Result<(), Refusal> {
    let id = operation.id;
    draft.succeed(Operation {
        reference: Some(reference.clone()),
        ..operation
    });
    move_totals(draft, |totals| {
        totals.requested = totals.requested.minus(refund.amount)?;
        totals.succeeded = totals.succeeded.plus(refund.amount)?;
        Ok(())
    })?;
    if matches!(draft.session.status, Status::CaptureFailed(_)) {
        draft.note(AuditAction::RefundOfFailedCapture, id);
    }
    let refund = Refund {
        psp_reference: Some(reference),
        ..refund
    };
    settle(
        draft,
        refund,
        RefundStatus::Succeeded,
        EventKind::RefundSucceeded,
    )
}

fn not_paid(
    draft: &mut Draft,
    (operation, reason): (Operation, RefusalReason),
    refund: Refund,
    give_back: impl FnOnce(&mut Refunds, Money) -> Result<(), Refusal>,
) -> Result<(), Refusal> {
    draft.fail(operation, reason.clone());
    move_totals(draft, |totals| give_back(totals, refund.amount))?;
    settle(
        draft,
        refund,
        RefundStatus::Failed(reason),
        EventKind::RefundFailed,
    )
}

fn settle(
    draft: &mut Draft,
    refund: Refund,
    status: RefundStatus,
    kind: EventKind,
) -> Result<(), Refusal> {
    let refund = Refund {
        status,
        updated_at: draft.now,
        ..refund
    };
    draft.emit_refund(kind, &refund)?;
    draft.changed_refunds.push(refund);
    Ok(())
}

fn move_totals(
    draft: &mut Draft,
    change: impl FnOnce(&mut Refunds) -> Result<(), Refusal>,
) -> Result<(), Refusal> {
    match &mut draft.session.status {
        Status::Captured(captured) => change(&mut captured.refunds),
        Status::CaptureFailed(failed) => change(&mut failed.refunds),
        _ => Err(Refusal::Inconsistent(
            "a refund of a session without a capture",
        )),
    }
}
