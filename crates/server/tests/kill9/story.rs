//! What one order went through, as its merchant and its shopper remember it.

use std::fmt;

use crate::shop::Answer;

/// When a merchant's authorisations are captured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Habit {
    /// When the merchant asks for it.
    Manual,
    /// By the clock, soon after.
    ByTheClock,
    /// With the authorisation.
    AtOnce,
}

impl Habit {
    /// That of the merchant of this number.
    pub(crate) fn of(merchant: usize) -> Self {
        [Self::Manual, Self::ByTheClock, Self::AtOnce][merchant % 3]
    }

    /// `--capture` and `--capture-delay`.
    pub(crate) fn settings(self) -> (&'static str, &'static str) {
        match self {
            Self::Manual => ("manual", "3600"),
            Self::ByTheClock => ("automatic", "1"),
            Self::AtOnce => ("automatic", "0"),
        }
    }
}

/// What a merchant asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ask {
    Create,
    Capture,
    Cancel,
    Refund,
    /// Of a session that nobody has paid.
    Withdraw,
}

/// A merchant's request under its idempotency key, and every answer it got that is one.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) ask: Ask,
    pub(crate) target: String,
    pub(crate) body: String,
    pub(crate) key: String,
    /// The amount asked for, where one was.
    pub(crate) amount: i64,
    /// How often it was sent.
    pub(crate) sent: u32,
    pub(crate) answers: Vec<Answer>,
}

impl Request {
    /// The answer that the service must stand by, if there is one.
    pub(crate) fn acknowledged(&self) -> Option<&Answer> {
        self.answers.iter().find(|answer| is_remembered(answer))
    }

    /// Whether it was acknowledged with this status.
    pub(crate) fn is(&self, ask: Ask, status: u16) -> bool {
        let answered = self.acknowledged().map(|answer| answer.status);
        self.ask == ask && answered == Some(status)
    }
}

/// Whether this is the end of the request: it need not be sent again.
pub(crate) fn is_final(answer: &Answer) -> bool {
    let conflict = answer.status == 409 && answer.body.contains("\"idempotency_conflict\"");
    answer.status < 500 && answer.status != 429 && !conflict
}

/// Whether the same request must get the same answer again.
pub(crate) fn is_remembered(answer: &Answer) -> bool {
    let rejected = answer.status == 409 && answer.body.contains("\"psp_rejected\"");
    (200..300).contains(&answer.status) || rejected
}

/// An order.
#[derive(Debug, Clone)]
pub(crate) struct Story {
    pub(crate) merchant: usize,
    /// The merchant's reference, which no other order has.
    pub(crate) reference: String,
    pub(crate) amount: i64,
    pub(crate) currency: &'static str,
    /// The session and its pay token, once the merchant knows them.
    pub(crate) session: Option<(String, String)>,
    /// The first one creates the session.
    pub(crate) requests: Vec<Request>,
    /// Every status that the shopper was shown.
    pub(crate) shown: Vec<String>,
}

impl Story {
    /// When its authorisation is captured.
    pub(crate) fn habit(&self) -> Habit {
        Habit::of(self.merchant)
    }

    /// Whether this was ever asked for.
    pub(crate) fn asked(&self, ask: Ask) -> bool {
        self.requests.iter().any(|request| request.ask == ask)
    }

    /// Takes the session out of the answer to its creation.
    pub(crate) fn learn_session(&mut self) {
        let created = self.requests.first().and_then(Request::acknowledged);
        let Some(created) = created.map(Answer::json) else {
            return;
        };
        let text = |name: &str| created[name].as_str().unwrap().to_owned();
        self.session = Some((text("session_id"), text("pay_token")));
    }
}

impl fmt::Display for Story {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let session = self.session.as_ref().map_or("unknown", |(id, _)| id);
        write!(
            f,
            "order {} of merchant {}, session {session}",
            self.reference, self.merchant
        )?;
        for request in &self.requests {
            write!(
                f,
                "\n    {:?} {} under {}, sent {} times:",
                request.ask, request.body, request.key, request.sent
            )?;
            for answer in &request.answers {
                write!(f, "\n      {} {}", answer.status, answer.body)?;
            }
        }
        write!(f, "\n    the shopper saw {}", self.shown.join(", "))
    }
}
