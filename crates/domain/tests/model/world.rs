//! The model's state: the stored records, calls in progress, and the PSP.

use std::hash::{DefaultHasher, Hash, Hasher};

use oncharge_domain::{
    audit::AuditAction::{RefundOfFailedCapture, UnexpectedFact},
    id::OperationId,
    operation::{OperationKind, SendState},
    psp::{PspResponse, PspResult, TokenFingerprint},
    session::{Input, Status},
    time::Timestamp,
};

use crate::{
    psp::{AbstractPsp, Choice},
    session_records::{AMOUNT, LIFETIME, SessionRecords, at},
};

/// Relevant times, in seconds after the creation: a challenge opened at the start has timed out,
/// and one opened now outlives the expiry; the session expires; "not found" counts as never sent;
/// the later challenge has timed out, and an authorization is too late.
pub(crate) const MOMENTS: [i64; 5] = [0, LIFETIME - 60, LIFETIME, LIFETIME + 70, LIFETIME + 1000];

/// A process that calls the PSP and commits the result.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Flight {
    pub(crate) operation: OperationId,
    /// Whether a merchant's request waits for it; otherwise it is a worker.
    pub(crate) waiting: bool,
    /// The received result; `None` before the call.
    pub(crate) result: Option<PspResult>,
}

/// How many more actions of each kind may occur.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Budget {
    pub(crate) pays: u8,
    pub(crate) commands: u8,
    /// Crashes, time-outs, calls that cannot be sent, stalls.
    pub(crate) faults: u8,
    /// Reversals by the PSP.
    pub(crate) reversals: u8,
    /// Repeated notifications.
    pub(crate) repeats: u8,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct World {
    pub(crate) records: SessionRecords,
    pub(crate) psp: AbstractPsp,
    pub(crate) flights: Vec<Flight>,
    /// Calls that timed out but may still arrive.
    pub(crate) network: Vec<OperationId>,
    pub(crate) moment: usize,
    pub(crate) budget: Budget,
    /// The audit log requires a review.
    pub(crate) needs_review: bool,
    /// The property that a decision has violated.
    pub(crate) broken: Option<String>,
}

/// A merchant's or shopper's command.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Command {
    Pay,
    Abandon,
    Capture(i64),
    Cancel,
    Refund(i64),
    Expire,
}

impl World {
    pub(crate) fn new(automatic: Option<u32>, budget: Budget) -> Self {
        Self {
            records: SessionRecords::new(automatic),
            psp: AbstractPsp::default(),
            flights: Vec::new(),
            network: Vec::new(),
            moment: 0,
            budget,
            needs_review: false,
            broken: None,
        }
    }

    pub(crate) fn now(&self) -> Timestamp {
        at(MOMENTS[self.moment])
    }

    /// Executes a command of a merchant or shopper; `None` if it is refused.
    pub(crate) fn command(&mut self, command: Command) -> Option<()> {
        let operation = self.records.next_id();
        let input = match command {
            Command::Pay => Input::Pay {
                operation,
                token: TokenFingerprint::of(&operation.to_string()),
                banned: false,
            },
            Command::Abandon => Input::Abandon { operation },
            Command::Capture(minor) => self.records.capture(Some(minor)),
            Command::Cancel => self.records.cancel(),
            Command::Refund(minor) => self.records.refund(minor),
            Command::Expire => Input::Expire,
        };
        self.change_session(&input, command != Command::Pay)
    }

    /// The worker processes the deadline; `None` if nothing is due.
    pub(crate) fn deadline(&mut self) -> Option<()> {
        let due = self
            .records
            .session
            .due_at()
            .is_some_and(|due| due <= self.now());
        let operation = self.records.next_id();
        due.then(|| self.change_session(&Input::Deadline { operation }, false))?
    }

    /// Commits an intent and starts its calls; `None` if it is refused.
    fn change_session(&mut self, input: &Input, waiting: bool) -> Option<()> {
        let decision = match self.records.decide(input, self.now()) {
            Ok(decision) => decision.ok()?,
            Err(broken) => {
                self.broken = Some(broken);
                return Some(());
            }
        };
        for operation in decision.operations {
            self.flights.push(Flight {
                operation: operation.id,
                waiting,
                result: None,
            });
        }
        self.normalize();
        Some(())
    }

