//! Deadlines: expiry, abandoned challenges, automatic capture.

use crate::{
    id::OperationId,
    operation::{CancelPurpose, OperationKind},
    session::{Draft, InFlight, InFlightKind, PlannedCapture, Status, Step},
};

impl Draft {
    /// Applies what is due at this time, if anything.
    pub(super) fn deadline(&mut self, operation: OperationId) {
        let (now, past_expiry) = (self.now, self.is_past_expiry());
        let is_due = self.session.due_at().is_some_and(|due| due <= now);
        match &mut self.session.status {
            Status::Created if is_due => {
                // Expiry of an unpaid session cannot overflow: it has at most a few events.
                let _ = self.expire();
            }
            Status::Pending(pending) if is_due => {
                pending.expiring = past_expiry;
                let purpose = if past_expiry {
                    CancelPurpose::Expiry
                } else {
                    CancelPurpose::Abandon
                };
                let reference = match &pending.step {
                    Step::Challenge(open) => open.challenge.reference.clone(),
                    Step::Accepted(accepted) => accepted.reference.clone(),
                    // Recovery looks up an attempt without a PSP result and never sends it again.
                    Step::AwaitingResult | Step::Cancelling(_) => return,
                };
                self.start_attempt_cancel(operation, purpose, reference);
            }
            Status::Authorized(authorized)
                if authorized.in_flight.is_none() && authorized.lapsed.is_none() =>
            {
                let due = authorized
                    .planned_capture
                    .filter(|planned| planned.due <= now);
                let Some(PlannedCapture { amount, .. }) = due else {
                    return;
                };
                authorized.in_flight = Some(InFlight {
                    operation,
                    kind: InFlightKind::Capture,
                });
                let payment = authorized.payment.reference.clone();
                let kind = OperationKind::Capture { automatic: true };
                self.start(operation, kind, amount, Some(payment));
            }
            _ => {}
        }
    }
}
