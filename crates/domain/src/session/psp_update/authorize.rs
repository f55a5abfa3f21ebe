//! PSP results for an attempt to pay.

use super::{
    LATE_AUTHORIZATION_SECONDS, NOT_FOUND_GRACE_SECONDS, is_definitely_not_sent, record_progress,
};
use crate::{
    audit::AuditAction,
    operation::{
        CancelPurpose, CompensationMethod, Operation, OperationKind, OperationStatus, SendState,
    },
    psp::{Challenge, PspReference, PspResponse, PspResult, RefusalReason},
    session::{
        Accepted, AttemptOutcome, Cancelled, Draft, EventKind, FailureCode, MAX_CHALLENGES,
        OpenChallenge, OutcomeDuringCancel, PspUpdate, Refusal, Status, Step, Unpaid,
    },
};

pub(super) fn apply(draft: &mut Draft, update: PspUpdate) -> Result<(), Refusal> {
    note_details(draft, &update);
    match update.operation.status {
        OperationStatus::Requested if draft.is_current_attempt(update.operation.id) => {
            apply_to_current_attempt(draft, update)
        }
        // An attempt whose payment the session keeps cannot be open: caller and state contradict
        // each other.
        _ if is_kept_but_open(draft, &update) => Err(Refusal::Inconsistent(
            "an open attempt whose money the session keeps",
        )),
        OperationStatus::Requested | OperationStatus::Failed => {
            apply_to_unwanted_attempt(draft, update);
            Ok(())
        }
        OperationStatus::Succeeded => apply_to_succeeded(draft, update),
    }
}

/// Records the card and the reference that the PSP reports. The first report is kept, so that a
/// repeated or contradictory one changes nothing.
fn note_details(draft: &mut Draft, update: &PspUpdate) {
    let reference = match &update.result {
        PspResult::Response(response) => response.reference(),
        PspResult::NotSent | PspResult::Unknown | PspResult::NotFound => None,
    };
    let Some(attempt) = draft.session.attempt_mut(update.operation.id) else {
        return;
    };
    if attempt.reference.is_none() {
        attempt.reference = reference.cloned();
    }
    if attempt.card.is_none() {
        attempt.card.clone_from(&update.details.card);
    }
}

fn is_kept_but_open(draft: &Draft, update: &PspUpdate) -> bool {
    let Some(payment) = draft.session.status.payment() else {
        return false;
    };
    payment.attempt == update.operation.id && update.operation.status != OperationStatus::Succeeded
}

/// Applies a result for the attempt that the session waits for.
fn apply_to_current_attempt(draft: &mut Draft, update: PspUpdate) -> Result<(), Refusal> {
    let PspUpdate {
        operation,
        result,
        next_operation_id,
        ..
    } = update;
    match result {
        PspResult::Response(PspResponse::Done {
            reference,
            captured,
        }) => {
            let operation = Operation {
                reference: Some(reference.clone()),
                ..operation
            };
            if record_outcome(
                draft,
                OutcomeDuringCancel::Authorized {
                    reference: reference.clone(),
                    captured,
                },
            ) {
                draft.succeed(operation);
                return Ok(());
            }
            keep_or_compensate(
                draft,
                ConfirmedAuthorization {
                    attempt: operation,
                    reference,
                    captured,
                    next_operation_id,
                },
            )
        }
        PspResult::Response(PspResponse::Refused(reason)) => {
            draft.fail(operation, reason.clone());
            if record_outcome(draft, OutcomeDuringCancel::Refused(reason.clone())) {
                return Ok(());
            }
            end_without_funds(draft, FailureCode::of_refusal(&reason))
        }
        PspResult::Response(PspResponse::ActionRequired(ref challenge)) => {
            record_progress(draft, operation, &result);
            open_challenge(draft, challenge.clone(), next_operation_id);
            Ok(())
        }
        PspResult::Response(PspResponse::Accepted { ref reference }) => {
            mark_accepted(draft, reference.clone(), next_operation_id);
            record_progress(draft, operation, &result);
            Ok(())
        }
        PspResult::NotSent if is_definitely_not_sent(&operation, &result) => {
            draft.end_attempt(operation.id, AttemptOutcome::Error(FailureCode::PspError));
            draft.fail(operation, RefusalReason::NeverSent);
            fail_not_sent(draft)
        }
        PspResult::NotFound if is_not_found_conclusive(draft, &operation) => {
            draft.end_attempt(operation.id, AttemptOutcome::Expired);
            draft.fail(operation, RefusalReason::NothingHeld);
            draft.expire()
        }
        PspResult::NotSent | PspResult::Unknown | PspResult::NotFound => {
            record_progress(draft, operation, &result);
            Ok(())
        }
    }
}

