//! The audit log's entries: what an operator must be able to find again.

use crate::{
    id::{AuditId, MerchantId, OperationId, SessionId},
    time::Timestamp,
};

/// One entry; the log is only ever added to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditEntry {
    /// Its id.
    pub id: AuditId,
    /// When it happened.
    pub at: Timestamp,
    /// What happened.
    pub action: AuditAction,
    /// Whose matter it is, where it is one merchant's.
    pub merchant: Option<MerchantId>,
    /// The session, where there is one.
    pub session: Option<SessionId>,
    /// The operation, where there is one.
    pub operation: Option<OperationId>,
    /// A short text for people, without secrets or personal data.
    pub detail: String,
}

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuditAction {
    /// Money that arrived for a session that was not waiting for it is sent back.
    CompensationStarted,
    /// It is back.
    CompensationDone,
    /// The PSP refused to send it back that way; another way is tried.
    CompensationRefused,
    /// The PSP reported a fact that fits no state; nothing was changed, a person should look.
    UnexpectedFact,
    /// A person has looked at an operation that was listed as contradicted by the PSP.
    ContradictionDismissed,
    /// A notification did not agree with the operation that it names; nothing was changed.
    NotificationMismatched,
    /// A notification named an operation that has not appeared in all the time it was kept for.
    NotificationUnmatched,
    /// A notification of good signature could not be read.
    NotificationMalformed,
    /// A person has looked at a notification that was listed as stuck.
    NotificationDismissed,
    /// A refund was paid out of a capture that has failed; a person must look.
    RefundOfFailedCapture,
    /// A merchant was made.
    MerchantCreated,
    /// A merchant's settings were changed.
    SettingsChanged,
    /// An API key was made.
    KeyCreated,
    /// An API key was revoked.
    KeyRevoked,
    /// A pair was replaced by a new one.
    KeyRotated,
    /// A merchant's webhook endpoint was set.
    EndpointSet,
    /// A merchant's webhook endpoint got a new secret.
    EndpointSecretRotated,
    /// A merchant's webhook endpoint was removed.
    EndpointRemoved,
    /// A merchant's webhook endpoint was disabled: it said 410 Gone, or did nothing but fail.
    EndpointDisabled,
    /// A ban was added.
    BanAdded,
    /// A ban was revoked.
    BanRevoked,
}

impl AuditAction {
    /// The name in the store.
    pub fn name(self) -> &'static str {
        match self {
            Self::CompensationStarted => "compensation_started",
            Self::CompensationDone => "compensation_done",
            Self::CompensationRefused => "compensation_refused",
            Self::UnexpectedFact => "unexpected_fact",
            Self::ContradictionDismissed => "contradiction_dismissed",
            Self::NotificationMismatched => "notification_mismatched",
            Self::NotificationUnmatched => "notification_unmatched",
            Self::NotificationMalformed => "notification_malformed",
            Self::NotificationDismissed => "notification_dismissed",
            Self::RefundOfFailedCapture => "refund_of_failed_capture",
            Self::MerchantCreated => "merchant_created",
            Self::SettingsChanged => "settings_changed",
            Self::KeyCreated => "key_created",
            Self::KeyRevoked => "key_revoked",
            Self::KeyRotated => "key_rotated",
            Self::EndpointSet => "endpoint_set",
            Self::EndpointSecretRotated => "endpoint_secret_rotated",
            Self::EndpointRemoved => "endpoint_removed",
            Self::EndpointDisabled => "endpoint_disabled",
            Self::BanAdded => "ban_added",
            Self::BanRevoked => "ban_revoked",
        }
    }
}
