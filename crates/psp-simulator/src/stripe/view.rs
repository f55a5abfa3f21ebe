//! A payment intent with its payment, and the status that follows from both.

use diesel::sqlite::SqliteConnection;

use super::payment_failure::PaymentFailure;
use crate::codes::{Kind, Outcome, Status};
use crate::store::StoreError;
use crate::store::operations::{self, Operation};
use crate::store::payments::{self, Payment};
use crate::store::stripe::payment_intents::{self, PaymentIntent};
use crate::store::tokens::{self, Token};

/// The status of a payment intent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum IntentStatus {
    RequiresPaymentMethod,
    RequiresConfirmation,
    RequiresAction,
    Processing,
    RequiresCapture,
    Succeeded,
    Canceled,
}

impl IntentStatus {
    /// The text form.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::RequiresPaymentMethod => "requires_payment_method",
            Self::RequiresConfirmation => "requires_confirmation",
            Self::RequiresAction => "requires_action",
            Self::Processing => "processing",
            Self::RequiresCapture => "requires_capture",
            Self::Succeeded => "succeeded",
            Self::Canceled => "canceled",
        }
    }
}

/// The latest attempt to confirm an intent: its payment and the call that opened it.
pub(super) struct Attempt {
    pub(super) payment: Payment,
    pub(super) call: Operation,
}

/// A payment intent with everything that its object shows.
pub(super) struct IntentView {
    pub(super) intent: PaymentIntent,
    pub(super) attempt: Option<Attempt>,
    /// The payment method given last.
    pub(super) method: Option<Token>,
    /// Whether a capture or cancel is accepted and not executed yet.
    change_pending: bool,
}

impl IntentView {
    /// The view of a stored intent with its stored payment.
    pub(super) fn load(
        connection: &mut SqliteConnection,
        intent: PaymentIntent,
    ) -> Result<Self, StoreError> {
        let attempt = match &intent.payment_reference {
            None => None,
            Some(reference) => {
                let payment = payments::find(connection, reference)?
                    .ok_or(StoreError::Corrupt("payments"))?;
                let call = find_call(connection, &payment)?;
                Some(Attempt { payment, call })
            }
        };
        Self::with(connection, intent, attempt, "")
    }

    /// The view while the engine executes `operation`: payment and operation are not saved yet.
    pub(super) fn during(
        connection: &mut SqliteConnection,
        payment: &Payment,
        operation: &Operation,
    ) -> Result<Self, StoreError> {
        let intent_id = payment.intent_id.as_deref().unwrap_or_default();
        let intent = payment_intents::find(connection, intent_id)?
            .ok_or(StoreError::Corrupt("stripe_payment_intents"))?;
        let call = match operation.kind {
            Kind::Authorise => operation.clone(),
            _ => find_call(connection, payment)?,
        };
        let attempt = Attempt {
            payment: payment.clone(),
            call,
        };
        Self::with(
            connection,
            intent,
            Some(attempt),
            &operation.idempotency_key,
        )
    }

    fn with(
        connection: &mut SqliteConnection,
        intent: PaymentIntent,
        attempt: Option<Attempt>,
        executing: &str,
    ) -> Result<Self, StoreError> {
        let method = match &intent.payment_method {
            Some(method) => tokens::find(connection, method)?,
            None => None,
        };
        let change_pending = match &attempt {
            Some(Attempt { payment, .. }) => {
                operations::is_change_pending(connection, &payment.psp_reference, executing)?
            }
            None => false,
        };
        Ok(Self {
            intent,
            attempt,
            method,
            change_pending,
        })
    }

    /// The status of the intent.
    pub(super) fn status(&self) -> IntentStatus {
        if self.intent.canceled_at.is_some() {
            return IntentStatus::Canceled;
        }
        let Some(Attempt { payment, call }) = &self.attempt else {
            return match self.intent.payment_method {
                Some(_) => IntentStatus::RequiresConfirmation,
                None => IntentStatus::RequiresPaymentMethod,
            };
        };
        let is_pending = call.due_at.is_some() || self.change_pending;
        match payment.status {
            Status::Pending => IntentStatus::Processing,
            Status::Challenge | Status::Authenticated | Status::Authorised if is_pending => {
                IntentStatus::Processing
            }
            Status::Challenge => IntentStatus::RequiresAction,
            Status::Authenticated => IntentStatus::RequiresConfirmation,
            Status::Authorised => IntentStatus::RequiresCapture,
            Status::Captured => IntentStatus::Succeeded,
            Status::Cancelled | Status::Lapsed => IntentStatus::Canceled,
            Status::Refused | Status::CaptureFailed => IntentStatus::RequiresPaymentMethod,
        }
    }

    /// Why the latest attempt failed; `None` if it did not.
    pub(super) fn failure(&self) -> Option<PaymentFailure> {
        self.attempt
            .as_ref()
            .and_then(|attempt| PaymentFailure::of(&attempt.payment, &attempt.call))
    }

    /// The payment of the attempt that has a charge: one that the issuer has decided.
    pub(super) fn charged(&self) -> Option<&Payment> {
        let Attempt { payment, call } = self.attempt.as_ref()?;
        let is_charged = match payment.status {
            Status::Pending | Status::Challenge | Status::Authenticated => false,
            Status::Authorised | Status::Captured | Status::Lapsed | Status::CaptureFailed => true,
            Status::Cancelled => call.result != Outcome::Refused,
            Status::Refused => self.failure().is_some_and(PaymentFailure::is_by_issuer),
        };
        is_charged.then_some(payment)
    }

    /// When the intent was cancelled; `None` if it is not.
    pub(super) fn canceled_at(&self) -> Option<i64> {
        let of_payment = self.attempt.as_ref().map(|it| it.payment.updated_at);
        (self.status() == IntentStatus::Canceled)
            .then(|| self.intent.canceled_at.or(of_payment))
            .flatten()
    }

    /// Why the intent was cancelled: the caller's reason, or `automatic` if the authorization lapsed.
    pub(super) fn cancellation_reason(&self) -> Option<&str> {
        let is_lapsed = self
            .attempt
            .as_ref()
            .is_some_and(|it| it.payment.status == Status::Lapsed);
        match self.status() {
            IntentStatus::Canceled if is_lapsed => Some("automatic"),
            IntentStatus::Canceled => self.intent.cancellation_reason.as_deref(),
            _ => None,
        }
    }
}

fn find_call(
    connection: &mut SqliteConnection,
    payment: &Payment,
) -> Result<Operation, StoreError> {
    operations::find(connection, &payment.idempotency_key)?.ok_or(StoreError::Corrupt("operations"))
}
