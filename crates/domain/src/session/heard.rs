//! What a word of the PSP (answer, look-up, notification, time-out) does to a session.
//!
//! Words may come twice, late, or out of order: an old one changes nothing.

mod authorize;
mod cancel;
mod capture;
mod compensation;
mod refund;

use crate::{
    id::OperationId,
    operation::{CancelPurpose, Operation, OperationKind, Sending},
    psp::{Answer, Word},
    session::{Draft, Heard, Refusal},
};

/// How long after a session's expiry the PSP's word for an authorisation still stands, in seconds.
pub const LATE_WORD_SECONDS: i64 = 900;

/// How long after its last sending a look-up that finds nothing is believed, in seconds; only for
/// attempts whose session is past its expiry, which are never sent again. No call lives longer
/// than a sixth of this, and money that came later still would be sent back.
pub const QUIET_SECONDS: i64 = 60;

pub(super) fn hear(draft: &mut Draft, heard: Heard) -> Result<(), Refusal> {
    if heard.operation.session != draft.session.id {
        return Err(Refusal::Inconsistent("the operation is of another session"));
    }
    match heard.operation.kind.clone() {
        OperationKind::Authorize { .. } => authorize::hear(draft, heard),
        OperationKind::Capture { automatic } => capture::hear(draft, heard, automatic),
        OperationKind::Cancel(CancelPurpose::Merchant) => cancel::hear_merchants(draft, heard),
        OperationKind::Cancel(CancelPurpose::Abandon | CancelPurpose::Expiry) => {
            cancel::hear_ending(draft, heard)
        }
        OperationKind::Refund(_) => refund::hear(draft, heard),
        OperationKind::Compensation { of, by, round } => {
            compensation::hear(draft, heard, (of, by, round));
            Ok(())
        }
    }
}

/// What a word that ends nothing says of the operation's way to the PSP.
///
/// [`Word::NotSent`] counts only while nothing may have been sent before: a later try that could
/// not connect proves nothing about an earlier one.
fn note_progress(draft: &mut Draft, operation: Operation, word: &Word) {
    let before = operation.sending;
    let (sending, reference) = match word {
        Word::Answer(Answer::Accepted { reference }) => {
            (Sending::Accepted, Some(reference.clone()))
        }
        Word::Answer(Answer::ActionRequired(challenge)) => {
            (Sending::Accepted, Some(challenge.reference.clone()))
        }
        Word::NotSent if before == Sending::Intended => (Sending::NotSent, None),
        Word::Unknown if before != Sending::Accepted => (Sending::Unknown, None),
        Word::Answer(_) | Word::NotSent | Word::Unknown | Word::NotFound => (before, None),
    };
    draft.keep_open(operation, sending, reference);
}

/// Whether this word says that the operation was surely never sent.
fn surely_not_sent(operation: &Operation, word: &Word) -> bool {
    *word == Word::NotSent && matches!(operation.sending, Sending::Intended | Sending::NotSent)
}

impl Draft {
    /// Whether this is the attempt that the session waits for.
    pub(super) fn is_current_attempt(&self, id: OperationId) -> bool {
        matches!(&self.session.status,
            super::Status::Pending(pending) if pending.attempt == id)
    }
}
