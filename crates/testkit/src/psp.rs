//! A scripted in-memory PSP with idempotency keys and a ledger of its own.

mod connector;
mod ledger;
mod notification;
mod request;

use std::{
    collections::{HashMap, HashSet, VecDeque},
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicUsize, Ordering},
    },
};

use ledger::Ledger;
pub use ledger::Payment;
use oncharge_domain::{
    card::Card,
    id::{OperationId, SessionId},
    psp::{PspAccount, PspDetails, PspReference, PspReport, PspResponse, RefusalReason},
};

/// A kind of call to the PSP; plans are kept per kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Call {
    /// Reserves (and possibly captures) money.
    Authorize,
    /// Captures reserved money.
    Capture,
    /// Releases reserved money, or ends a challenge.
    Cancel,
    /// Refunds captured money.
    Refund,
    /// Looks up the state of an operation.
    LookUp,
}

/// The PSP's reply to a call with a new idempotency key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// Executes it at once, as far as the ledger allows; also the default without a plan.
    Done,
    /// Accepts it; [`ScriptedPsp::finish`] ends it.
    Accepted,
    /// Requires a challenge (authorizations only); [`ScriptedPsp::finish`] ends it.
    ActionRequired,
    /// Refuses it.
    Refused(RefusalReason),
}

/// A transport failure of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The call is definitely not sent.
    NotSent,
    /// The request is lost: nothing happens at the PSP.
    UnknownBefore,
    /// The response is lost: the PSP has executed the call.
    UnknownAfter,
}

/// The end of an open challenge or an accepted operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finish {
    /// It is executed, as far as the ledger allows.
    Done,
    /// It is refused.
    Refused(RefusalReason),
}

/// An in-memory PSP; clones share its state. It is also every account's connector.
#[derive(Clone)]
pub struct ScriptedPsp {
    state: Arc<Mutex<State>>,
    open: Arc<tokio::sync::watch::Sender<bool>>,
    waiting: Arc<AtomicUsize>,
}

#[derive(Default)]
struct State {
    ledger: Ledger,
    replies: HashMap<Call, VecDeque<Reply>>,
    faults: HashMap<Call, VecDeque<Fault>>,
    numbered_faults: HashMap<u64, Fault>,
    calls: u64,
    sent: Vec<(Call, OperationId)>,
    notifications: u64,
    card: Option<Card>,
    false_details: Option<PspDetails>,
    unsupported_currencies: HashSet<&'static str>,
    key_lifetime: Option<std::time::Duration>,
    is_unreachable: bool,
    unavailable_accounts: Vec<PspAccount>,
}

impl ScriptedPsp {
    /// A PSP that approves everything and has received nothing yet.
    pub fn new() -> Self {
        Self {
            state: Arc::default(),
            open: Arc::new(tokio::sync::watch::Sender::new(true)),
            waiting: Arc::default(),
        }
    }

    /// Plans the reply to the next call of this kind with a new key, after those planned before.
    pub fn reply(&self, call: Call, reply: Reply) {
        self.state()
            .replies
            .entry(call)
            .or_default()
            .push_back(reply);
    }

    /// Plans a failure of the next call of this kind, after those planned before; if that call
    /// never arrives, its planned reply is kept for the next one.
    pub fn fail(&self, call: Call, fault: Fault) {
        self.state()
            .faults
            .entry(call)
            .or_default()
            .push_back(fault);
    }

    /// Plans a failure of the `n`-th call from now (1 is the next one), of any kind.
    pub fn fail_call(&self, n: u64, fault: Fault) {
        let mut state = self.state();
        let at = state.calls + n;
        state.numbered_faults.insert(at, fault);
    }

    /// Removes all planned faults that have not occurred yet.
    pub fn clear_faults(&self) {
        let mut state = self.state();
        state.faults.clear();
        state.numbered_faults.clear();
    }

    /// Sets whether the PSP is unreachable: then no call can be sent.
    pub fn set_unreachable(&self, is_unreachable: bool) {
        self.state().is_unreachable = is_unreachable;
    }

    /// Sets the accounts whose circuit breakers are reported as open; their calls are still let
    /// through.
    pub fn set_unavailable(&self, accounts: Vec<PspAccount>) {
        self.state().unavailable_accounts = accounts;
    }

    /// Number of calls tried, including look-ups and lost ones.
    pub fn calls(&self) -> u64 {
        self.state().calls
    }

    /// The calls that arrived, in order, including repetitions.
    pub fn received_calls(&self) -> Vec<(Call, OperationId)> {
        self.state().sent.clone()
    }

    /// Blocks all calls until [`ScriptedPsp::resume`].
    pub fn pause(&self) {
        self.open.send_replace(false);
    }

    /// Number of calls blocked at this moment.
    pub fn waiting(&self) -> usize {
        self.waiting.load(Ordering::SeqCst)
    }

    /// Unblocks calls.
    pub fn resume(&self) {
        self.open.send_replace(true);
    }

