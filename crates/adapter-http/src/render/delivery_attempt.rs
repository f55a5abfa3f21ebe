//! A delivery attempt of an event, as merchants see it.

use oncharge_domain::webhook::{DeliveryAttempt, SendError};
use serde::Serialize;
use utoipa::ToSchema;

/// One delivery attempt of an event. Every member is always present, null if unset.
#[derive(Serialize, ToSchema)]
#[schema(as = Attempt)]
pub(crate) struct AttemptBody {
    /// When it began.
    #[schema(format = DateTime)]
    at: String,
    /// The HTTP status of your endpoint's response; any 2xx is a success.
    #[schema(required, minimum = 100, maximum = 999, example = 200)]
    status: Option<u16>,
    /// Its duration in milliseconds.
    latency_ms: u32,
    /// The first kilobyte of the response body; null if there was no response.
    #[schema(required)]
    response: Option<String>,
    /// Why there was no response.
    #[schema(required, value_type = Option<crate::schema::SendError>)]
    error: Option<&'static str>,
}

impl From<&DeliveryAttempt> for AttemptBody {
    fn from(attempt: &DeliveryAttempt) -> Self {
        let has_response = attempt.status.is_some() || !attempt.response.is_empty();
        Self {
            at: attempt.at.rfc3339(),
            status: attempt.status,
            latency_ms: attempt.latency_ms,
            response: has_response.then(|| attempt.response.clone()),
            error: attempt.error.map(SendError::name),
        }
    }
}
