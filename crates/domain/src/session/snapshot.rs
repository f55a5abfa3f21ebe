//! Flat form of a session's status for stores, convertible in both directions without loss.

use std::collections::BTreeMap;

use crate::{
    id::OperationId,
    money::Money,
    psp::{Challenge, PspReference, RefusalReason},
    session::{
        Accepted, AttemptCancel, Authorized, Cancelled, CaptureFailed, Captured, FailureCode,
        InFlight, InFlightKind, OpenChallenge, OutcomeDuringCancel, Payment, Pending,
        PlannedCapture, Refunds, Session, Status, StatusName, Step, Unpaid,
    },
    time::Timestamp,
};

/// The columns of a row that follow from [`Status`]: plain columns for what queries and constraints
/// use, and one small map for the rest.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Snapshot {
    /// The attempt that is open or that led to the payment.
    pub attempt: Option<OperationId>,
    /// The PSP's reference of the payment.
    pub psp_reference: Option<String>,
    /// The authorized amount in minor units.
    pub authorized: i64,
    /// The captured amount in minor units.
    pub captured: i64,
    /// Refunds requested whose outcome is open, in minor units.
    pub refunds_requested: i64,
    /// Refunds paid out, in minor units.
    pub refunds_succeeded: i64,
    /// The failure that led to this status.
    pub failure: Option<String>,
    /// Whether another attempt is allowed before the expiry.
    pub retry: bool,
    /// The remaining values of the status, by name; empty for most.
    pub progress: BTreeMap<String, String>,
}