    /// Applies a PSP result to an operation.
    pub(crate) fn apply_result(
        &mut self,
        operation: OperationId,
        result: &PspResult,
        waiting: bool,
    ) {
        let psp_update = self.records.psp_update(operation, result, waiting);
        match self
            .records
            .decide(&Input::PspUpdate(Box::new(psp_update)), self.now())
        {
            Ok(Ok(decision)) => {
                let flags = [UnexpectedFact, RefundOfFailedCapture];
                self.needs_review |= decision
                    .audit
                    .iter()
                    .any(|(action, _)| flags.contains(action));
            }
            Ok(Err(refusal)) => self.broken = Some(format!("a PSP result was refused: {refusal}")),
            Err(broken) => self.broken = Some(broken),
        }
        self.normalize();
    }

    /// The call of a process arrives at the PSP.
    pub(crate) fn arrive(&mut self, operation: OperationId, choice: Choice) -> PspResponse {
        let operation = &self.records.operations[&operation];
        self.psp.call(operation, choice)
    }

    /// The recovery worker processes an open operation; `None` if that has no effect.
    pub(crate) fn recover(&mut self, id: OperationId) -> Option<()> {
        let operation = self
            .records
            .operations
            .get(&id)
            .filter(|found| found.is_open())?;
        let attempt = matches!(operation.kind, OperationKind::Authorize { .. });
        let may_repeat = !(attempt && self.now() >= self.records.session.expires_at);
        let sending = operation.sending;
        let result = self
            .psp
            .current(id)
            .map_or(PspResult::NotFound, PspResult::Response);
        let repeat = match sending {
            SendState::NotSent => Some(SendState::Intended),
            SendState::Intended | SendState::Unknown
                if result == PspResult::NotFound && may_repeat =>
            {
                Some(SendState::Unknown)
            }
            _ => None,
        };
        let mut flight = Flight {
            operation: id,
            waiting: false,
            result: Some(result),
        };
        if let Some(sending) = repeat {
            // The repetition is committed before it is sent.
            let now = self.now();
            let operation = self.records.operations.get_mut(&id)?;
            (operation.sending, operation.last_sent_at) = (sending, now);
            flight.result = None;
        }
        self.flights.push(flight);
        self.normalize();
        Some(())
    }

    /// Sorts parts without an order, and removes what has no influence.
    pub(crate) fn normalize(&mut self) {
        self.flights.sort_by_cached_key(place);
        self.network.sort_unstable();
        self.psp.notifications.sort_by_cached_key(place);
        for operation in self.records.operations.values_mut() {
            operation.created_at = at(0);
        }
    }

    /// Whether records and PSP agree, once nothing is in progress.
    pub(crate) fn check_consistency(&self) -> Result<(), String> {
        let session = &self.records.session;
        let kept = match &session.status {
            Status::Authorized(authorized) => Some(&authorized.payment),
            Status::Captured(captured) => Some(&captured.payment),
            _ => None,
        };
        for (attempt, money) in &self.psp.payments {
            let (reserved, captured, refunded) = match &session.status {
                Status::Authorized(_) if kept.is_some_and(|kept| kept.attempt == *attempt) => {
                    (AMOUNT, 0, 0)
                }
                Status::Captured(captured) if captured.payment.attempt == *attempt => {
                    let refunded = captured.refunds.succeeded.minor();
                    (0, captured.captured.minor(), refunded)
                }
                Status::CaptureFailed(failed) if failed.payment.attempt == *attempt => {
                    (0, 0, failed.refunds.succeeded.minor())
                }
                // No other payment may hold money.
                _ => (0, money.refunded, money.refunded),
            };
            let agree = (money.reserved(), money.captured, money.refunded)
                == (reserved, captured, refunded);
            if !agree && !self.needs_review {
                return Err(format!("{money:?} of {attempt} in {:?}", session.status));
            }
        }
        Ok(())
    }
}

/// A sort key for a value without an order, the same in every run.
fn place(value: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}
