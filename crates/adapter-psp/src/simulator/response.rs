//! What the simulator answers, in our words.

use oncharge_domain::{
    card::Card,
    psp::{Answer, Challenge, PspReference, PspReport, RefusalReason},
};
use oncharge_ports::psp::PspError;
use serde::Deserialize;
use url::Url;

use super::card;
use crate::http::Reply;

/// The longest reason of the simulator that is kept, in characters.
const LONGEST_REASON: usize = 64;

/// What the simulator says of a call, in its answer and in a look-up alike.
#[derive(Deserialize)]
struct Told {
    psp_reference: String,
    result: String,
    reason: Option<String>,
    challenge_url: Option<String>,
    #[serde(default, with = "card")]
    card: Option<Card>,
}

/// How the simulator says that it did not carry a call out.
#[derive(Deserialize)]
struct Problem {
    error: String,
}

/// An answer that tells nothing, or nothing that can be believed.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
enum Unclear {
    #[error("the simulator answered with status {0}")]
    Status(u16),
    #[error("the simulator's answer is not of its form: {0}")]
    Form(&'static str),
    #[error("the simulator has seen this idempotency key with another request")]
    KeyReused,
}

/// The bearer token is wrong: no work was done.
#[derive(Debug, thiserror::Error)]
#[error("the simulator does not accept the bearer token")]
struct Unauthorized;

/// The answer to a call that is to move money.
pub(super) fn to_call(reply: &Reply) -> Result<PspReport, PspError> {
    match reply.status {
        200 | 201 => told(&reply.body).map_err(unknown),
        401 => Err(unauthorized()),
        400 | 404 | 415 | 422 => refused_call(reply).map(PspReport::from).map_err(unknown),
        status => Err(unknown(Unclear::Status(status))),
    }
}

/// The answer to a look-up.
pub(super) fn to_look_up(reply: &Reply) -> Result<Option<PspReport>, PspError> {
    match reply.status {
        200 => told(&reply.body).map(Some).map_err(unknown),
        401 => Err(unauthorized()),
        404 if problem(&reply.body).as_deref() == Some("not_found") => Ok(None),
        status => Err(unknown(Unclear::Status(status))),
    }
}

/// A call that the simulator would not take: it says so itself, nothing was done, and the same
/// bytes will never be taken. A key that it has seen with other bytes is another matter: what was
/// done under that key is not said, so a look-up has to tell.
fn refused_call(reply: &Reply) -> Result<Answer, Unclear> {
    let code = problem(&reply.body).ok_or(Unclear::Status(reply.status))?;
    match (reply.status, code.as_str()) {
        (422, "idempotency_key_reused") => Err(Unclear::KeyReused),
        (400 | 422, "invalid_request") | (404, "not_found") | (415, "unsupported_media_type") => {
            tracing::error!(
                status = reply.status,
                code,
                "the simulator takes no such call"
            );
            Ok(Answer::Refused(RefusalReason::Other(code)))
        }
        _ => Err(Unclear::Status(reply.status)),
    }
}

fn told(body: &[u8]) -> Result<PspReport, Unclear> {
    let told: Told = serde_json::from_slice(body).map_err(|_| Unclear::Form("no result"))?;
    let reference =
        PspReference::parse(&told.psp_reference).map_err(|_| Unclear::Form("psp_reference"))?;
    let answer = match told.result.as_str() {
        "authorised" | "done" => Answer::Done {
            reference,
            captured: false,
        },
        "captured" => Answer::Done {
            reference,
            captured: true,
        },
        "pending" | "received" => Answer::Accepted { reference },
        "refused" => Answer::Refused(reason(told.reason.as_deref())),
        "challenge" => {
            let url = told.challenge_url.filter(|url| is_web_url(url));
            let url = url.ok_or(Unclear::Form("challenge without its page"))?;
            Answer::ActionRequired(Challenge { reference, url })
        }
        _ => return Err(Unclear::Form("result")),
    };
    let card = told.card;
    Ok(PspReport { answer, card })
}

/// The simulator's word for a refusal in ours; those that we have no name for keep their own.
pub(super) fn reason(word: Option<&str>) -> RefusalReason {
    match word.unwrap_or("unspecified") {
        "card_declined" => RefusalReason::CardDeclined,
        "insufficient_funds" => RefusalReason::InsufficientFunds,
        "expired_card" => RefusalReason::ExpiredCard,
        "authentication_failed" => RefusalReason::AuthenticationFailed,
        "authorisation_expired" => RefusalReason::AuthorizationExpired,
        "already_captured" => RefusalReason::AlreadyCaptured,
        // A payment that was cancelled before it was decided holds nothing any more.
        "nothing_held" | "cancelled" => RefusalReason::NothingHeld,
        other => RefusalReason::Other(
            other
                .chars()
                .filter(char::is_ascii_graphic)
                .take(LONGEST_REASON)
                .collect(),
        ),
    }
}

fn problem(body: &[u8]) -> Option<String> {
    serde_json::from_slice(body)
        .ok()
        .map(|problem: Problem| problem.error)
}

fn is_web_url(text: &str) -> bool {
    Url::parse(text).is_ok_and(|url| matches!(url.scheme(), "http" | "https"))
}

fn unknown(why: Unclear) -> PspError {
    PspError::Unknown(Box::new(why))
}

/// Asked for before any work, so nothing was done; but nothing will be until somebody acts.
fn unauthorized() -> PspError {
    tracing::error!("the simulator does not accept the bearer token of this account's settings");
    PspError::NotSent(Box::new(Unauthorized))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(status: u16, body: &str) -> Reply {
        Reply {
            status,
            body: body.as_bytes().to_vec(),
        }
    }

    fn reference() -> PspReference {
        PspReference::parse("psp_1").unwrap()
    }

    #[test]
    fn every_result_has_its_answer() {
        let url = "http://127.0.0.1:8081/challenge/ch_1".to_owned();
        let cases = [
            (
                r#""result":"authorised""#,
                Answer::Done {
                    reference: reference(),
                    captured: false,
                },
            ),
            (
                r#""result":"captured""#,
                Answer::Done {
                    reference: reference(),
                    captured: true,
                },
            ),
            (
                r#""result":"done""#,
                Answer::Done {
                    reference: reference(),
                    captured: false,
                },
            ),
            (
                r#""result":"pending""#,
                Answer::Accepted {
                    reference: reference(),
                },
            ),
            (
                r#""result":"received""#,
                Answer::Accepted {
                    reference: reference(),
                },
            ),
            (
                r#""result":"challenge","challenge_url":"http://127.0.0.1:8081/challenge/ch_1""#,
                Answer::ActionRequired(Challenge {
                    reference: reference(),
                    url,
                }),
            ),
            (
                r#""result":"refused","reason":"insufficient_funds""#,
                Answer::Refused(RefusalReason::InsufficientFunds),
            ),
            (
                r#""result":"refused""#,
                Answer::Refused(RefusalReason::Other("unspecified".into())),
            ),
        ];
        for (members, answer) in cases {
            let body = format!(r#"{{"psp_reference":"psp_1",{members}}}"#);
            let report = to_call(&reply(201, &body)).unwrap();
            assert_eq!(report, answer.clone().into(), "{body}");
            assert_eq!(
                to_look_up(&reply(200, &body)).unwrap(),
                Some(answer.into()),
                "{body}"
            );
        }
    }

    /// A card number in the place of its description must neither be kept nor hide the result.
    #[test]
    fn a_card_is_read_where_it_has_the_form_of_one() {
        let visa = Card::new(Some("visa"), Some("4242"));
        let brand = Card::new(Some("visa"), None);
        for (member, card) in [
            (r#"{"brand":"visa","last4":"4242"}"#, &visa),
            (r#"{"brand":"visa","last4":"4242","exp":7}"#, &visa),
            (r#"{"brand":"visa","last4":"4242424242424242"}"#, &brand),
            (r#"{"brand":"visa","last4":4242}"#, &brand),
            (r#"{"brand":"4242424242424242","last4":"42424"}"#, &None),
            (r#""4242424242424242""#, &None),
            ("null", &None),
            ("[]", &None),
            ("7", &None),
        ] {
            let told = r#""psp_reference":"psp_1","result":"captured""#;
            let body = format!(r#"{{{told},"card":{member}}}"#);
            let report = to_call(&reply(201, &body)).unwrap();
            assert_eq!(&report.card, card, "{body}");
            assert!(matches!(report.answer, Answer::Done { .. }), "{body}");
            let found = to_look_up(&reply(200, &body)).unwrap().unwrap();
            assert_eq!(found, report, "{body}");
        }
    }

    #[test]
    fn every_reason_has_its_word() {
        let cases = [
            ("card_declined", RefusalReason::CardDeclined),
            ("insufficient_funds", RefusalReason::InsufficientFunds),
            ("expired_card", RefusalReason::ExpiredCard),
            ("authentication_failed", RefusalReason::AuthenticationFailed),
            ("authorisation_expired", RefusalReason::AuthorizationExpired),
            ("already_captured", RefusalReason::AlreadyCaptured),
            ("nothing_held", RefusalReason::NothingHeld),
            ("cancelled", RefusalReason::NothingHeld),
            ("wrong_state", RefusalReason::Other("wrong_state".into())),
            // Words of ours that only we may say.
            ("never_sent", RefusalReason::Other("never_sent".into())),
            ("a b\u{7f}é!", RefusalReason::Other("ab!".into())),
        ];
        for (word, expected) in cases {
            assert_eq!(reason(Some(word)), expected, "{word}");
        }
        let long = "x".repeat(65);
        assert_eq!(reason(Some(&long)), RefusalReason::Other("x".repeat(64)));
    }

    #[test]
    fn a_call_that_the_simulator_would_not_take_is_refused_for_good() {
        for (status, code) in [
            (400, "invalid_request"),
            (422, "invalid_request"),
            (404, "not_found"),
            (415, "unsupported_media_type"),
        ] {
            let body = format!(r#"{{"error":"{code}","message":"…"}}"#);
            let answer = to_call(&reply(status, &body)).unwrap().answer;
            assert_eq!(
                answer,
                Answer::Refused(RefusalReason::Other(code.to_owned())),
                "{status}"
            );
        }
    }

    #[test]
    fn what_does_not_say_what_was_done_is_unknown() {
        let told = r#"{"psp_reference":"psp_1","result":"authorised"}"#;
        let replies = [
            reply(500, r#"{"error":"internal_error"}"#),
            reply(503, ""),
            reply(302, ""),
            reply(204, ""),
            reply(429, told),
            reply(404, "<html>not here</html>"),
            reply(422, r#"{"error":"idempotency_key_reused"}"#),
            reply(201, ""),
            reply(201, "{}"),
            reply(201, r#"{"psp_reference":"","result":"authorised"}"#),
            reply(201, r#"{"psp_reference":"psp_1","result":"perhaps"}"#),
            reply(201, r#"{"psp_reference":"psp_1","result":"challenge"}"#),
            reply(
                201,
                r#"{"psp_reference":"psp_1","result":"challenge","challenge_url":"javascript:1"}"#,
            ),
        ];
        for reply in replies {
            let result = to_call(&reply);
            assert!(
                matches!(result, Err(PspError::Unknown(_))),
                "{reply:?}: {result:?}"
            );
        }
    }

    #[test]
    fn a_look_up_finds_nothing_only_by_the_simulators_own_word() {
        let nothing = reply(404, r#"{"error":"not_found","message":"…"}"#);
        assert_eq!(to_look_up(&nothing).unwrap(), None);
        for reply in [
            reply(404, ""),
            reply(422, "{}"),
            reply(503, ""),
            reply(200, "{}"),
        ] {
            assert!(
                matches!(to_look_up(&reply), Err(PspError::Unknown(_))),
                "{reply:?}"
            );
        }
    }

    #[test]
    fn a_wrong_bearer_means_that_no_work_was_done() {
        let refused = reply(401, r#"{"error":"unauthorized"}"#);
        assert!(matches!(to_call(&refused), Err(PspError::NotSent(_))));
        assert!(matches!(to_look_up(&refused), Err(PspError::NotSent(_))));
    }
}
