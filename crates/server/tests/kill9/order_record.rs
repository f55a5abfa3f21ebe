//! The record of one order, as its merchant and its shopper saw it.

use std::fmt;

use crate::shared::shop::ApiResponse;

/// When a merchant's authorizations are captured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CaptureMode {
    /// When the merchant requests it.
    Manual,
    /// Automatically, shortly afterwards.
    Delayed,
    /// Together with the authorization.
    Immediate,
}

impl CaptureMode {
    /// The mode of the merchant with this number.
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

/// The kinds of requests of a merchant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RequestKind {
    Create,
    Capture,
    Cancel,
    Refund,
    /// Expires a session that is not paid.
    Expire,
}

/// A merchant's request under its idempotency key, with all responses.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) kind: RequestKind,
    pub(crate) target: String,
    pub(crate) body: String,
    pub(crate) key: String,
    /// The requested amount, if any.
    pub(crate) amount: i64,
    /// How often it was sent.
    pub(crate) sent: u32,
    pub(crate) responses: Vec<ApiResponse>,
}

impl Request {
    /// The response that the service is bound by, if any.
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

/// Whether the request need not be sent again.
pub(crate) fn is_final(response: &ApiResponse) -> bool {
    let conflict = response.status == 409 && response.body.contains("\"idempotency_conflict\"");
    response.status < 500 && response.status != 429 && !conflict
}

/// Whether a repetition must get the same response.
pub(crate) fn is_remembered(response: &ApiResponse) -> bool {
    let rejected = response.status == 409 && response.body.contains("\"psp_rejected\"");
    (200..300).contains(&response.status) || rejected
}

/// An order.
#[derive(Debug, Clone)]
pub(crate) struct OrderRecord {
    pub(crate) merchant: usize,
    /// The merchant's reference, unique per order.
    pub(crate) reference: String,
    pub(crate) amount: i64,
    pub(crate) currency: &'static str,
    /// The session and its pay token, once the merchant has received them.
    pub(crate) session: Option<(String, String)>,
    /// The first request creates the session.
    pub(crate) requests: Vec<Request>,
    /// Every status that the shopper was shown.
    pub(crate) shown: Vec<String>,
}

impl OrderRecord {
    /// When its authorization is captured.
    pub(crate) fn capture_mode(&self) -> CaptureMode {
        CaptureMode::of(self.merchant)
    }

    /// Whether this was ever requested.
    pub(crate) fn has_requested(&self, kind: RequestKind) -> bool {
        self.requests.iter().any(|request| request.kind == kind)
    }

    /// Takes the session from the response to its creation.
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
