//! Values derived from a session at a given time, for responses and events.

use time::Duration;

use strum::IntoStaticStr;

use crate::{
    money::Money,
    psp::PspReference,
    session::{
        Accepted, Amounts, FailureCode, InFlightKind, MAX_ATTEMPTS, MAX_CHALLENGES, Refunds,
        Session, Status, StatusName, Step,
    },
    time::Timestamp,
};

/// What the shopper has to do next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NextAction {
    /// Nothing.
    None,
    /// Complete the challenge at this URL.
    Challenge(String),
    /// Try again.
    Retry {
        /// Why the previous try failed.
        reason: RetryReason,
        /// Whether the next attempt can be the last: one attempt or one challenge is left.
        last_try: bool,
    },
}

/// Why the shopper is asked to try again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub enum RetryReason {
    /// The issuer declined the card.
    CardDeclined,
    /// Not enough money.
    InsufficientFunds,
    /// The card has expired.
    ExpiredCard,
    /// The challenge was failed or abandoned.
    AuthenticationFailed,
    /// A technical failure.
    Technical,
}

impl RetryReason {
    /// The name in the API.
    pub fn name(self) -> &'static str {
        self.into()
    }
}

impl Session {
    /// The stored status, whether or not the session has expired since.
    pub fn status_name(&self) -> StatusName {
        self.status.name()
    }

    /// The status at this time: a session in `created` past its expiry is `expired` at once, even
    /// if the deadline was not applied yet. No other status depends on the time of reading.
    pub fn status_at(&self, now: Timestamp) -> StatusName {
        match self.status {
            Status::Created if now >= self.expires_at => StatusName::Expired,
            _ => self.status.name(),
        }
    }

    /// Until when the shopper may try again; `None` if the status is final or nothing was refused.
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
    pub fn next(&self, now: Timestamp) -> NextAction {
        match &self.status {
            Status::Pending(pending) => match &pending.step {
                Step::Challenge(open) => NextAction::Challenge(open.challenge.url.clone()),
                Step::AwaitingResult | Step::Accepted(_) | Step::Cancelling(_) => NextAction::None,
            },
            Status::Refused(unpaid) | Status::Error(unpaid) => match self.retry_until(now) {
                Some(_) => NextAction::Retry {
                    reason: retry_reason(unpaid.failure),
                    last_try: self.is_last_try(),
                },
                None => NextAction::None,
            },
            _ => NextAction::None,
        }
    }

    /// Whether both attempts and challenges are left.
    pub(super) fn has_tries_left(&self) -> bool {
        self.counted_attempts() < MAX_ATTEMPTS && self.challenges < MAX_CHALLENGES
    }

    fn is_last_try(&self) -> bool {
        self.counted_attempts().saturating_add(1) >= MAX_ATTEMPTS
            || self.challenges.saturating_add(1) >= MAX_CHALLENGES
    }

    /// The failure that led to the current status.
    pub fn failure(&self) -> Option<FailureCode> {
        match &self.status {
            Status::Refused(unpaid) | Status::Error(unpaid) => Some(unpaid.failure),
            Status::Cancelled(cancelled) => cancelled.failure,
            Status::CaptureFailed(_) => Some(FailureCode::CaptureFailed),
            _ => None,
        }
    }

    /// The PSP's reference of the payment, if known.
    pub fn psp_reference(&self) -> Option<&PspReference> {
        match &self.status {
            Status::Pending(pending) => match &pending.step {
                Step::AwaitingResult => None,
                Step::Accepted(accepted) => Some(&accepted.reference),
                Step::Challenge(open) => Some(&open.challenge.reference),
                Step::Cancelling(attempt_cancel) => Some(&attempt_cancel.reference),
            },
            Status::Authorized(authorized) => Some(&authorized.payment.reference),
            Status::Captured(captured) => Some(&captured.payment.reference),
            Status::Cancelled(cancelled) => Some(&cancelled.payment.reference),
            Status::CaptureFailed(failed) => Some(&failed.payment.reference),
            Status::Created | Status::Refused(_) | Status::Error(_) | Status::Expired => None,
        }
    }

    /// The authorized amount of the payment that the session keeps or kept.
    pub fn amount_authorized(&self) -> Money {
        match &self.status {
            Status::Authorized(authorized) => authorized.payment.authorized,
            Status::Captured(captured) => captured.payment.authorized,
            Status::Cancelled(cancelled) => cancelled.payment.authorized,
            Status::CaptureFailed(failed) => failed.payment.authorized,
            _ => Money::zero(self.amount.currency()),
        }
    }

    /// The captured amount (zero after a capture that failed).
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

    /// Requested and succeeded refunds together.
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

    /// The amount that can still be refunded.
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

    /// When the deadlines worker must process this session next: its expiry, the end of an open
    /// challenge, an automatic capture. `None` if nothing is scheduled.
    pub fn due_at(&self) -> Option<Timestamp> {
        match &self.status {
            Status::Created => Some(self.expires_at),
            Status::Pending(pending) if !pending.expiring => Some(self.step_ends_at(&pending.step)),
            Status::Authorized(authorized) if authorized.in_flight.is_none() => {
                authorized.planned_capture.map(|planned| planned.due)
            }
            _ => None,
        }
    }

    /// When an attempt in this step is ended. A challenge that was opened before `expires_at` may
    /// be completed after it, and so may the PSP's processing.
    fn step_ends_at(&self, step: &Step) -> Timestamp {
        match step {
            Step::Challenge(open) => self.challenge_ends_at(open.since),
            Step::Accepted(Accepted {
                challenge_since: Some(since),
                ..
            }) => self.challenge_ends_at(*since).max(self.expires_at),
            Step::AwaitingResult | Step::Accepted(_) | Step::Cancelling(_) => self.expires_at,
        }
    }

    /// An open challenge is cancelled after ten minutes, and at the latest ten minutes after
    /// `expires_at`; for a lifetime under ten minutes, at the latest one lifetime after it.
    fn challenge_ends_at(&self, since: Timestamp) -> Timestamp {
        let lifetime = self.expires_at.since(self.created_at);
        let latest = self.expires_at.plus(CHALLENGE_TIME.min(lifetime));
        since.plus(CHALLENGE_TIME).min(latest)
    }
}

/// How long a 3-D Secure challenge can stay open.
const CHALLENGE_TIME: Duration = Duration::minutes(10);

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