/// Keeps a result for an attempt that is being cancelled until the cancel ends; `false` if none is.
fn record_outcome(draft: &mut Draft, outcome: OutcomeDuringCancel) -> bool {
    let Status::Pending(pending) = &mut draft.session.status else {
        return false;
    };
    let Step::Cancelling(attempt_cancel) = &mut pending.step else {
        return false;
    };
    attempt_cancel.outcome = Some(outcome);
    true
}

/// A confirmed authorization, with what its compensation may need.
pub(super) struct ConfirmedAuthorization {
    pub(super) attempt: Operation,
    pub(super) reference: PspReference,
    pub(super) captured: bool,
    pub(super) next_operation_id: crate::id::OperationId,
}

/// Keeps the authorization, unless it came too long after the session's expiry.
pub(super) fn keep_or_compensate(
    draft: &mut Draft,
    confirmed: ConfirmedAuthorization,
) -> Result<(), Refusal> {
    let ConfirmedAuthorization {
        mut attempt,
        reference,
        captured,
        next_operation_id,
    } = confirmed;
    attempt.status = OperationStatus::Succeeded;
    if draft.now
        <= draft
            .session
            .expires_at
            .plus_seconds(LATE_AUTHORIZATION_SECONDS)
    {
        let id = attempt.id;
        draft.succeed(attempt);
        return draft.keep_payment(id, reference, captured);
    }
    draft.compensate(
        attempt,
        next_operation_id,
        reference,
        compensation_method(captured),
    );
    draft.expire()
}

fn compensation_method(captured: bool) -> CompensationMethod {
    if captured {
        CompensationMethod::Refund
    } else {
        CompensationMethod::Void
    }
}

/// Ends the current attempt, which the PSP confirmed to hold nothing.
pub(super) fn end_without_funds(draft: &mut Draft, failure: FailureCode) -> Result<(), Refusal> {
    let past_expiry = draft.is_past_expiry();
    if let Status::Pending(pending) = &draft.session.status {
        let attempt = pending.attempt;
        let outcome = match failure {
            FailureCode::AuthenticationAbandoned if past_expiry => AttemptOutcome::Expired,
            _ => AttemptOutcome::Refused(failure),
        };
        draft.end_attempt(attempt, outcome);
    }
    if past_expiry {
        return draft.expire();
    }
    draft.refuse(failure)
}

fn open_challenge(
    draft: &mut Draft,
    challenge: Challenge,
    next_operation_id: crate::id::OperationId,
) {
    let (now, past_expiry) = (draft.now, draft.is_past_expiry());
    let Status::Pending(pending) = &mut draft.session.status else {
        return;
    };
    let opened_at = match &pending.step {
        Step::AwaitingResult => None,
        Step::Accepted(accepted) => accepted.challenge_since,
        Step::Challenge(_) | Step::Cancelling(_) => return,
    };
    if opened_at.is_none() && past_expiry {
        pending.expiring = true;
        draft.start_attempt_cancel(
            next_operation_id,
            CancelPurpose::Expiry,
            challenge.reference,
        );
        return;
    }
    // A repeated or reordered result must not prolong a challenge or count it twice.
    if opened_at.is_none() {
        let opened = draft.session.challenges.saturating_add(1);
        draft.session.challenges = opened.min(MAX_CHALLENGES);
    }
    pending.step = Step::Challenge(OpenChallenge {
        challenge,
        since: opened_at.unwrap_or(now),
    });
}

fn mark_accepted(
    draft: &mut Draft,
    reference: PspReference,
    next_operation_id: crate::id::OperationId,
) {
    let Status::Pending(pending) = &mut draft.session.status else {
        return;
    };
    let challenge_since = match &pending.step {
        Step::AwaitingResult if pending.expiring => {
            draft.start_attempt_cancel(next_operation_id, CancelPurpose::Expiry, reference);
            return;
        }
        Step::AwaitingResult => None,
        // The shopper has finished the challenge, and the PSP has not decided yet.
        Step::Challenge(open) => Some(open.since),
        Step::Accepted(_) | Step::Cancelling(_) => return,
    };
    pending.step = Step::Accepted(Accepted {
        reference,
        challenge_since,
    });
}

