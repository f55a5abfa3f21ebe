//! Words about an attempt to authorise.

use super::{LATE_WORD_SECONDS, QUIET_SECONDS, note_progress, surely_not_sent};
use crate::{
    audit::AuditAction,
    operation::{CancelPurpose, CompensationBy, Operation, OperationKind, OperationStatus},
    psp::{Answer, Challenge, PspReference, RefusalReason, Word},
    session::{
        Accepted, AttemptOutcome, Cancelled, Draft, EndOutcome, EventKind, FailureCode, Heard,
        MAX_CHALLENGES, OpenChallenge, Refusal, Status, Step, Unpaid,
    },
};

pub(super) fn hear(draft: &mut Draft, heard: Heard) -> Result<(), Refusal> {
    note_details(draft, &heard);
    match heard.operation.status {
        OperationStatus::Requested if draft.is_current_attempt(heard.operation.id) => {
            hear_current(draft, heard)
        }
        // An attempt whose money the session keeps was never unwanted: caller and state disagree.
        _ if keeps_open(draft, &heard) => Err(Refusal::Inconsistent(
            "an open attempt whose money the session keeps",
        )),
        OperationStatus::Requested | OperationStatus::Failed => {
            hear_unwanted(draft, heard);
            Ok(())
        }
        OperationStatus::Succeeded => hear_again(draft, heard),
    }
}

/// Notes the card and the reference that the PSP reports. The first report is kept, so that a
/// repeated or contradictory one changes nothing.
fn note_details(draft: &mut Draft, heard: &Heard) {
    let reference = match &heard.word {
        Word::Answer(Answer::Done { reference, .. } | Answer::Accepted { reference }) => {
            Some(reference)
        }
        Word::Answer(Answer::ActionRequired(challenge)) => Some(&challenge.reference),
        Word::Answer(Answer::Refused(_)) | Word::NotSent | Word::Unknown | Word::NotFound => None,
    };
    let Some(attempt) = draft.session.attempt_mut(heard.operation.id) else {
        return;
    };
    if attempt.reference.is_none() {
        attempt.reference = reference.cloned();
    }
    if attempt.card.is_none() {
        attempt.card.clone_from(&heard.card);
    }
}

fn keeps_open(draft: &Draft, heard: &Heard) -> bool {
    let Some(payment) = draft.session.status.payment() else {
        return false;
    };
    payment.attempt == heard.operation.id && heard.operation.status != OperationStatus::Succeeded
}

/// The attempt that the session waits for.
fn hear_current(draft: &mut Draft, heard: Heard) -> Result<(), Refusal> {
    let Heard {
        operation,
        word,
        spare,
        ..
    } = heard;
    match word {
        Word::Answer(Answer::Done {
            reference,
            captured,
        }) => {
            let operation = Operation {
                reference: Some(reference.clone()),
                ..operation
            };
            if note_outcome(
                draft,
                EndOutcome::Authorized {
                    reference: reference.clone(),
                    captured,
                },
            ) {
                draft.succeed(operation);
                return Ok(());
            }
            stand_or_go_back(
                draft,
                Stand {
                    attempt: operation,
                    reference,
                    captured,
                    spare,
                },
            )
        }
        Word::Answer(Answer::Refused(reason)) => {
            draft.fail(operation, reason.clone());
            if note_outcome(draft, EndOutcome::Refused(reason.clone())) {
                return Ok(());
            }
            nothing_held(draft, FailureCode::of_refusal(&reason))
        }
        Word::Answer(Answer::ActionRequired(ref challenge)) => {
            note_progress(draft, operation, &word);
            challenged(draft, challenge.clone(), spare);
            Ok(())
        }
        Word::Answer(Answer::Accepted { ref reference }) => {
            accepted(draft, reference.clone(), spare);
            note_progress(draft, operation, &word);
            Ok(())
        }
        Word::NotSent if surely_not_sent(&operation, &word) => {
            draft.end_attempt(operation.id, AttemptOutcome::Error(FailureCode::PspError));
            draft.fail(operation, RefusalReason::NeverSent);
            not_sent(draft)
        }
        Word::NotFound if is_believed(draft, &operation) => {
            draft.end_attempt(operation.id, AttemptOutcome::Expired);
            draft.fail(operation, RefusalReason::NothingHeld);
            draft.expire()
        }
        Word::NotSent | Word::Unknown | Word::NotFound => {
            note_progress(draft, operation, &word);
            Ok(())
        }
    }
}

/// While the attempt is being cancelled, what becomes known of it is kept until the cancel ends.
fn note_outcome(draft: &mut Draft, outcome: EndOutcome) -> bool {
    let Status::Pending(pending) = &mut draft.session.status else {
        return false;
    };
    let Step::Ending(ending) = &mut pending.step else {
        return false;
    };
    ending.outcome = Some(outcome);
    true
}

/// An authorisation that has been confirmed, and what may be needed to send it back.
pub(super) struct Stand {
    pub(super) attempt: Operation,
    pub(super) reference: PspReference,
    pub(super) captured: bool,
    pub(super) spare: crate::id::OperationId,
}