/// A row's columns contradict each other.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the columns of the session contradict each other at {0}")]
pub struct InvalidSnapshot(pub &'static str);

impl Session {
    /// The status in its flat form.
    pub fn snapshot(&self) -> Snapshot {
        let refunds = self.refunds();
        let mut snapshot = Snapshot {
            psp_reference: self.psp_reference().map(|r| r.as_str().to_owned()),
            authorized: self.amount_authorized().minor(),
            captured: self.amount_captured().minor(),
            refunds_requested: refunds.requested.minor(),
            refunds_succeeded: refunds.succeeded.minor(),
            failure: self.failure().map(|code| code.name().to_owned()),
            ..Snapshot::default()
        };
        match &self.status {
            Status::Created | Status::Expired => {}
            Status::Refused(unpaid) | Status::Error(unpaid) => snapshot.retry = unpaid.retry,
            Status::Pending(pending) => snapshot.put_pending(pending),
            Status::Authorized(authorized) => snapshot.put_authorized(authorized),
            Status::Captured(captured) => {
                snapshot.attempt = Some(captured.payment.attempt);
                snapshot.put("capture", captured.capture.to_string());
            }
            Status::Cancelled(cancelled) => snapshot.attempt = Some(cancelled.payment.attempt),
            Status::CaptureFailed(failed) => snapshot.attempt = Some(failed.payment.attempt),
        }
        snapshot
    }

    /// The status that a row's columns represent; `amount` is the session's.
    ///
    /// Errors if the columns contradict each other.
    pub fn restore_status(
        name: StatusName,
        snapshot: &Snapshot,
        amount: Money,
    ) -> Result<Status, InvalidSnapshot> {
        let reader = Reader { snapshot, amount };
        Ok(match name {
            StatusName::Created => Status::Created,
            StatusName::Expired => Status::Expired,
            StatusName::Pending => Status::Pending(reader.pending()?),
            StatusName::Authorized => Status::Authorized(reader.authorized()?),
            StatusName::Captured => Status::Captured(Captured {
                payment: reader.payment()?,
                capture: reader.id("capture")?.ok_or(InvalidSnapshot("capture"))?,
                captured: reader.money(snapshot.captured)?,
                refunds: reader.refunds()?,
            }),
            StatusName::Cancelled => Status::Cancelled(Cancelled {
                payment: reader.payment()?,
                failure: reader.failure()?,
            }),
            StatusName::Refused => Status::Refused(reader.unpaid()?),
            StatusName::Error if snapshot.attempt.is_some() => {
                let (payment, refunds) = (reader.payment()?, reader.refunds()?);
                Status::CaptureFailed(CaptureFailed { payment, refunds })
            }
            StatusName::Error => Status::Error(reader.unpaid()?),
        })
    }
}

impl Snapshot {
    fn put(&mut self, name: &str, value: String) {
        self.progress.insert(name.to_owned(), value);
    }

    fn put_time(&mut self, name: &str, value: Timestamp) {
        self.put(name, value.unix_micros().to_string());
    }

    fn put_pending(&mut self, pending: &Pending) {
        self.attempt = Some(pending.attempt);
        if pending.expiring {
            self.put("expiring", "yes".to_owned());
        }
        let step = match &pending.step {
            Step::AwaitingResult => "asking",
            Step::Accepted(accepted) => {
                if let Some(since) = accepted.challenge_since {
                    self.put_time("challenge_since", since);
                }
                "accepted"
            }
            Step::Challenge(open) => {
                self.put("challenge_url", open.challenge.url.clone());
                self.put_time("challenge_since", open.since);
                "challenge"
            }
            Step::Cancelling(attempt_cancel) => {
                self.put("ending_by", attempt_cancel.by.to_string());
                self.put_outcome(attempt_cancel.outcome.as_ref());
                "ending"
            }
        };
        self.put("step", step.to_owned());
    }

    fn put_outcome(&mut self, outcome: Option<&OutcomeDuringCancel>) {
        match outcome {
            None => {}
            Some(OutcomeDuringCancel::Authorized {
                reference,
                captured,
            }) => {
                let name = if *captured {
                    "outcome_captured"
                } else {
                    "outcome_authorized"
                };
                self.put(name, reference.as_str().to_owned());
            }
            Some(OutcomeDuringCancel::Refused(reason)) => {
                self.put("outcome_refused", reason.as_str().to_owned());
            }
        }
    }

    fn put_authorized(&mut self, authorized: &Authorized) {
        self.attempt = Some(authorized.payment.attempt);
        if let Some(planned) = authorized.planned_capture {
            self.put_time("capture_due", planned.due);
            if planned.amount != authorized.payment.authorized {
                self.put("capture_amount", planned.amount.minor().to_string());
            }
        }
        if let Some(flight) = authorized.in_flight {
            let name = match flight.kind {
                InFlightKind::Capture => "capturing",
                InFlightKind::Cancel => "cancelling",
            };
            self.put(name, flight.operation.to_string());
        }
        if let Some(code) = authorized.lapsed {
            self.put("lapsed", code.name().to_owned());
        }
    }
}

struct Reader<'a> {
    snapshot: &'a Snapshot,
    amount: Money,
}

