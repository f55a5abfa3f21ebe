//! A payment service provider, as one trait that every connector implements.

use std::{fmt, sync::Arc, time::Duration};

use async_trait::async_trait;
use oncharge_domain::{
    card::Card,
    id::{OperationId, SessionId},
    money::Money,
    psp::{Instruction, PspAccount, PspReference, PspReport, PspResponse},
};
use zeroize::{Zeroize, ZeroizeOnDrop};

/// A one-time payment-method token of the PSP's fields: a secret, never logged or echoed.
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

/// The exact bytes of a request, minted once per operation and repeated as they are.
#[derive(Clone, PartialEq, Eq, Zeroize, ZeroizeOnDrop)]
pub struct PreparedRequest(Vec<u8>);

impl PreparedRequest {
    /// Wraps what a connector has prepared, in a form of its own.
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

/// What is to be prepared.
#[derive(Debug)]
pub struct PspRequest<'a> {
    /// The operation: its id is the PSP's idempotency key.
    pub operation: OperationId,
    /// The session: its id is the reference that the PSP sees.
    pub session: SessionId,
    /// What the PSP is to do.
    pub instruction: Instruction,
    /// The token of the shopper's card; for authorisations.
    pub payment_method: Option<&'a PaymentMethod>,
}

/// The connector cannot carry this amount or currency exactly; nothing was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the payment processor cannot carry this amount")]
pub struct UnsupportedAmount;

/// A call that brought no answer; which of the two it is decides what may follow.
#[derive(Debug, thiserror::Error)]
pub enum PspError {
    /// The request surely never left us.
    #[error("the request was not sent")]
    NotSent(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// It may or may not have arrived and been carried out.
    #[error("the outcome is unknown")]
    Unknown(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// A notification whose signature is right, not read any further yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifiedNotification {
    /// The PSP's own id of it, by which duplicates are told: 1 to 255 visible ASCII characters.
    pub event_key: String,
    /// Its bytes, for [`Psp::read_notification`].
    pub body: Vec<u8>,
}

/// What a PSP's notification says.
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
    /// What became of the operation; `Accepted` where the notification only tells that there is
    /// news, which a look-up then has to be asked for.
    pub answer: PspResponse,
    /// The card that an authorization was made with, where the notification names it.
    pub card: Option<Card>,
}

/// The signature is missing or wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the signature does not verify")]
pub struct InvalidSignature;

/// Why a notification was not understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotificationError {
    /// It is nothing that concerns us (another kind, an operation that is not ours).
    #[error("nothing that concerns us")]
    Irrelevant,
    /// It is not of the PSP's form.
    #[error("not of the payment processor's form")]
    Malformed,
}

/// How much sooner than the PSP forgets a key its operation is no longer sent again: more than clocks
/// differ and a request takes.
pub const KEY_LIFETIME_MARGIN: Duration = Duration::from_secs(3600);

/// One account at one PSP.
#[async_trait]
pub trait Psp: Send + Sync {
    /// Whether payments on this account move real money. Not so for the simulator: the checkout page
    /// then says that it is a test.
    fn is_live(&self) -> bool;

    /// How long after its creation an operation may be sent again under its key. MUST be shorter than
    /// the time for which the PSP remembers a key by at least [`KEY_LIFETIME_MARGIN`]: an operation's
    /// age is measured with our clock, which may be wrong, and the request is some time on its way.
    fn key_lifetime(&self) -> Duration;

    /// Whether a call made now would be sent; `false` while a circuit breaker is open.
    fn is_available(&self) -> bool;

    /// Whether a text has the form of the PSP's payment-method tokens.
    fn is_payment_method(&self, text: &str) -> bool;

    /// Whether the PSP can carry this amount exactly in its currency.
    fn supports_amount(&self, amount: Money) -> bool;

    /// The page with the PSP's card fields for this session, to be framed by `parent_origin`.
    fn fields_url(&self, session: SessionId, parent_origin: &str, language: &str) -> String;

    /// The origin of the PSP's fields and challenges.
    fn origin(&self) -> &str;

    /// The request that carries out an instruction, as bytes; errors where the PSP cannot carry
    /// the amount exactly. Pure: nothing is sent.
    fn prepare(&self, call: &PspRequest<'_>) -> Result<PreparedRequest, UnsupportedAmount>;

    /// Sends a prepared request. The same bytes always go out under the same key.
    async fn send(&self, request: &PreparedRequest) -> Result<PspReport, PspError>;

    /// What became of an operation; `None` where the PSP has not seen it (yet), which proves
    /// nothing.
    async fn look_up(&self, operation: OperationId) -> Result<Option<PspReport>, PspError>;

    /// Verifies the signature of what came in at the account's door (the value of a header by name,
    /// and the raw body) and says which notifications are in it. Pure and quick: the PSP waits for
    /// it. One whose own id cannot be found gets the SHA-256 of its bytes as event key.
    fn verify_notifications(
        &self,
        header: &dyn Fn(&str) -> Option<String>,
        body: &[u8],
    ) -> Result<Vec<VerifiedNotification>, InvalidSignature>;

    /// Reads a notification that was verified.
    fn read_notification(&self, body: &[u8]) -> Result<Notification, NotificationError>;
}

/// All accounts that this deployment can reach.
pub trait PspRegistry: Send + Sync {
    /// The connector of an account; `None` where it is not configured.
    fn account(&self, account: &PspAccount) -> Option<Arc<dyn Psp>>;

    /// Accounts whose circuit breaker is open: a call made now would not be sent.
    fn unavailable_accounts(&self) -> Vec<PspAccount>;
}
