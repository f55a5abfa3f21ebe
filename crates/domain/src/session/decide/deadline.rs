//! What the passing of time does: expiry, the end of patience with a challenge, automatic capture.

use crate::{
    id::OperationId,
    operation::{CancelPurpose, OperationKind},
    session::{Draft, InFlight, InFlightKind, PlannedCapture, Status, Step, view::challenge_end},
};

impl Draft {
    /// Does what is due at this time; nothing where nothing is.
    pub(super) fn deadline(&mut self, operation: OperationId) {
        let (now, expires_at) = (self.now, self.session.expires_at);
        let over = now >= expires_at;
        match &mut self.session.status {
            Status::Created if over => {
                // Expiry of an unpaid session cannot overflow: it has at most a few events.
                let _ = self.expire();
            }
            Status::Pending(pending) => {
                let started = over && !pending.expiring;
                pending.expiring |= over;
                match &pending.step {
                    Step::Challenge(open) if over || now >= challenge_end(open.since) => {
                        let purpose = if over {
                            CancelPurpose::Expiry
                        } else {
                            CancelPurpose::Abandon
                        };
                        let reference = open.challenge.reference.clone();
                        self.start_ending(operation, purpose, reference);
                    }
                    Step::Accepted(reference) if started => {
                        let reference = reference.clone();
                        self.start_ending(operation, CancelPurpose::Expiry, reference);
                    }
                    // An attempt without any word is looked up by recovery, never sent again.
                    _ => {}
                }
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