fn fail_not_sent(draft: &mut Draft) -> Result<(), Refusal> {
    if draft.is_past_expiry() {
        return draft.expire();
    }
    draft.session.status = Status::Error(Unpaid {
        failure: FailureCode::PspError,
        retry: true,
    });
    draft.emit(EventKind::PaymentError)
}

/// Past the expiry the attempt is never sent again, so "not found" is conclusive after a grace
/// period, unless the PSP has already responded.
fn is_not_found_conclusive(draft: &Draft, operation: &Operation) -> bool {
    let expiring = matches!(&draft.session.status,
        Status::Pending(pending) if pending.expiring && pending.step == Step::AwaitingResult);
    let has_response = operation.sending == SendState::Mismatched;
    expiring
        && !has_response
        && draft.now >= operation.last_sent_at.plus_seconds(NOT_FOUND_GRACE_SECONDS)
}

/// Applies a result for an attempt that the session does not wait for (any more).
fn apply_to_unwanted_attempt(draft: &mut Draft, update: PspUpdate) {
    let PspUpdate {
        mut operation,
        result,
        next_operation_id,
        ..
    } = update;
    match result {
        PspResult::Response(PspResponse::Done {
            reference,
            captured,
        }) => {
            operation.status = OperationStatus::Succeeded;
            operation.reference = Some(reference.clone());
            if operation.compensated {
                draft.change_operation(operation);
            } else {
                draft.compensate(
                    operation,
                    next_operation_id,
                    reference,
                    compensation_method(captured),
                );
            }
        }
        // An open challenge could still be authorized, unless it is the one that was cancelled.
        PspResult::Response(PspResponse::ActionRequired(Challenge { reference, .. }))
            if !operation.compensated && operation.reference.is_none() =>
        {
            operation.reference = Some(reference.clone());
            draft.compensate(
                operation,
                next_operation_id,
                reference,
                CompensationMethod::Void,
            );
        }
        PspResult::Response(PspResponse::Accepted { reference })
            if !operation.compensated && operation.reference.is_none() =>
        {
            operation.reference = Some(reference.clone());
            draft.compensate(
                operation,
                next_operation_id,
                reference,
                CompensationMethod::Void,
            );
        }
        PspResult::Response(PspResponse::Refused(reason)) if operation.is_open() => {
            draft.fail(operation, reason);
        }
        _ => {}
    }
}

/// Applies a result for an attempt that was authorized before.
fn apply_to_succeeded(draft: &mut Draft, update: PspUpdate) -> Result<(), Refusal> {
    let PspResult::Response(PspResponse::Refused(reason)) = update.result else {
        return Ok(());
    };
    let code = match reason {
        RefusalReason::AuthorizationExpired => FailureCode::AuthorizationExpired,
        _ => FailureCode::VoidedAtPsp,
    };
    let id = update.operation.id;
    match &mut draft.session.status {
        Status::Authorized(authorized) if authorized.payment.attempt == id => {
            if authorized.in_flight.is_some() {
                authorized.lapsed = Some(code);
                return Ok(());
            }
            let payment = authorized.payment.clone();
            draft.session.status = Status::Cancelled(Cancelled {
                payment,
                failure: Some(code),
            });
            draft.emit(EventKind::PaymentCancelled)
        }
        Status::Captured(captured) if captured.capture == id => {
            super::capture::revert_capture(draft, &update.unsent_refunds)
        }
        Status::Pending(pending) if pending.attempt == id => {
            if let Step::Cancelling(attempt_cancel) = &mut pending.step {
                attempt_cancel.outcome = Some(OutcomeDuringCancel::Refused(reason));
            }
            Ok(())
        }
        Status::Captured(_) => {
            draft.record_audit(AuditAction::UnexpectedFact, id);
            Ok(())
        }
        // A payment captured at once may have been refunded before the PSP reversed the capture.
        _ if update.operation.compensated && is_sale(&update.operation) => {
            draft.record_audit(AuditAction::RefundOfFailedCapture, id);
            Ok(())
        }
        _ => Ok(()),
    }
}

fn is_sale(attempt: &Operation) -> bool {
    matches!(attempt.kind, OperationKind::Authorize { capture: true, .. })
}
