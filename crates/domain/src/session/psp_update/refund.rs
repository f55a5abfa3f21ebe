//! PSP results for a refund.

use super::{is_definitely_not_sent, record_progress};
use crate::{
    audit::AuditAction,
    money::Money,
    operation::{Operation, OperationStatus},
    psp::{PspReference, PspResponse, PspResult, RefusalReason},
    refund::{Refund, RefundStatus},
    session::{Draft, EventKind, PspUpdate, Refunds, Refusal, Status},
};

pub(super) fn apply(draft: &mut Draft, update: PspUpdate) -> Result<(), Refusal> {
    let PspUpdate {
        operation,
        result,
        refund,
        ..
    } = update;
    let refund = refund.ok_or(Refusal::Inconsistent(
        "a refund's operation without its refund",
    ))?;
    match (operation.status, result) {
        (OperationStatus::Requested, PspResult::Response(PspResponse::Done { reference, .. })) => {
            complete_refund(draft, operation, refund, reference)
        }
        (OperationStatus::Requested, PspResult::Response(PspResponse::Refused(reason))) => {
            fail_refund(draft, operation, reason, refund, |totals, amount| {
                totals.requested = totals.requested.minus(amount)?;
                Ok(())
            })
        }
        // The capture was reversed in the meantime: nothing more is paid out of it.
        (OperationStatus::Requested, result)
            if is_definitely_not_sent(&operation, &result)
                && matches!(draft.session.status, Status::CaptureFailed(_)) =>
        {
            let reason = RefusalReason::NothingHeld;
            fail_refund(draft, operation, reason, refund, |totals, amount| {
                totals.requested = totals.requested.minus(amount)?;
                Ok(())
            })
        }
        (OperationStatus::Requested, result) => {
            if let PspResult::Response(PspResponse::Accepted { reference }) = &result
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
            record_progress(draft, operation, &result);
            Ok(())
        }
        // Reversed after it was paid out: the amount is the merchant's again.
        (OperationStatus::Succeeded, PspResult::Response(PspResponse::Refused(reason))) => {
            fail_refund(draft, operation, reason, refund, |totals, amount| {
                totals.succeeded = totals.succeeded.minus(amount)?;
                Ok(())
            })
        }
        (OperationStatus::Failed, PspResult::Response(PspResponse::Done { .. })) => {
            draft.record_contradiction(operation);
            Ok(())
        }
        _ => Ok(()),
    }
}

fn complete_refund(
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
    update_totals(draft, |totals| {
        totals.requested = totals.requested.minus(refund.amount)?;
        totals.succeeded = totals.succeeded.plus(refund.amount)?;
        Ok(())
    })?;
    if matches!(draft.session.status, Status::CaptureFailed(_)) {
        draft.record_audit(AuditAction::RefundOfFailedCapture, id);
    }
    let refund = Refund {
        psp_reference: Some(reference),
        ..refund
    };
    finish_refund(
        draft,
        refund,
        RefundStatus::Succeeded,
        EventKind::RefundSucceeded,
    )
}

fn fail_refund(
    draft: &mut Draft,
    operation: Operation,
    reason: RefusalReason,
    refund: Refund,
    revert_totals: impl FnOnce(&mut Refunds, Money) -> Result<(), Refusal>,
) -> Result<(), Refusal> {
    draft.fail(operation, reason.clone());
    update_totals(draft, |totals| revert_totals(totals, refund.amount))?;
    finish_refund(
        draft,
        refund,
        RefundStatus::Failed(reason),
        EventKind::RefundFailed,
    )
}

fn finish_refund(
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

fn update_totals(
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
