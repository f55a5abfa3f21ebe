//! Calls to a PSP: only ever with an intent that is committed.

use oncharge_domain::{operation::Operation, psp::Word};
use oncharge_ports::psp::{PreparedRequest, PspError};
use time::Duration;
use tracing::warn;

use crate::{App, committing::IN_HAND_SECONDS};

/// Sends an operation's request and says what was learned. The process that has announced a call may
/// have been suspended since: once the operation belongs to recovery, it is not sent from here.
/// Another process may have finished it, and the PSP may have forgotten its key.
pub(crate) async fn send(app: &App, operation: &Operation, request: &PreparedRequest) -> Word {
    let age = app.now().since(operation.last_sent_at);
    if age > Duration::seconds(IN_HAND_SECONDS) {
        warn!(operation = %operation.id, seconds = age.whole_seconds(),
            "too late to send: the operation is left to recovery");
        return Word::NotSent;
    }
    let Some(psp) = app.inner().psps.account(&operation.account) else {
        warn!(operation = %operation.id, "the operation's PSP account is not configured");
        return Word::NotSent;
    };
    let word = match psp.send(request).await {
        Ok(answer) => Word::Answer(answer),
        Err(error) => {
            warn!(operation = %operation.id, kind = operation.kind.name(), %error, "no answer from the PSP");
            match error {
                PspError::NotSent(_) => Word::NotSent,
                PspError::Unknown(_) => Word::Unknown,
            }
        }
    };
    metrics::counter!("oncharge_psp_words_total",
        "kind" => operation.kind.name(), "word" => word_name(&word))
    .increment(1);
    word
}

fn word_name(word: &Word) -> &'static str {
    use oncharge_domain::psp::Answer;
    match word {
        Word::Answer(Answer::Done { .. }) => "done",
        Word::Answer(Answer::Accepted { .. }) => "accepted",
        Word::Answer(Answer::ActionRequired(_)) => "action_required",
        Word::Answer(Answer::Refused(_)) => "refused",
        Word::NotSent => "not_sent",
        Word::Unknown => "unknown",
        Word::NotFound => "not_found",
    }
}
