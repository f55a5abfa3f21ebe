//! An abstract PSP with its own state: payments, the responses to idempotency keys, and
//! notifications that were not received yet.

use std::collections::BTreeMap;

use oncharge_domain::{
    id::OperationId,
    operation::Operation,
    psp::{Challenge, Instruction, PspReference, PspResponse, RefusalReason},
};

use crate::session_records::reference;

/// A payment; amounts in minor units.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Default)]
pub(crate) struct Money {
    pub(crate) authorized: i64,
    pub(crate) captured: i64,
    pub(crate) refunded: i64,
    pub(crate) released: bool,
}

impl Money {
    /// The amount still held on the card.
    pub(crate) fn reserved(&self) -> i64 {
        if self.released || self.captured > 0 {
            0
        } else {
            self.authorized
        }
    }

    /// The amount captured and not refunded.
    pub(crate) fn taken(&self) -> i64 {
        self.captured - self.refunded
    }
}

/// The PSP's reaction to a call with a new key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Choice {
    Done,
    Accepted,
    Challenge,
    Refused,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Known {
    instruction: OrderedInstruction,
    /// The first response, which is repeated for every repetition.
    first: PspResponse,
    /// The present response.
    current: PspResponse,
}

/// An instruction with the payment that it refers to.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct OrderedInstruction {
    instruction: Instruction,
    payment: OperationId,
}

/// The PSP.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Default)]
pub(crate) struct AbstractPsp {
    /// By the attempt that created them.
    pub(crate) payments: BTreeMap<OperationId, Money>,
    known: BTreeMap<OperationId, Known>,
    /// Notifications to be sent: in any order, possibly more than once.
    pub(crate) notifications: Vec<(OperationId, PspResponse)>,
}

/// Stores the notifications after a challenge or an authorization ended like this.
fn other(text: &str) -> PspResponse {
    PspResponse::Refused(RefusalReason::Other(text.to_owned()))
}

pub(crate) fn reference_of(operation: OperationId) -> PspReference {
    reference(&operation.to_string())
}

