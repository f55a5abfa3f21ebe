//! Entries of the audit log.

use strum::IntoStaticStr;

use crate::{
    id::{AuditId, MerchantId, OperationId, SessionId},
    time::Timestamp,
};

/// An audit log entry; the log is append-only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditEntry {
    /// Its id.
    pub id: AuditId,
    /// When it happened.
    pub at: Timestamp,
    /// What happened.
    pub action: AuditAction,
    /// The merchant it concerns, if it is a single one.
    pub merchant: Option<MerchantId>,
    /// The session, if any.
    pub session: Option<SessionId>,
    /// The operation, if any.
    pub operation: Option<OperationId>,
    /// A short text for people, without secrets or personal data.
    pub detail: String,
}

/// The recorded action.
#[derive(Clone, Copy, Debug, PartialEq, Eq, IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub enum AuditAction {
    /// A payment that its session does not keep is being compensated.
    CompensationStarted,
    /// The compensation succeeded.
    CompensationDone,
    /// The PSP refused the compensation; another one follows.
    CompensationRefused,
    /// The PSP reported a result that fits no state; nothing was changed, a person should look.
    UnexpectedFact,
    /// The PSP's response for an operation named another reference or amount; it does not count.
    ResponseMismatched,
    /// A person has dismissed an operation that was listed as contradicted by the PSP.
    ContradictionDismissed,
    /// A notification did not match the operation that it names; nothing was changed.
    NotificationMismatched,
    /// The operation that a notification names did not appear within the retention time.
    NotificationUnmatched,
    /// A notification with a valid signature could not be parsed.
    NotificationMalformed,
    /// A person has dismissed a notification that was listed as stuck.
    NotificationDismissed,
    /// A refund was paid out of a capture that failed; a person must look.
    RefundOfFailedCapture,
    /// A merchant was created.
    MerchantCreated,
    /// A merchant's settings were changed.
    SettingsChanged,
    /// An API key was created.
    KeyCreated,
    /// An API key was revoked.
    KeyRevoked,
    /// A key pair was replaced by a new one.
    KeyRotated,
    /// A merchant's webhook endpoint was set.
    EndpointSet,
    /// A merchant's webhook endpoint got a new secret.
    EndpointSecretRotated,
    /// A merchant's webhook endpoint was removed.
    EndpointRemoved,
    /// A merchant's webhook endpoint was disabled: it returned 410 Gone, or every attempt failed.
    EndpointDisabled,
    /// A ban was added.
    BanAdded,
    /// A ban was revoked.
    BanRevoked,
}

impl AuditAction {
    /// The name in the store.
    pub fn name(self) -> &'static str {
        self.into()
    }
}
