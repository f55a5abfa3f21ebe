//! A payment service provider: its pure connector and the calls to it.

use std::{fmt, sync::Arc, time::Duration};

use async_trait::async_trait;
use oncharge_domain::{
    card::Card,
    id::{OperationId, SessionId},
    money::Money,
    psp::{Instruction, PspAccount, PspReference, PspReport, PspResponse},
};
use zeroize::{Zeroize, ZeroizeOnDrop};

/// A one-time payment-method token from the PSP's card fields: a secret, never logged or echoed.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct PaymentMethod(String);

impl PaymentMethod {
    /// Wraps a token whose form the connector has accepted.
    pub fn new(token: String) -> Self {
        Self(token)
    }

    /// The token, for the request to the PSP.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for PaymentMethod {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PaymentMethod(…)")
    }
}

/// The exact bytes of a request, created once per operation and repeated unchanged.
#[derive(Clone, PartialEq, Eq, Zeroize, ZeroizeOnDrop)]
pub struct PreparedRequest(Vec<u8>);

impl PreparedRequest {
    /// Wraps what a connector has prepared, in the connector's own format.
    pub fn new(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    /// The bytes, for the connector and for a store to seal.
    pub fn expose(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for PreparedRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PreparedRequest({} bytes)", self.0.len())
    }
}

/// The input of [`Connector::prepare`].
#[derive(Debug)]
pub struct PspRequest<'a> {
    /// The operation: its id is the PSP's idempotency key.
    pub operation: OperationId,
    /// The session: its id is the reference that the PSP sees.
    pub session: SessionId,
    /// What the PSP is asked to do.
    pub instruction: Instruction,
    /// The token of the shopper's card; for authorizations.
    pub payment_method: Option<&'a PaymentMethod>,
}

/// The connector cannot represent this amount or currency exactly; nothing was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the payment processor does not support this amount")]
pub struct UnsupportedAmount;

/// Why a call brought no response; the variant decides what may follow.
#[derive(Debug, thiserror::Error)]
pub enum PspError {
    /// The request definitely did not leave this process.
    #[error("the request was not sent")]
    NotSent(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The request may or may not have arrived and been executed.
    #[error("the outcome is unknown")]
    Unknown(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// A notification with a valid signature, not parsed any further yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifiedNotification {
    /// The PSP's own id of it, used for deduplication: 1 to 255 visible ASCII characters.
    pub event_key: String,
    /// Its bytes, for [`Connector::read_notification`].
    pub body: Vec<u8>,
}

/// A parsed PSP notification.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notification {
    /// The operation that it is about.
    pub operation: OperationId,
    /// The session that the PSP names as reference.
    pub session: SessionId,
    /// The amount that the PSP names.
    pub amount: Money,
    /// The PSP's own reference of the operation.
    pub reference: PspReference,
    /// The result of the operation; `Accepted` if the notification only announces a change, whose
    /// result a look-up must then fetch.
    pub response: PspResponse,
    /// The card that was authorized, if the notification names it.
    pub card: Option<Card>,
}

/// The signature is missing or invalid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the signature is invalid")]
pub struct InvalidSignature;

/// Why a notification could not be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotificationError {
    /// It does not concern OnCharge (another kind, or an operation that OnCharge did not create).
    #[error("the notification is not about an operation of OnCharge")]
    Irrelevant,
    /// It does not have the PSP's format.
    #[error("the notification is not in the payment processor's format")]
    Malformed,
}

/// Safety margin between [`Connector::key_lifetime`] and the time for which the PSP remembers a key: more
/// than clocks differ and a request takes.
pub const KEY_LIFETIME_MARGIN: Duration = Duration::from_secs(3600);

/// What is known about one account at one PSP without a call: facts, and the PSP's formats.
///
/// Every method is pure: no I/O, no clock, no state. The laws in `conformance::connector` test
/// them without a network.
pub trait Connector: Send + Sync {
    /// Whether payments on this account move real money. `false` for the simulator: the checkout
    /// page then says that it is a test.
    fn is_live(&self) -> bool;

    /// How long after its creation an operation may be sent again under its key. MUST be shorter
    /// than the time for which the PSP remembers a key by at least [`KEY_LIFETIME_MARGIN`]: an
    /// operation's age is measured with this node's clock, which may be wrong, and the request
    /// takes time to arrive.
    fn key_lifetime(&self) -> Duration;

    /// Whether a text has the form of the PSP's payment-method tokens.
    fn is_payment_method(&self, text: &str) -> bool;

    /// Whether the PSP can represent this amount exactly in its currency. MUST agree with
    /// [`Connector::prepare`] (law `an_amount_is_prepared_if_it_is_supported`).
    fn supports_amount(&self, amount: Money) -> bool;

    /// The URL of the PSP's card fields, without a query: the checkout page adds `session`,
    /// `parent_origin` and `lang`.
    fn fields_url(&self) -> String;

    /// The request for an instruction, as bytes; errors if the PSP cannot represent the amount
    /// exactly.
    fn prepare(&self, call: &PspRequest<'_>) -> Result<PreparedRequest, UnsupportedAmount>;

    /// Verifies the signature of a request to the account's notification endpoint (given header
    /// values by name and the raw body) and returns the notifications in it. Fast, because the PSP
    /// waits for the response. MUST reject a body without a signature (law
    /// `an_unsigned_notification_is_rejected`). A notification without a recognizable id of its own
    /// gets the SHA-256 of its bytes as event key.
    fn verify_notifications(
        &self,
        header: &dyn Fn(&str) -> Option<String>,
        body: &[u8],
    ) -> Result<Vec<VerifiedNotification>, InvalidSignature>;

    /// Parses a verified notification.
    fn read_notification(&self, body: &[u8]) -> Result<Notification, NotificationError>;
}

/// The calls to a PSP for one account.
#[async_trait]
pub trait Psp: Send + Sync {
    /// The account's connector.
    fn connector(&self) -> Arc<dyn Connector>;

    /// Whether a call made now would be sent; `false` while a circuit breaker is open.
    fn is_available(&self) -> bool;

    /// Sends a prepared request. The same bytes are always sent under the same key.
    async fn send(&self, request: &PreparedRequest) -> Result<PspReport, PspError>;

    /// The PSP's current report of an operation; `None` if the PSP has not seen it (yet), which
    /// proves nothing.
    async fn look_up(&self, operation: OperationId) -> Result<Option<PspReport>, PspError>;
}

/// All PSP accounts that this deployment is configured for.
pub trait PspRegistry: Send + Sync {
    /// An account; `None` if it is not configured.
    fn account(&self, account: &PspAccount) -> Option<Arc<dyn Psp>>;

    /// Accounts whose circuit breaker is open: a call made now would not be sent.
    fn unavailable_accounts(&self) -> Vec<PspAccount>;
}
