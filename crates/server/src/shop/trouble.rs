//! Why an act did not succeed, in words.

use oncharge_client::Error;
use serde::{Deserialize, Serialize};

use super::integration::acts::Act;

/// What the page says about it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Trouble {
    /// What was tried.
    pub(super) what: String,
    /// The API's message.
    pub(super) message: String,
    /// The API's code; empty where it gave no answer.
    pub(super) code: String,
}

impl Trouble {
    /// An act that OnCharge refused, or did not answer.
    pub(super) fn of(act: Act, error: &Error) -> Self {
        let what = match act {
            Act::Checkout => "The payment could not be prepared.".to_owned(),
            Act::Capture => "The capture did not succeed.".to_owned(),
            Act::Cancel => "The cancellation did not succeed.".to_owned(),
            Act::Refund(amount) => format!("The refund of {amount} did not succeed."),
        };
        let Error::Api {
            message, details, ..
        } = error
        else {
            return Self {
                what,
                message: sentence(&error.to_string()),
                code: String::new(),
            };
        };
        let details = details
            .iter()
            .map(|detail| format!("{}: {}.", detail.field, detail.problem));
        let sentences: Vec<_> = std::iter::once(sentence(message)).chain(details).collect();
        Self {
            what,
            message: sentences.join(" "),
            code: error.code().unwrap_or_default().to_owned(),
        }
    }

    /// An amount that cannot be read.
    pub(super) fn of_amount() -> Self {
        Self {
            what: "Nothing was refunded.".to_owned(),
            message: "An amount looks like 12 or 12.34.".to_owned(),
            code: String::new(),
        }
    }
}

/// With a capital at the beginning and a stop at the end.
fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().map(char::to_uppercase).into_iter().flatten();
    let text: String = first.chain(letters).collect();
    if text.ends_with('.') {
        text
    } else {
        format!("{text}.")
    }
}
