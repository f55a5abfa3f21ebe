//! What one order went through, as its merchant and its shopper remember it.

use std::fmt;

use crate::shop::ApiResponse;

/// When a merchant's authorisations are captured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CaptureMode {
    /// When the merchant asks for it.
    Manual,
    /// By the clock, soon after.
    Delayed,
    /// With the authorisation.
    Immediate,
}

impl CaptureMode {
    /// That of the merchant of this number.
    pub(crate) fn of(merchant: usize) -> Self {
        [Self::Manual, Self::Delayed, Self::Immediate][merchant % 3]
    }

    /// `--capture` and `--capture-delay`.
    pub(crate) fn settings(self) -> (&'static str, &'static str) {
        match self {
            Self::Manual => ("manual", "3600"),
            Self::Delayed => ("automatic", "1"),
            Self::Immediate => ("automatic", "0"),
        }
    }
}

/// What a merchant asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RequestKind {
    Create,
    Capture,
    Cancel,
    Refund,
    /// Of a session that nobody has paid.
    Expire,
}

/// A merchant's request under its idempotency key, and every answer it got that is one.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) kind: RequestKind,
    pub(crate) target: String,
    pub(crate) body: String,
    pub(crate) key: String,
    /// The amount asked for, where one was.
    pub(crate) amount: i64,
    /// How often it was sent.
    pub(crate) sent: u32,
    pub(crate) responses: Vec<ApiResponse>,
}

impl Request {
    /// The answer that the service must stand by, if there is one.
    pub(crate) fn acknowledged(&self) -> Option<&ApiResponse> {
        self.responses
            .iter()
            .find(|response| is_remembered(response))
    }

    /// Whether it was acknowledged with this status.
    pub(crate) fn is(&self, kind: RequestKind, status: u16) -> bool {
        let answered = self.acknowledged().map(|response| response.status);
        self.kind == kind && answered == Some(status)
    }
}

/// Whether this is the end of the request: it need not be sent again.
pub(crate) fn is_final(response: &ApiResponse) -> bool {
    let conflict = response.status == 409 && response.body.contains("\"idempotency_conflict\"");
    response.status < 500 && response.status != 429 && !conflict
}

/// Whether the same request must get the same answer again.
pub(crate) fn is_remembered(response: &ApiResponse) -> bool {
    let rejected = response.status == 409 && response.body.contains("\"psp_rejected\"");
    (200..300).contains(&response.status) || rejected
}

/// An order.
#[derive(Debug, Clone)]
pub(crate) struct OrderRecord {
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

impl OrderRecord {
    /// When its authorisation is captured.
    pub(crate) fn capture_mode(&self) -> CaptureMode {
        CaptureMode::of(self.merchant)
    }

    /// Whether this was ever asked for.
    pub(crate) fn has_requested(&self, kind: RequestKind) -> bool {
        self.requests.iter().any(|request| request.kind == kind)
    }

    /// Takes the session out of the answer to its creation.
    pub(crate) fn record_session(&mut self) {
        let created = self.requests.first().and_then(Request::acknowledged);
        let Some(created) = created.map(ApiResponse::json) else {
            return;
        };
        let text = |name: &str| created[name].as_str().unwrap().to_owned();
        self.session = Some((text("session_id"), text("pay_token")));
    }
}

impl fmt::Display for OrderRecord {
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
                request.kind, request.body, request.key, request.sent
            )?;
            for response in &request.responses {
                write!(f, "\n      {} {}", response.status, response.body)?;
            }
        }
        write!(f, "\n    the shopper saw {}", self.shown.join(", "))
    }
}
