//! A PSP in memory that does as a test says, remembers its keys and keeps a ledger of its own.

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
    psp::{PspAccount, PspReference, PspReport, PspResponse, RefusalReason},
};

/// Which of the PSP's calls; plans are kept for each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Call {
    /// Reserve (and perhaps take) money.
    Authorize,
    /// Take reserved money.
    Capture,
    /// Release reserved money, end a challenge.
    Cancel,
    /// Give taken money back.
    Refund,
    /// Ask what became of an operation.
    LookUp,
}

/// What the PSP makes of a call whose key it has not seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// Carries it out at once, as far as its ledger allows; what happens without a plan, too.
    Done,
    /// Takes it in; [`ScriptedPsp::finish`] ends it.
    Accepted,
    /// Wants a challenge (authorisations only); [`ScriptedPsp::finish`] ends it.
    ActionRequired,
    /// Refuses.
    Refused(RefusalReason),
}

/// What goes wrong on the way of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It surely never leaves.
    NotSent,
    /// It is lost on its way there: nothing happens at the PSP.
    UnknownBefore,
    /// Its answer is lost: the PSP has carried it out.
    UnknownAfter,
}

/// How an open challenge or an accepted operation ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finish {
    /// It is carried out, as far as the ledger allows.
    Done,
    /// It is refused.
    Refused(RefusalReason),
}

/// A PSP in memory; clones are handles of the same one. It is every account's connector, too.
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
    unsupported_currencies: HashSet<&'static str>,
    key_lifetime: Option<std::time::Duration>,
    is_unreachable: bool,
    unavailable_accounts: Vec<PspAccount>,
}

impl ScriptedPsp {
    /// A PSP that approves everything and has seen nothing yet.
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

    /// Lets the next call of this kind fail on its way, after those planned before; a reply that
    /// was planned stays planned where the call never arrives.
    pub fn fail(&self, call: Call, fault: Fault) {
        self.state()
            .faults
            .entry(call)
            .or_default()
            .push_back(fault);
    }

    /// Lets the `n`-th call from now (1 is the next one), of whatever kind, fail on its way.
    pub fn fail_call(&self, n: u64, fault: Fault) {
        let mut state = self.state();
        let at = state.calls + n;
        state.numbered_faults.insert(at, fault);
    }

    /// Forgets all faults that have not come up yet.
    pub fn clear_faults(&self) {
        let mut state = self.state();
        state.faults.clear();
        state.numbered_faults.clear();
    }

    /// From now on no call can be sent, until it is back.
    pub fn set_unreachable(&self, is_unreachable: bool) {
        self.state().is_unreachable = is_unreachable;
    }

    /// Says that the circuit breakers of these accounts are open; calls are let through all the
    /// same.
    pub fn set_unavailable(&self, accounts: Vec<PspAccount>) {
        self.state().unavailable_accounts = accounts;
    }

    /// How many calls were tried, look-ups and lost ones included.
    pub fn calls(&self) -> u64 {
        self.state().calls
    }

    /// The calls that arrived, in order, repetitions included.
    pub fn received_calls(&self) -> Vec<(Call, OperationId)> {
        self.state().sent.clone()
    }

    /// Lets calls wait from now on until [`ScriptedPsp::resume`].
    pub fn pause(&self) {
        self.open.send_replace(false);
    }

    /// How many calls wait at this moment.
    pub fn waiting(&self) -> usize {
        self.waiting.load(Ordering::SeqCst)
    }

    /// Lets waiting calls go on.
    pub fn resume(&self) {
        self.open.send_replace(true);
    }

    /// From now on amounts in this currency cannot be carried.
    pub fn reject_currency(&self, code: &'static str) {
        self.state().unsupported_currencies.insert(code);
    }

    /// Reports this card of every authorization from now on, in responses, look-ups and
    /// notifications; none unless this is called.
    pub fn set_card(&self, card: Option<Card>) {
        self.state().card = card;
    }

    /// Remembers keys only so long (24 hours unless this is called); nothing is ever forgotten,
    /// the connector only says so.
    pub fn set_key_lifetime(&self, lifetime: std::time::Duration) {
        self.state().key_lifetime = Some(lifetime);
    }

    /// Ends an accepted operation or an open challenge. Panics where the operation is neither.
    pub fn finish(&self, operation: OperationId, finish: Finish) {
        self.state().ledger.finish(operation, finish);
    }

    /// Takes back what was done: a capture, a cancel, a refund, or an authorisation that lapses
    /// with this reason. Panics where the operation is not done.
    pub fn reverse(&self, operation: OperationId, reason: RefusalReason) {
        self.state().ledger.reverse(operation, reason);
    }

    /// Carries out after all what was refused, as far as the ledger allows. Panics where the
    /// operation was not refused.
    pub fn complete_refused(&self, operation: OperationId) {
        self.state().ledger.complete_refused(operation);
    }

    /// What the PSP knows of an operation now; `None` where it never arrived.
    pub fn current_response(&self, operation: OperationId) -> Option<PspResponse> {
        self.state().ledger.current(operation)
    }

    /// The body of a notification that says what the PSP knows of this operation now, for the
    /// header [`ScriptedPsp::SIGNATURE_HEADER`] with the value [`ScriptedPsp::SIGNATURE`]; each
    /// has an id of its own. Panics where the operation never arrived.
    pub fn notification_body(&self, operation: OperationId) -> Vec<u8> {
        let mut state = self.state();
        state.notifications += 1;
        let number = state.notifications;
        notification::write_notification(number, &state.ledger, operation)
    }

    /// The body of a notification that is about nothing of ours; each has an id of its own.
    pub fn irrelevant_body(&self) -> Vec<u8> {
        let mut state = self.state();
        state.notifications += 1;
        notification::write_irrelevant(state.notifications)
    }

    /// One body with several notifications in it.
    pub fn batch(bodies: &[Vec<u8>]) -> Vec<u8> {
        bodies.join(&notification::SEPARATOR)
    }

    /// The payments of a session, oldest first, each with its truth.
    pub fn payments(&self, session: SessionId) -> Vec<Payment> {
        self.state().ledger.payments_of(session)
    }

    /// Minor units that are reserved for a session: neither captured nor released.
    pub fn reserved(&self, session: SessionId) -> i64 {
        self.payments(session).iter().map(Payment::reserved).sum()
    }

    /// Minor units that were taken for a session and not given back.
    pub fn taken(&self, session: SessionId) -> i64 {
        self.payments(session).iter().map(Payment::taken).sum()
    }

    /// What was done to the PSP that must never be done: other bytes under a known key, a call on
    /// a payment of another session.
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
    fn report(&self, operation: OperationId, answer: PspResponse) -> PspReport {
        let card = self.card_of(operation);
        PspReport { answer, card }
    }

    /// The card that is reported of an operation; none where it is no authorization.
    fn card_of(&self, operation: OperationId) -> Option<Card> {
        let request = self.ledger.request_of(operation)?;
        self.card
            .clone()
            .filter(|_| request.call == Call::Authorize)
    }

    /// Counts a call and takes the fault that was planned for it.
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

/// The reference of the payment that an authorisation makes, or of a modification.
fn reference_of(operation: OperationId) -> PspReference {
    PspReference::parse(&format!("psp_{}", operation.uuid().simple())).unwrap()
}
