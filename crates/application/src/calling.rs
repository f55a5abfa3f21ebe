//! Calls to a PSP: only ever with an intent that is committed.

use oncharge_domain::{
    card::Card,
    operation::Operation,
    psp::{PspReport, Word},
};
use oncharge_ports::psp::{PreparedRequest, PspError};
use time::Duration;
use tracing::warn;

use crate::{App, committing::IN_HAND_SECONDS};

/// What became known of an operation, with the card where the PSP reports it.
#[derive(Clone)]
pub(crate) struct CallResult {
    pub(crate) word: Word,
    pub(crate) card: Option<Card>,
}

impl From<PspReport> for CallResult {
    fn from(report: PspReport) -> Self {
        Self {
            word: Word::Answer(report.answer),
            card: report.card,
        }
    }
}

impl From<Word> for CallResult {
    fn from(word: Word) -> Self {
        Self { word, card: None }
    }
}

/// Sends an operation's request and says what was learned. The process that has announced a call may
/// have been suspended since: once the operation belongs to recovery, it is not sent from here.
/// Another process may have finished it, and the PSP may have forgotten its key.
pub(crate) async fn send(
    app: &App,
    operation: &Operation,
    request: &PreparedRequest,
) -> CallResult {
    let age = app.now().since(operation.last_sent_at);
    if age > Duration::seconds(IN_HAND_SECONDS) {
        warn!(operation = %operation.id, seconds = age.whole_seconds(),
            "too late to send: the operation is left to recovery");
        return Word::NotSent.into();
    }
    let Some(psp) = app.inner().psps.account(&operation.account) else {
        warn!(operation = %operation.id, "the operation's PSP account is not configured");
        return Word::NotSent.into();
    };
    let result = match psp.send(request).await {
        Ok(report) => CallResult::from(report),
        Err(error) => {
            warn!(operation = %operation.id, kind = operation.kind.name(), %error, "no answer from the PSP");
            match error {
                PspError::NotSent(_) => Word::NotSent.into(),
                PspError::Unknown(_) => Word::Unknown.into(),
            }
        }
    };
    metrics::counter!("oncharge_psp_words_total",
        "kind" => operation.kind.name(), "word" => word_name(&result.word))
    .increment(1);
    result
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
