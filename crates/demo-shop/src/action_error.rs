//! Error messages of failed actions.

use oncharge_client::Error;
use serde::{Deserialize, Serialize};

use crate::integration::records::Action;

/// The error shown on the page.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct ActionError {
    /// The attempted action.
    pub(crate) what: String,
    /// The API's message.
    pub(crate) message: String,
    /// The API's code; empty if there was no response.
    pub(crate) code: String,
}

impl ActionError {
    /// An action that OnCharge refused or did not answer.
    pub(crate) fn new(act: Action, error: &Error) -> Self {
        let what = match act {
            Action::Checkout => "The payment could not be prepared.".to_owned(),
            Action::Capture => "The capture failed.".to_owned(),
            Action::Cancel => "The cancellation failed.".to_owned(),
            Action::Refund(amount) => format!("The refund of {amount} failed."),
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

    /// An amount that cannot be parsed.
    pub(crate) fn invalid_amount() -> Self {
        Self {
            what: "Nothing was refunded.".to_owned(),
            message: "Enter an amount such as 12 or 12.34.".to_owned(),
            code: String::new(),
        }
    }
}

/// Adds a capital letter at the start and a period at the end.
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