impl Reader<'_> {
    fn text(&self, name: &str) -> Option<&str> {
        self.snapshot.progress.get(name).map(String::as_str)
    }

    fn id(&self, name: &'static str) -> Result<Option<OperationId>, InvalidSnapshot> {
        self.text(name)
            .map(|text| text.parse().map_err(|_| InvalidSnapshot(name)))
            .transpose()
    }

    fn time(&self, name: &'static str) -> Result<Option<Timestamp>, InvalidSnapshot> {
        let read = |text: &str| Timestamp::from_unix_micros(text.parse().ok()?);
        self.text(name)
            .map(|text| read(text).ok_or(InvalidSnapshot(name)))
            .transpose()
    }

    fn money(&self, minor: i64) -> Result<Money, InvalidSnapshot> {
        Money::new(minor, self.amount.currency()).map_err(|_| InvalidSnapshot("amounts"))
    }

    fn attempt(&self) -> Result<OperationId, InvalidSnapshot> {
        self.snapshot.attempt.ok_or(InvalidSnapshot("attempt_id"))
    }

    fn reference(&self) -> Result<PspReference, InvalidSnapshot> {
        let text = self
            .snapshot
            .psp_reference
            .as_deref()
            .ok_or(InvalidSnapshot("psp_reference"))?;
        PspReference::parse(text).map_err(|_| InvalidSnapshot("psp_reference"))
    }

    fn payment(&self) -> Result<Payment, InvalidSnapshot> {
        Ok(Payment {
            attempt: self.attempt()?,
            reference: self.reference()?,
            authorized: self.money(self.snapshot.authorized)?,
        })
    }

    fn refunds(&self) -> Result<Refunds, InvalidSnapshot> {
        Ok(Refunds {
            requested: self.money(self.snapshot.refunds_requested)?,
            succeeded: self.money(self.snapshot.refunds_succeeded)?,
        })
    }

    fn failure(&self) -> Result<Option<FailureCode>, InvalidSnapshot> {
        let name = self.snapshot.failure.as_deref();
        name.map(|name| name.parse().map_err(|_| InvalidSnapshot("failure")))
            .transpose()
    }

    fn unpaid(&self) -> Result<Unpaid, InvalidSnapshot> {
        let failure = self.failure()?.ok_or(InvalidSnapshot("failure"))?;
        Ok(Unpaid {
            failure,
            retry: self.snapshot.retry,
        })
    }

    fn pending(&self) -> Result<Pending, InvalidSnapshot> {
        let step = match self.text("step") {
            Some("asking") => Step::AwaitingResult,
            Some("accepted") => Step::Accepted(Accepted {
                reference: self.reference()?,
                challenge_since: self.time("challenge_since")?,
            }),
            Some("challenge") => Step::Challenge(OpenChallenge {
                challenge: Challenge {
                    reference: self.reference()?,
                    url: self
                        .text("challenge_url")
                        .ok_or(InvalidSnapshot("challenge_url"))?
                        .to_owned(),
                },
                since: self
                    .time("challenge_since")?
                    .ok_or(InvalidSnapshot("challenge_since"))?,
            }),
            Some("ending") => Step::Cancelling(AttemptCancel {
                by: self.id("ending_by")?.ok_or(InvalidSnapshot("ending_by"))?,
                reference: self.reference()?,
                outcome: self.outcome()?,
            }),
            _ => return Err(InvalidSnapshot("step")),
        };
        let expiring = self.text("expiring").is_some();
        Ok(Pending {
            attempt: self.attempt()?,
            step,
            expiring,
        })
    }

    fn outcome(&self) -> Result<Option<OutcomeDuringCancel>, InvalidSnapshot> {
        if let Some(reason) = self.text("outcome_refused") {
            return Ok(Some(OutcomeDuringCancel::Refused(RefusalReason::parse(
                reason,
            ))));
        }
        let captured = self.text("outcome_captured");
        let Some(reference) = captured.or_else(|| self.text("outcome_authorized")) else {
            return Ok(None);
        };
        let reference = PspReference::parse(reference).map_err(|_| InvalidSnapshot("outcome"))?;
        Ok(Some(OutcomeDuringCancel::Authorized {
            reference,
            captured: captured.is_some(),
        }))
    }

    fn planned_capture(&self) -> Result<Option<PlannedCapture>, InvalidSnapshot> {
        let Some(due) = self.time("capture_due")? else {
            return Ok(None);
        };
        let minor = match self.text("capture_amount") {
            Some(text) => text
                .parse()
                .map_err(|_| InvalidSnapshot("capture_amount"))?,
            None => self.snapshot.authorized,
        };
        let amount = self.money(minor)?;
        Ok(Some(PlannedCapture { due, amount }))
    }

    fn authorized(&self) -> Result<Authorized, InvalidSnapshot> {
        let flight = |name, kind| {
            self.id(name)
                .map(|id| id.map(|operation| InFlight { operation, kind }))
        };
        let lapsed = self
            .text("lapsed")
            .map(|name| name.parse().map_err(|_| InvalidSnapshot("lapsed")));
        Ok(Authorized {
            payment: self.payment()?,
            planned_capture: self.planned_capture()?,
            in_flight: match flight("capturing", InFlightKind::Capture)? {
                Some(capture) => Some(capture),
                None => flight("cancelling", InFlightKind::Cancel)?,
            },
            lapsed: lapsed.transpose()?,
        })
    }
}
