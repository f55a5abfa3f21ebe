//! Calls to a PSP: only ever with an intent that is committed.

use oncharge_domain::{operation::Operation, psp::Word};
use oncharge_ports::psp::{PreparedRequest, PspError};
use tracing::warn;

use crate::App;

/// Sends an operation's request and says what was learned.
pub(crate) async fn send(app: &App, operation: &Operation, request: &PreparedRequest) -> Word {
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