    /// From now on, amounts in this currency are unsupported.
    pub fn reject_currency(&self, code: &'static str) {
        self.state().unsupported_currencies.insert(code);
    }

    /// Reports this card for every authorization from now on, in responses, look-ups and
    /// notifications; initially none.
    pub fn set_card(&self, card: Option<Card>) {
        self.state().card = card;
    }

    /// States these details in place of the true ones, in responses and look-ups from now on;
    /// `None` ends it.
    pub fn state_details(&self, details: Option<PspDetails>) {
        self.state().false_details = details;
    }

    /// Sets the lifetime of idempotency keys (initially 24 hours). Keys are never removed; the
    /// connector only reports this lifetime.
    pub fn set_key_lifetime(&self, lifetime: std::time::Duration) {
        self.state().key_lifetime = Some(lifetime);
    }

    /// Ends an accepted operation or an open challenge. Panics if the operation is neither.
    pub fn finish(&self, operation: OperationId, finish: Finish) {
        self.state().ledger.finish(operation, finish);
    }

    /// Reverses a capture, a cancel, a refund, or an authorization, which lapses with this reason.
    /// Panics if the operation is not done.
    pub fn reverse(&self, operation: OperationId, reason: RefusalReason) {
        self.state().ledger.reverse(operation, reason);
    }

    /// Executes an operation that was refused, as far as the ledger allows. Panics if it was not
    /// refused.
    pub fn complete_refused(&self, operation: OperationId) {
        self.state().ledger.complete_refused(operation);
    }

    /// The present response for an operation; `None` if it never arrived.
    pub fn current_response(&self, operation: OperationId) -> Option<PspResponse> {
        self.state().ledger.current(operation)
    }

    /// The body of a notification with the current state of this operation.
    ///
    /// It is valid with the header [`ScriptedPsp::SIGNATURE_HEADER`] and the value
    /// [`ScriptedPsp::SIGNATURE`]; each body has its own id. Panics if the operation never arrived.
    pub fn notification_body(&self, operation: OperationId) -> Vec<u8> {
        let mut state = self.state();
        state.notifications += 1;
        let number = state.notifications;
        notification::write_notification(number, &state.ledger, operation)
    }

    /// The body of a notification about nothing that OnCharge requested; each has its own id.
    pub fn irrelevant_body(&self) -> Vec<u8> {
        let mut state = self.state();
        state.notifications += 1;
        notification::write_irrelevant(state.notifications)
    }

    /// Joins several notifications into one body.
    pub fn batch(bodies: &[Vec<u8>]) -> Vec<u8> {
        bodies.join(&notification::SEPARATOR)
    }

    /// The payments of a session, oldest first, as in the PSP's ledger.
    pub fn payments(&self, session: SessionId) -> Vec<Payment> {
        self.state().ledger.payments_of(session)
    }

    /// Minor units reserved for a session: neither captured nor released.
    pub fn reserved(&self, session: SessionId) -> i64 {
        self.payments(session).iter().map(Payment::reserved).sum()
    }

    /// Minor units captured for a session and not refunded.
    pub fn taken(&self, session: SessionId) -> i64 {
        self.payments(session).iter().map(Payment::taken).sum()
    }

    /// Protocol violations by callers: other bytes under a known key, a call on a payment of
    /// another session.
    pub fn violations(&self) -> Vec<String> {
        self.state().ledger.violations.clone()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }
}

impl Default for ScriptedPsp {
    fn default() -> Self {
        Self::new()
    }
}

impl std::fmt::Debug for ScriptedPsp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ScriptedPsp({} calls)", self.calls())
    }
}

impl State {
    fn report(&self, operation: OperationId, response: PspResponse) -> PspReport {
        let mut report = PspReport::from(response);
        report.details.card = self.card_of(operation);
        if let Some(details) = &self.false_details {
            report.details.clone_from(details);
        }
        report
    }

    /// The card reported for an operation; none if it is not an authorization.
    fn card_of(&self, operation: OperationId) -> Option<Card> {
        let request = self.ledger.request_of(operation)?;
        self.card
            .clone()
            .filter(|_| request.call == Call::Authorize)
    }

    /// Counts a call and takes the fault planned for it.
    fn next_fault(&mut self, call: Call) -> Option<Fault> {
        self.calls += 1;
        if self.is_unreachable {
            return Some(Fault::NotSent);
        }
        let numbered = self.numbered_faults.remove(&self.calls);
        numbered.or_else(|| self.faults.get_mut(&call)?.pop_front())
    }

    fn next_reply(&mut self, call: Call) -> Reply {
        let planned = self.replies.get_mut(&call).and_then(VecDeque::pop_front);
        planned.unwrap_or(Reply::Done)
    }
}

/// The reference of the payment that an authorization creates, or of a modification.
fn reference_of(operation: OperationId) -> PspReference {
    PspReference::parse(&format!("psp_{}", operation.uuid().simple())).unwrap()
}