impl AbstractPsp {
    /// The possible reactions to a call: all that the ledger allows, otherwise a refusal.
    pub(crate) fn choices(&self, operation: &Operation) -> &'static [Choice] {
        if self.known.contains_key(&operation.id) {
            return &[Choice::Done];
        }
        match operation.instruction() {
            Some(Instruction::Authorize { .. }) => &[
                Choice::Done,
                Choice::Accepted,
                Choice::Challenge,
                Choice::Refused,
            ],
            _ => &[Choice::Done, Choice::Accepted, Choice::Refused],
        }
    }

    /// A call arrives: the first response is repeated if its key is known.
    pub(crate) fn call(&mut self, operation: &Operation, choice: Choice) -> PspResponse {
        if let Some(known) = self.known.get(&operation.id) {
            return known.first.clone();
        }
        let instruction = operation.instruction().unwrap();
        let payment = match &operation.payment {
            Some(payment) => payment.as_str().parse().unwrap(),
            None => operation.id,
        };
        let order = OrderedInstruction {
            instruction,
            payment,
        };
        if let Instruction::Authorize { .. } = order.instruction {
            self.payments.insert(payment, Money::default());
        }
        let reference = reference_of(operation.id);
        let response = match choice {
            Choice::Done => self.move_money(&order, operation.id),
            Choice::Accepted => PspResponse::Accepted { reference },
            Choice::Challenge => PspResponse::ActionRequired(Challenge {
                reference,
                url: "https://psp.example.com/challenge".to_owned(),
            }),
            Choice::Refused => PspResponse::Refused(RefusalReason::CardDeclined),
        };
        let known = Known {
            instruction: order,
            first: response.clone(),
            current: response.clone(),
        };
        self.known.insert(operation.id, known);
        self.notify(operation.id, response.clone());
        response
    }

    /// The result of a look-up.
    pub(crate) fn current(&self, operation: OperationId) -> Option<PspResponse> {
        self.known
            .get(&operation)
            .map(|known| known.current.clone())
    }

    /// Whether the PSP (or the shopper) has not decided this operation yet.
    pub(crate) fn is_undecided(&self, operation: OperationId) -> bool {
        matches!(
            self.current(operation),
            Some(PspResponse::Accepted { .. } | PspResponse::ActionRequired(_))
        )
    }

    pub(crate) fn undecided(&self) -> Vec<OperationId> {
        let undecided = |id: &&OperationId| self.is_undecided(**id);
        self.known.keys().filter(undecided).copied().collect()
    }

    /// Executed operations that could be reversed.
    pub(crate) fn done(&self) -> Vec<OperationId> {
        let done =
            |(_, known): &(&OperationId, &Known)| matches!(known.current, PspResponse::Done { .. });
        self.known.iter().filter(done).map(|(id, _)| *id).collect()
    }

    /// An accepted operation or a challenge ends.
    pub(crate) fn finish(&mut self, operation: OperationId, done: bool) {
        let order = self.known[&operation].instruction.clone();
        let current = if done {
            self.move_money(&order, operation)
        } else {
            PspResponse::Refused(RefusalReason::AuthenticationFailed)
        };
        self.set_current(operation, current);
    }

    /// Reverses an executed operation; `false` if there is nothing left to reverse.
    pub(crate) fn reverse(&mut self, operation: OperationId) -> bool {
        let order = self.known[&operation].instruction.clone();
        let Some(payment) = self.payments.get_mut(&order.payment) else {
            return false;
        };
        let (possible, current) = match order.instruction {
            Instruction::Authorize { .. } if payment.reserved() > 0 => {
                let lapsed = RefusalReason::AuthorizationExpired;
                (true, PspResponse::Refused(lapsed))
            }
            Instruction::Authorize { capture, .. } => {
                (capture && payment.captured > 0, other("failed_late"))
            }
            Instruction::Capture { .. } => (payment.captured > 0, other("failed_late")),
            Instruction::Cancel { .. } => (
                payment.released && payment.authorized > 0 && payment.captured == 0,
                other("failed_late"),
            ),
            Instruction::Refund { amount, .. } => {
                (payment.refunded >= amount.minor(), other("failed_late"))
            }
        };
        if !possible {
            return false;
        }
        match order.instruction {
            Instruction::Authorize { .. } | Instruction::Capture { .. } => {
                payment.captured = 0;
                payment.released = true;
            }
            Instruction::Cancel { .. } => payment.released = false,
            Instruction::Refund { amount, .. } => payment.refunded -= amount.minor(),
        }
        self.set_current(operation, current);
        true
    }

    fn set_current(&mut self, operation: OperationId, current: PspResponse) {
        if let Some(known) = self.known.get_mut(&operation) {
            known.current = current.clone();
        }
        self.notify(operation, current);
    }

    /// One notification for every final result, including those that the caller has already
    /// received.
    fn notify(&mut self, operation: OperationId, response: PspResponse) {
        if matches!(response, PspResponse::Done { .. } | PspResponse::Refused(_)) {
            self.notifications.push((operation, response));
        }
    }

    /// Moves the money, as far as the ledger allows.
    fn move_money(&mut self, order: &OrderedInstruction, operation: OperationId) -> PspResponse {
        let reference = reference_of(operation);
        let done = |captured| PspResponse::Done {
            reference,
            captured,
        };
        let nothing = PspResponse::Refused(RefusalReason::NothingHeld);
        let undecided = self.is_undecided(order.payment);
        let Some(payment) = self.payments.get_mut(&order.payment) else {
            return nothing;
        };
        match order.instruction {
            Instruction::Authorize { amount, capture } => {
                payment.authorized = amount.minor();
                payment.captured = if capture { amount.minor() } else { 0 };
                done(capture)
            }
            Instruction::Capture { amount, .. } if payment.reserved() >= amount.minor() => {
                payment.captured = amount.minor();
                done(false)
            }
            Instruction::Cancel { .. } if payment.reserved() > 0 => {
                payment.released = true;
                done(false)
            }
            Instruction::Cancel { .. } if payment.captured > 0 => {
                PspResponse::Refused(RefusalReason::AlreadyCaptured)
            }
            Instruction::Cancel { .. } if undecided => {
                self.set_current(order.payment, other("cancelled"));
                done(false)
            }
            Instruction::Refund { amount, .. } if payment.taken() >= amount.minor() => {
                payment.refunded += amount.minor();
                done(false)
            }
            _ => nothing,
        }
    }
}
