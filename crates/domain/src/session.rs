//! A checkout session: the purchase to be paid and the state of its payment.

mod attempt;
mod decide;
mod event;
mod input;
mod psp_update;
mod refusal;
mod snapshot;
mod status;
mod view;

pub use attempt::{Attempt, AttemptOutcome, MAX_ATTEMPTS, MAX_CHALLENGES, MAX_LISTED_ATTEMPTS};
pub use decide::Decision;
use decide::Draft;
pub use event::{Amounts, Event, EventKind, Failure};
pub use input::{Input, PspUpdate};
pub use psp_update::{LATE_AUTHORIZATION_SECONDS, NOT_FOUND_GRACE_SECONDS};
pub use refusal::{InProgress, Refusal};
pub use snapshot::{InvalidSnapshot, Snapshot};
pub use status::{
    Accepted, AttemptCancel, Authorized, Cancelled, CaptureFailed, Captured, FailureCode, InFlight,
    InFlightKind, OpenChallenge, OutcomeDuringCancel, Payment, Pending, PlannedCapture, Refunds,
    Status, StatusName, Step, Unpaid,
};
pub use view::{NextAction, RetryReason};

use crate::{
    id::{MerchantId, SessionId},
    money::Money,
    psp::PspAccount,
    text::{Contact, Metadata, OrderId, Reference, ReturnUrl},
    time::Timestamp,
};

/// A checkout session. Every change of it goes through [`Session::decide`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// Its id.
    pub id: SessionId,
    /// The session's merchant.
    pub merchant: MerchantId,
    /// The number of changes so far; a write names the version that it read.
    pub version: u32,
    /// The PSP account that its operations go through.
    pub account: PspAccount,
    /// The amount to pay.
    pub amount: Money,
    /// The merchant's reference.
    pub reference: Reference,
    /// The merchant's order number.
    pub order_id: Option<OrderId>,
    /// Where the shopper is redirected after the payment.
    pub return_url: ReturnUrl,
    /// The merchant's own key-value pairs.
    pub metadata: Metadata,
    /// The shopper's contact data.
    pub contact: Contact,
    /// Seconds from authorization to automatic capture; `None` leaves the capture to the merchant.
    pub automatic_capture: Option<u32>,
    /// When it was created.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
    /// When it can no longer be paid.
    pub expires_at: Timestamp,
    /// The attempts to pay, oldest first, at most [`MAX_LISTED_ATTEMPTS`], of which at most
    /// [`MAX_ATTEMPTS`] count.
    pub attempts: Vec<Attempt>,
    /// 3-D Secure challenges opened so far, at most [`MAX_CHALLENGES`].
    pub challenges: u32,
    /// The number of its next event, from 1 without gaps.
    pub next_sequence: u32,
    /// The status of the payment.
    pub status: Status,
}

/// The values of a new session.
#[derive(Clone, Debug)]
pub struct NewSession {
    /// Its id.
    pub id: SessionId,
    /// The session's merchant.
    pub merchant: MerchantId,
    /// The PSP account that it will use.
    pub account: PspAccount,
    /// The amount to pay, at least 1 minor unit.
    pub amount: Money,
    /// The merchant's reference.
    pub reference: Reference,
    /// The merchant's order number.
    pub order_id: Option<OrderId>,
    /// Where the shopper is redirected after the payment.
    pub return_url: ReturnUrl,
    /// The merchant's own key-value pairs.
    pub metadata: Metadata,
    /// The shopper's contact data.
    pub contact: Contact,
    /// Seconds from authorization to automatic capture; `None` leaves the capture to the merchant.
    pub automatic_capture: Option<u32>,
    /// The current time.
    pub created_at: Timestamp,
    /// How long it can be paid, in seconds.
    pub lifetime_seconds: i64,
}

impl Session {
    /// A new session in the status `created`; its times are truncated to whole seconds, as the API
    /// shows them.
    pub fn create(new: NewSession) -> Self {
        let created_at = new.created_at.whole_seconds();
        Self {
            id: new.id,
            merchant: new.merchant,
            version: 1,
            account: new.account,
            amount: new.amount,
            reference: new.reference,
            order_id: new.order_id,
            return_url: new.return_url,
            metadata: new.metadata,
            contact: new.contact,
            automatic_capture: new.automatic_capture,
            created_at,
            updated_at: created_at,
            expires_at: created_at.plus_seconds(new.lifetime_seconds),
            attempts: Vec::new(),
            challenges: 0,
            next_sequence: 1,
            status: Status::Created,
        }
    }
}
