//! What can be read off a session at a time, for answers and events.

use time::Duration;

use crate::{
    money::Money,
    psp::PspReference,
    session::{Amounts, FailureCode, InFlightKind, Refunds, Session, Status, StatusName, Step},
    time::Timestamp,
};

/// What the shopper has to do next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// Nothing.
    None,
    /// Finish the challenge at this address.
    Challenge(String),
    /// Try again.
    Retry(RetryReason),
}

/// Why the shopper is asked to try again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RetryReason {
    /// The issuer said no.
    CardDeclined,
    /// Not enough money.
    InsufficientFunds,
    /// The card has expired.
    ExpiredCard,
    /// The challenge was failed or left.
    AuthenticationFailed,
    /// A technical failure.
    Technical,
}

impl RetryReason {
    /// The name on the wire.
    pub fn name(self) -> &'static str {
        match self {
            Self::CardDeclined => "card_declined",
            Self::InsufficientFunds => "insufficient_funds",
            Self::ExpiredCard => "expired_card",
            Self::AuthenticationFailed => "authentication_failed",
            Self::Technical => "technical",
        }
    }
}

impl Session {
    /// The status as it was last decided.
    pub fn status_name(&self) -> StatusName {
        self.status.name()
    }

    /// The status as it is read at this time: a session in `created` whose time is over is
    /// `expired` at once, whether or not it was swept. No other status changes by reading.
    pub fn status_at(&self, now: Timestamp) -> StatusName {
        match self.status {
            Status::Created if now >= self.expires_at => StatusName::Expired,
            _ => self.status.name(),
        }
    }

    /// Until when the shopper may try again; `None` where it is final or nothing was refused.
    pub fn retry_until(&self, now: Timestamp) -> Option<Timestamp> {
        match &self.status {
            Status::Refused(unpaid) | Status::Error(unpaid)
                if unpaid.retry && now < self.expires_at =>
            {
                Some(self.expires_at)
            }
            _ => None,
        }
    }

    /// What the shopper has to do next.
    pub fn next(&self, now: Timestamp) -> Next {
        match &self.status {
            Status::Pending(pending) => match &pending.step {
                Step::Challenge(open) => Next::Challenge(open.challenge.url.clone()),
                Step::Asking | Step::Accepted(_) | Step::Ending(_) => Next::None,
            },
            Status::Refused(unpaid) | Status::Error(unpaid) => match self.retry_until(now) {
                Some(_) => Next::Retry(retry_reason(unpaid.failure)),
                None => Next::None,
            },
            _ => Next::None,
        }
    }

    /// Why the session is where it is.
    pub fn failure(&self) -> Option<FailureCode> {
        match &self.status {
            Status::Refused(unpaid) | Status::Error(unpaid) => Some(unpaid.failure),
            Status::Cancelled(cancelled) => cancelled.failure,
            Status::CaptureFailed(_) => Some(FailureCode::CaptureFailed),
            _ => None,
        }
    }

    /// The PSP's reference of the payment, where one is known.
    pub fn psp_reference(&self) -> Option<&PspReference> {
        match &self.status {
            Status::Pending(pending) => match &pending.step {
                Step::Asking => None,
                Step::Accepted(reference) => Some(reference),
                Step::Challenge(open) => Some(&open.challenge.reference),
                Step::Ending(ending) => Some(&ending.reference),
            },
            Status::Authorized(authorized) => Some(&authorized.payment.reference),
            Status::Captured(captured) => Some(&captured.payment.reference),
            Status::Cancelled(cancelled) => Some(&cancelled.payment.reference),
            Status::CaptureFailed(failed) => Some(&failed.payment.reference),
            Status::Created | Status::Refused(_) | Status::Error(_) | Status::Expired => None,
        }
    }

    /// How much was authorised for the payment that the session keeps or kept.
    pub fn amount_authorized(&self) -> Money {
        match &self.status {
            Status::Authorized(authorized) => authorized.payment.authorized,
            Status::Captured(captured) => captured.payment.authorized,
            Status::Cancelled(cancelled) => cancelled.payment.authorized,
            Status::CaptureFailed(failed) => failed.payment.authorized,
            _ => Money::zero(self.amount.currency()),
        }
    }

    /// How much was captured (nothing after a capture that failed).
    pub fn amount_captured(&self) -> Money {
        match &self.status {
            Status::Captured(captured) => captured.captured,
            _ => Money::zero(self.amount.currency()),
        }
    }

    /// The totals of refunds.
    pub fn refunds(&self) -> Refunds {
        match &self.status {
            Status::Captured(captured) => captured.refunds,
            Status::CaptureFailed(failed) => failed.refunds,
            _ => Refunds::none(self.amount),
        }
    }

    /// Requested and paid out together.
    pub fn amount_refunded(&self) -> Money {
        let refunds = self.refunds();
        refunds
            .requested
            .plus(refunds.succeeded)
            .unwrap_or(refunds.succeeded)
    }

    /// The session's totals.
    pub fn amounts(&self) -> Amounts {
        Amounts {
            authorized: self.amount_authorized(),
            captured: self.amount_captured(),
            refunded: self.amount_refunded(),
        }
    }

    /// What can still be refunded.
    pub fn amount_refundable(&self) -> Money {
        let zero = Money::zero(self.amount.currency());
        self.amount_captured()
            .minus(self.amount_refunded())
            .unwrap_or(zero)
    }

    /// The capture or cancel whose outcome is open.
    pub fn pending_operation(&self) -> Option<InFlightKind> {
        self.status.in_flight().map(|flight| flight.kind)
    }

    /// When the clock must look at this session next: its expiry, the end of a challenge's
    /// patience, an automatic capture. `None` where nothing depends on the clock.
    pub fn due_at(&self) -> Option<Timestamp> {
        match &self.status {
            Status::Created => Some(self.expires_at),
            Status::Pending(pending) if !pending.expiring => match &pending.step {
                Step::Challenge(open) => Some(self.expires_at.min(challenge_end(open.since))),
                Step::Asking | Step::Accepted(_) | Step::Ending(_) => Some(self.expires_at),
            },
            Status::Authorized(authorized) if authorized.in_flight.is_none() => {
                authorized.planned_capture.map(|planned| planned.due)
            }
            _ => None,
        }
    }
}

/// When a challenge that nobody ends is given up: after ten minutes.
pub(super) fn challenge_end(since: Timestamp) -> Timestamp {
    since.plus(Duration::minutes(10))
}

fn retry_reason(failure: FailureCode) -> RetryReason {
    match failure {
        FailureCode::InsufficientFunds => RetryReason::InsufficientFunds,
        FailureCode::ExpiredCard => RetryReason::ExpiredCard,
        FailureCode::AuthenticationFailed | FailureCode::AuthenticationAbandoned => {
            RetryReason::AuthenticationFailed
        }
        FailureCode::PspError => RetryReason::Technical,
        _ => RetryReason::CardDeclined,
    }
}
