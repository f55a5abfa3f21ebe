//! Commands of merchants and shoppers.

use crate::{
    id::{OperationId, RefundId},
    money::Money,
    operation::{CancelPurpose, Operation, OperationKind, SendState},
    psp::{RefusalReason, TokenFingerprint},
    refund::{Refund, RefundStatus},
    session::{
        Attempt, Draft, EventKind, FailureCode, InFlight, InFlightKind, Pending, Refusal, Status,
        Step,
    },
    text::Reference,
};

impl Draft {
    pub(super) fn pay(
        &mut self,
        operation: OperationId,
        token: TokenFingerprint,
        banned: bool,
    ) -> Result<(), Refusal> {
        let payable = match self.session.status {
            Status::Created => self.now < self.session.expires_at,
            _ => self.session.retry_until(self.now).is_some(),
        };
        if !payable {
            return Err(self.invalid_state());
        }
        if banned {
            return self.refuse(FailureCode::GlobalBan);
        }
        self.session
            .add_attempt(Attempt::start(operation, self.now));
        self.session.status = Status::Pending(Pending {
            attempt: operation,
            step: Step::AwaitingResult,
            expiring: false,
        });
        let capture = self.session.automatic_capture == Some(0);
        let kind = OperationKind::Authorize { token, capture };
        self.start(operation, kind, self.session.amount, None);
        Ok(())
    }

    pub(super) fn abandon(&mut self, operation: OperationId) -> Result<(), Refusal> {
        let (refusal, past_expiry) = (self.invalid_state(), self.is_past_expiry());
        let Status::Pending(Pending {
            step: Step::Challenge(open),
            expiring,
            ..
        }) = &mut self.session.status
        else {
            return Err(refusal);
        };
        *expiring = past_expiry;
        let reference = open.challenge.reference.clone();
        self.start_attempt_cancel(operation, CancelPurpose::Abandon, reference);
        Ok(())
    }

    pub(super) fn capture(
        &mut self,
        operation: OperationId,
        amount: Option<i64>,
        in_flight: Option<Box<Operation>>,
    ) -> Result<(), Refusal> {
        let authorized = self.session.amount_authorized();
        let minor = amount.unwrap_or_else(|| authorized.minor());
        self.modify(operation, InFlightKind::Capture, in_flight)?;
        let amount = Money::new(minor, authorized.currency())
            .ok()
            .filter(|amount| !amount.is_zero() && amount.minor() <= authorized.minor())
            .ok_or(Refusal::CaptureExceedsAuthorized(authorized))?;
        let payment = self.session.psp_reference().cloned();
        self.start(
            operation,
            OperationKind::Capture { automatic: false },
            amount,
            payment,
        );
        Ok(())
    }

    pub(super) fn cancel(
        &mut self,
        operation: OperationId,
        in_flight: Option<Box<Operation>>,
    ) -> Result<(), Refusal> {
        self.modify(operation, InFlightKind::Cancel, in_flight)?;
        if let Status::Authorized(authorized) = &mut self.session.status {
            // Once the merchant has requested a cancel, automatic capture is disabled permanently.
            authorized.planned_capture = None;
        }
        let payment = self.session.psp_reference().cloned();
        let amount = self.session.amount_authorized();
        self.start(
            operation,
            OperationKind::Cancel(CancelPurpose::Merchant),
            amount,
            payment,
        );
        Ok(())
    }

    /// Starts a merchant's capture or cancel, replacing an automatic capture that was definitely
    /// not sent.
    ///
    /// The replacement is safe because recovery commits `Intended` before it sends a `NotSent`
    /// operation again: if that commit comes after `in_flight` was read, this one is a conflict.
    fn modify(
        &mut self,
        operation: OperationId,
        kind: InFlightKind,
        in_flight: Option<Box<Operation>>,
    ) -> Result<(), Refusal> {
        let refusal = self.invalid_state();
        let Status::Authorized(authorized) = &mut self.session.status else {
            return Err(refusal);
        };
        if authorized.lapsed.is_some() {
            return Err(refusal);
        }
        let replaced = match authorized.in_flight {
            None => None,
            Some(flight) => {
                let replaceable = in_flight.filter(|other| is_replaceable(other, flight));
                Some(replaceable.ok_or(refusal)?)
            }
        };
        authorized.in_flight = Some(InFlight { operation, kind });
        if let Some(replaced) = replaced {
            self.fail(*replaced, RefusalReason::NeverSent);
        }
        Ok(())
    }

    pub(super) fn expire_by_merchant(&mut self) -> Result<(), Refusal> {
        let unpaid = match self.session.status {
            Status::Created => self.now < self.session.expires_at,
            _ => self.session.retry_until(self.now).is_some(),
        };
        if unpaid {
            self.expire()
        } else {
            Err(self.invalid_state())
        }
    }

    pub(super) fn refund(
        &mut self,
        operation: OperationId,
        id: RefundId,
        amount: Money,
        reference: Reference,
    ) -> Result<(), Refusal> {
        let refusal = self.invalid_state();
        let refundable = self.session.amount_refundable();
        let Status::Captured(captured) = &mut self.session.status else {
            return Err(refusal);
        };
        match amount.at_most(refundable) {
            Err(_) => return Err(Refusal::CurrencyMismatch),
            Ok(true) if !amount.is_zero() => {}
            Ok(_) => return Err(Refusal::RefundExceedsCaptured(refundable)),
        }
        captured.refunds.requested = captured.refunds.requested.plus(amount)?;
        let payment = captured.payment.reference.clone();
        self.start(operation, OperationKind::Refund(id), amount, Some(payment));
        let refund = Refund {
            id,
            session: self.session.id,
            merchant: self.session.merchant,
            operation,
            amount,
            reference,
            status: RefundStatus::Requested,
            psp_reference: None,
            created_at: self.now,
            updated_at: self.now,
        };
        self.emit_refund(EventKind::RefundRequested, &refund)?;
        self.refund = Some(refund);
        Ok(())
    }
}

fn is_replaceable(other: &Operation, flight: InFlight) -> bool {
    let is_automatic = matches!(other.kind, OperationKind::Capture { automatic: true });
    other.id == flight.operation
        && is_automatic
        && other.is_open()
        && other.sending == SendState::NotSent
}