/// The session keeps the authorisation, unless the word came too long after its expiry.
pub(super) fn stand_or_go_back(draft: &mut Draft, stand: Stand) -> Result<(), Refusal> {
    let Stand {
        mut attempt,
        reference,
        captured,
        spare,
    } = stand;
    attempt.status = OperationStatus::Succeeded;
    if draft.now <= draft.session.expires_at.plus_seconds(LATE_WORD_SECONDS) {
        let id = attempt.id;
        draft.succeed(attempt);
        return draft.keep(id, reference, captured);
    }
    draft.compensate(attempt, spare, (reference, way_back(captured)));
    draft.expire()
}

fn way_back(captured: bool) -> CompensationBy {
    if captured {
        CompensationBy::Refund
    } else {
        CompensationBy::Void
    }
}

/// The PSP confirmed that the current attempt holds nothing.
pub(super) fn nothing_held(draft: &mut Draft, failure: FailureCode) -> Result<(), Refusal> {
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

fn challenged(draft: &mut Draft, challenge: Challenge, spare: crate::id::OperationId) {
    let (now, past_expiry) = (draft.now, draft.is_past_expiry());
    let Status::Pending(pending) = &mut draft.session.status else {
        return;
    };
    let opened_at = match &pending.step {
        Step::Asking => None,
        Step::Accepted(accepted) => accepted.challenge_since,
        Step::Challenge(_) | Step::Ending(_) => return,
    };
    if opened_at.is_none() && past_expiry {
        pending.expiring = true;
        draft.start_ending(spare, CancelPurpose::Expiry, challenge.reference);
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

fn accepted(draft: &mut Draft, reference: PspReference, spare: crate::id::OperationId) {
    let Status::Pending(pending) = &mut draft.session.status else {
        return;
    };
    let challenge_since = match &pending.step {
        Step::Asking if pending.expiring => {
            draft.start_ending(spare, CancelPurpose::Expiry, reference);
            return;
        }
        Step::Asking => None,
        // The shopper has finished the challenge, and the PSP has not decided yet.
        Step::Challenge(open) => Some(open.since),
        Step::Accepted(_) | Step::Ending(_) => return,
    };
    pending.step = Step::Accepted(Accepted {
        reference,
        challenge_since,
    });
}

fn not_sent(draft: &mut Draft) -> Result<(), Refusal> {
    if draft.is_past_expiry() {
        return draft.expire();
    }
    draft.session.status = Status::Error(Unpaid {
        failure: FailureCode::PspError,
        retry: true,
    });
    draft.emit(EventKind::PaymentError)
}

/// Past the expiry the attempt is never sent again, so after a quiet time "not found" is true.
fn is_believed(draft: &Draft, operation: &Operation) -> bool {
    let expiring = matches!(&draft.session.status,
        Status::Pending(pending) if pending.expiring && pending.step == Step::Asking);
    expiring && draft.now >= operation.last_sent_at.plus_seconds(QUIET_SECONDS)
}

/// An attempt that the session does not wait for (any more).
fn hear_unwanted(draft: &mut Draft, heard: Heard) {
    let Heard {
        mut operation,
        word,
        spare,
        ..
    } = heard;
    match word {
        Word::Answer(Answer::Done {
            reference,
            captured,
        }) => {
            operation.status = OperationStatus::Succeeded;
            operation.reference = Some(reference.clone());
            if operation.compensated {
                draft.changed(operation);
            } else {
                draft.compensate(operation, spare, (reference, way_back(captured)));
            }
        }
        // An open challenge could still become money, unless it is the one that was cancelled.
        Word::Answer(Answer::ActionRequired(Challenge { reference, .. }))
            if !operation.compensated && operation.reference.is_none() =>
        {
            operation.reference = Some(reference.clone());
            draft.compensate(operation, spare, (reference, CompensationBy::Void));
        }
        Word::Answer(Answer::Accepted { reference })
            if !operation.compensated && operation.reference.is_none() =>
        {
            operation.reference = Some(reference.clone());
            draft.compensate(operation, spare, (reference, CompensationBy::Void));
        }
        Word::Answer(Answer::Refused(reason)) if operation.is_open() => {
            draft.fail(operation, reason);
        }
        _ => {}
    }
}

/// An attempt that has been authorised before.
fn hear_again(draft: &mut Draft, heard: Heard) -> Result<(), Refusal> {
    let Word::Answer(Answer::Refused(reason)) = heard.word else {
        return Ok(());
    };
    let code = match reason {
        RefusalReason::AuthorizationExpired => FailureCode::AuthorizationExpired,
        _ => FailureCode::VoidedAtPsp,
    };
    let id = heard.operation.id;
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
            super::capture::take_back(draft, &heard.unsent_refunds)
        }
        Status::Pending(pending) if pending.attempt == id => {
            if let Step::Ending(ending) = &mut pending.step {
                ending.outcome = Some(EndOutcome::Refused(reason));
            }
            Ok(())
        }
        Status::Captured(_) => {
            draft.note(AuditAction::UnexpectedFact, id);
            Ok(())
        }
        // What was captured at once may have been sent back before the PSP took the capture back.
        _ if heard.operation.compensated && is_sale(&heard.operation) => {
            draft.note(AuditAction::RefundOfFailedCapture, id);
            Ok(())
        }
        _ => Ok(()),
    }
}

fn is_sale(attempt: &Operation) -> bool {
    matches!(attempt.kind, OperationKind::Authorize { capture: true, .. })
}
