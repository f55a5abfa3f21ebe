//! API keys as their merchant sees them.

use oncharge_domain::{merchant::ApiKey, time::Timestamp};
use serde::Serialize;
use utoipa::ToSchema;

/// Your API keys that still work, newest first.
#[derive(Serialize, ToSchema)]
pub(crate) struct ApiKeyList {
    data: Vec<ApiKeyBody>,
}

/// An API key, without its value and secret.
#[derive(Serialize, ToSchema)]
#[schema(as = ApiKey)]
struct ApiKeyBody {
    /// Identifies the key in `DELETE /v1/api_keys/{key_id}`.
    #[schema(pattern = "^key_[0-9a-f]{32}$")]
    key_id: String,
    /// The last four characters of the key.
    key_hint: String,
    #[schema(format = DateTime)]
    created_at: String,
    /// When it last signed a request, accurate to an hour; null if it never did.
    #[schema(required, format = DateTime)]
    last_used_at: Option<String>,
    /// When its grace period ends; null while it is active.
    #[schema(required, format = DateTime)]
    ends_at: Option<String>,
}

impl From<&ApiKey> for ApiKeyBody {
    fn from(key: &ApiKey) -> Self {
        Self {
            key_id: key.id.to_string(),
            key_hint: key.hint.clone(),
            created_at: key.created_at.rfc3339(),
            last_used_at: key.last_used_at.map(Timestamp::rfc3339),
            ends_at: key.ends_at.map(Timestamp::rfc3339),
        }
    }
}

impl ApiKeyList {
    pub(crate) fn new(keys: &[ApiKey]) -> Self {
        let data = keys.iter().map(ApiKeyBody::from).collect();
        Self { data }
    }
}

/// A new API key and secret, which are returned only here.
#[derive(Serialize, ToSchema)]
#[schema(as = RotatedPair)]
pub(crate) struct RotatedPairBody<'a> {
    /// For `X-Oncharge-Key`.
    api_key: &'a str,
    /// The secret that signs requests. Keep it confidential.
    api_secret: &'a str,
    /// When the key that signed the request ends.
    #[schema(value_type = String, format = DateTime)]
    previous_key_ends_at: Option<String>,
}

impl<'a> RotatedPairBody<'a> {
    /// The new pair and the key that it replaces.
    pub(crate) fn new(api_key: &'a str, api_secret: &'a str, replaced: &ApiKey) -> Self {
        Self {
            api_key,
            api_secret,
            previous_key_ends_at: replaced.ends_at.map(Timestamp::rfc3339),
        }
    }
}
