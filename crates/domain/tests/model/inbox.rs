//! A model check of the inbox: notifications about one session are stored once per event key, and
//! applied by two workers with leases, which may crash or stall between reading and committing,
//! while requests and recovery change the same session.
//!
//! Payments are minimal here, because `Payments` explores them with notifications that are applied
//! directly.

#[path = "inbox/mutations.rs"]
mod mutations;
#[path = "inbox/state.rs"]
mod state;

use mutations::Mutation;
use oncharge_domain::psp::{PspResponse, PspResult};
use state::{InboxRow, InboxState, Progress, Rule, Stage};
use stateright::{Model, Property};

use crate::{
    Payments,
    actions::Action as Event,
    check::{Walks, depth_override, explore, report},
    one_payment_is_kept,
    psp::Choice,
    quiescence::{Behavior, reaches_quiescence},
    session_records::AMOUNT,
    world::{Budget, Command, World},
};

const LOST: &str = "every acknowledged notification is evaluated";
const CONSISTENCY: &str = "every state leads to a final state that agrees with the PSP";
const TWICE: &str = "no notification has an effect twice";
const ONCE: &str = "an event key is stored once";
const TOGETHER: &str = "a notification with an effect is handled in the same commit";
const FENCING: &str = "a lost lease never commits";
const RULES: &str = "decisions keep the invariants";
const MONEY: &str = "at most one payment is kept";

/// Number of workers.
const WORKERS: usize = 2;

/// The model: its initial states, and the states that it must reach.
struct InboxModel {
    starts: Vec<InboxState>,
    mutation: Option<Mutation>,
    goals: &'static [&'static str],
}

/// A step; numbers are indexes into the state's lists.
#[derive(Clone, Debug, PartialEq)]
enum Action {
    /// An action that does not involve the inbox.
    Event(Event),
    /// The commit of an operation that the PSP may have executed becomes visible.
    CommitVisible,
    /// The PSP sends a notification; with `true`, it will send it again.
    Receive(usize, bool),
    /// A worker claims a notification and reads its session.
    Claim(usize),
    /// A worker reads the operation and decides.
    Read(usize),
    Commit(usize),
    Crash(usize),
    ExpireLease(usize),
}

impl InboxModel {
    /// Only a refund that is reported, reversed and reported again: few enough states to explore
    /// all.
    fn reversed_refund(faults: u8, mutation: Option<Mutation>) -> Self {
        let budget = Budget {
            pays: 0,
            commands: 0,
            faults: 0,
            reversals: 1,
            repeats: 1,
        };
        let mut model = Self::starting(&budget, faults, mutation);
        model.starts.drain(..3);
        model
    }

    fn small(mutation: Option<Mutation>) -> Self {
        let budget = Budget {
            pays: 1,
            commands: 1,
            faults: 0,
            reversals: 1,
            repeats: 1,
        };
        Self::starting(&budget, 1, mutation)
    }

    /// Initial states: a new session, an authorized one, a captured one, and one whose refund was
    /// accepted and executed; the PSP's notifications about these are still to come.
    fn starting(budget: &Budget, faults: u8, mutation: Option<Mutation>) -> Self {
        let new = World::new(None, budget.clone());
        let mut authorized = new.clone();
        execute(&mut authorized, Command::Pay, Choice::Done);
        authorized.budget.pays = 0;
        let mut captured = authorized.clone();
        captured.psp.notifications.clear();
        execute(&mut captured, Command::Capture(AMOUNT), Choice::Done);
        let mut refunded = captured.clone();
        refunded.psp.notifications.clear();
        execute(&mut refunded, Command::Refund(AMOUNT), Choice::Accepted);
        let refund = refunded.psp.undecided()[0];
        refunded.psp.finish(refund, true);
        refunded.budget.commands = 0;
        let starts =
            [new, authorized, captured, refunded].map(|world| InboxState::new(world, faults));
        Self {
            starts: starts.into(),
            mutation,
            goals: &[],
        }
    }
}

/// Executes a command without faults.
fn execute(world: &mut World, command: Command, choice: Choice) {
    world.command(command).unwrap();
    let mut flight = world.flights.pop().unwrap();
    let response = world.arrive(flight.operation, choice);
    flight.result = Some(PspResult::Response(response));
    world.apply_result(flight.operation, &flight.result.unwrap(), flight.waiting);
}

impl Model for InboxModel {
    type State = InboxState;
    type Action = Action;

    fn init_states(&self) -> Vec<InboxState> {
        self.starts.clone()
    }

    fn actions(&self, inbox: &InboxState, actions: &mut Vec<Action>) {
        if !inbox.broken.is_empty() || inbox.world.broken.is_some() {
            return;
        }
        add_events(inbox, actions);
        for place in 0..inbox.world.psp.notifications.len() {
            actions.push(Action::Receive(place, false));
            if inbox.world.budget.repeats > 0 {
                actions.push(Action::Receive(place, true));
            }
        }
        if inbox.uncommitted.is_some() {
            actions.push(Action::CommitVisible);
        }
        for (place, job) in inbox.jobs.iter().enumerate() {
            actions.push(match job.stage {
                Stage::SessionRead(..) => Action::Read(place),
                _ => Action::Commit(place),
            });
            if inbox.faults > 0 {
                actions.push(Action::Crash(place));
            }
        }
        for (place, row) in inbox.rows.iter().enumerate() {
            if inbox.is_claimable(place) && inbox.jobs.len() < WORKERS {
                actions.push(Action::Claim(place));
            }
            let lapses = inbox.faults > 0 || !inbox.has_holder(place);
            if row.leased && lapses && self.mutation != Some(Mutation::NeverExpiresLeases) {
                actions.push(Action::ExpireLease(place));
            }
        }
    }

    fn next_state(&self, last: &InboxState, action: Action) -> Option<InboxState> {
        let mut inbox = last.clone();
        match action {
            Action::Event(event) => {
                let is_command = matches!(event, Event::Command(_));
                inbox.world = payments(&inbox.world).next_state(&inbox.world, event)?;
                let operations = &inbox.world.records.operations;
                if is_command && operations.len() > last.world.records.operations.len() {
                    inbox.uncommitted = operations.keys().next_back().copied();
                }
            }
            Action::CommitVisible => inbox.uncommitted = None,
            Action::Receive(place, again) => inbox.receive(place, again, self.mutation),
            Action::Claim(row) => inbox.claim(row, self.mutation),
            Action::Read(worker) => inbox.read_operation(worker, self.mutation),
            Action::Commit(worker) => inbox.commit(worker, self.mutation),
            Action::Crash(worker) => {
                inbox.faults -= 1;
                inbox.jobs.remove(worker);
            }
            Action::ExpireLease(row) => {
                inbox.faults -= u8::from(inbox.has_holder(row));
                inbox.expire_lease(row);
            }
        }
        inbox.mark_stale(&last.world);
        inbox.world.normalize();
        // The workers are interchangeable.
        inbox.jobs.sort_by_key(|job| (job.row, job.holds));
        Some(inbox)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        let rules = [
            Property::always(RULES, |_, inbox: &InboxState| {
                report(&inbox.world.broken.clone().map_or(Ok(()), Err))
            }),
            Property::always(LOST, |model: &Self, inbox: &InboxState| {
                every_fact_is_handled(&drained(inbox, model.mutation))
            }),
            Property::always(CONSISTENCY, |model: &Self, inbox: &InboxState| {
                !inbox.broken.is_empty()
                    || report(&reaches_quiescence(
                        &drained(inbox, model.mutation).world,
                        Behavior::Absent,
                    ))
            }),
            Property::always(MONEY, |_, inbox: &InboxState| {
                let mut world = inbox.world.clone();
                let waits = |row: &&InboxRow| row.progress == Progress::Waiting;
                let rows = inbox.rows.iter().filter(waits);
                world
                    .psp
                    .notifications
                    .extend(rows.map(|row| row.fact.clone()));
                report(&one_payment_is_kept(&world))
            }),
            Property::always(TOGETHER, |_, inbox: &InboxState| {
                let open = |row: &InboxRow| row.had_effect && row.progress != Progress::Handled;
                !inbox.rows.iter().any(open)
            }),
            Property::always(ONCE, |_, inbox: &InboxState| {
                let mut rows = inbox.rows.iter().enumerate();
                let first =
                    |row: &InboxRow| inbox.rows.iter().position(|other| other.fact == row.fact);
                rows.all(|(place, row)| first(row) == Some(place))
            }),
            Property::always(TWICE, |_, inbox: &InboxState| {
                !inbox.broken.contains(&Rule::Twice)
            }),
            Property::always(FENCING, |_, inbox: &InboxState| {
                !inbox.broken.contains(&Rule::Fencing)
            }),
        ];
        let goals = goals().into_iter();
        let wanted = goals.filter(|goal| self.goals.contains(&goal.name));
        rules.into_iter().chain(wanted).collect()
    }
}

/// The model of payments, for actions that do not involve the inbox.
fn payments(world: &World) -> Payments {
    Payments {
        budget: world.budget.clone(),
        goals: &[],
    }
}

/// Commands, calls and the PSP's decisions. While the commit of an operation is not visible, only
/// its call and the inbox can act on it.
fn add_events(inbox: &InboxState, actions: &mut Vec<Action>) {
    let world = &inbox.world;
    let mut events = Vec::new();
    if inbox.uncommitted.is_none() {
        if world.budget.pays > 0 {
            events.push(Event::Command(Command::Pay));
        }
        if world.budget.commands > 0 {
            let commands = [
                Command::Capture(AMOUNT),
                Command::Cancel,
                Command::Refund(AMOUNT),
            ];
            events.extend(commands.map(Event::Command));
        }
    }
    for (place, flight) in world.flights.iter().enumerate() {
        if flight.result.is_none() {
            let known = world.psp.current(flight.operation).is_some();
            let choices: &[Choice] = if known {
                &[Choice::Done]
            } else {
                &[Choice::Done, Choice::Accepted]
            };
            events.extend(choices.iter().map(|choice| Event::Respond(place, *choice)));
        } else if inbox.uncommitted != Some(flight.operation) {
            events.push(Event::ApplyResult(place));
        }
    }
    for operation in world.records.operations.values() {
        let flies = world
            .flights
            .iter()
            .any(|flight| flight.operation == operation.id);
        let is_due = operation.is_open() && operation.not_before <= world.now();
        if is_due && !flies && inbox.uncommitted != Some(operation.id) {
            events.push(Event::Recover(operation.id));
        }
    }
    for operation in world.psp.undecided() {
        events.extend([true, false].map(|done| Event::Finish(operation, done)));
    }
    if world.budget.reversals > 0 {
        events.extend(world.psp.done().into_iter().map(Event::Reverse));
    }
    actions.extend(events.into_iter().map(Action::Event));
}

/// The final state without further faults, once all notifications were sent and handled.
fn drained(inbox: &InboxState, mutation: Option<Mutation>) -> InboxState {
    let mut inbox = inbox.clone();
    for _ in 0..200 {
        let before = inbox.world.clone();
        if !inbox.broken.is_empty() || !run_next(&mut inbox, mutation) {
            break;
        }
        inbox.mark_stale(&before);
    }
    inbox
}

/// Executes one pending step; `false` if there is none.
fn run_next(inbox: &mut InboxState, mutation: Option<Mutation>) -> bool {
    let places = 0..inbox.rows.len();
    let is_abandoned = |place: &usize| inbox.rows[*place].leased && !inbox.has_holder(*place);
    if inbox.uncommitted.is_some() {
        inbox.uncommitted = None;
    } else if let Some(last) = inbox.jobs.len().checked_sub(1) {
        match inbox.jobs[last].stage {
            Stage::SessionRead(..) => inbox.read_operation(last, mutation),
            _ => inbox.commit(last, mutation),
        }
    } else if let Some(place) = places.clone().find(is_abandoned)
        && mutation != Some(Mutation::NeverExpiresLeases)
    {
        inbox.expire_lease(place);
    } else if let Some(place) = places.clone().find(|place| inbox.is_claimable(*place)) {
        inbox.claim(place, mutation);
    } else if inbox.world.psp.notifications.is_empty() {
        return false;
    } else {
        inbox.receive(0, false, mutation);
    }
    true
}

fn every_fact_is_handled(inbox: &InboxState) -> bool {
    let evaluated = |row: &InboxRow| row.evaluated && row.progress == Progress::Handled;
    !inbox.broken.is_empty() || inbox.rows.iter().all(evaluated)
}

/// States that can be reached; each check names those that it must reach.
fn goals() -> Vec<Property<InboxModel>> {
    vec![
        Property::sometimes("a notification had an effect", |_, inbox: &InboxState| {
            inbox.rows.iter().any(|row| row.had_effect)
        }),
        Property::sometimes(
            "a notification before the commit of its operation",
            |_, inbox: &InboxState| {
                let is_ahead = |row: &InboxRow| inbox.uncommitted == Some(row.fact.0);
                inbox.rows.iter().any(is_ahead)
            },
        ),
        Property::sometimes(
            "two workers with the same notification",
            |_, inbox: &InboxState| {
                let mut jobs = inbox.jobs.iter();
                let first = jobs.next();
                first.is_some_and(|first| jobs.any(|other| other.row == first.row))
            },
        ),
        Property::sometimes("an outdated read", |_, inbox: &InboxState| {
            let overtaken = |stage: &Stage| matches!(stage, Stage::SessionRead(_, false));
            inbox.jobs.iter().any(|job| overtaken(&job.stage))
        }),
        Property::sometimes("an outdated decision", |_, inbox: &InboxState| {
            inbox
                .jobs
                .iter()
                .any(|job| job.stage == Stage::Effective(false))
        }),
        Property::sometimes(
            "a notification of a reversal had an effect",
            |_, inbox: &InboxState| {
                let back = |row: &InboxRow| {
                    row.had_effect && matches!(row.fact.1, PspResponse::Refused(_))
                };
                inbox.rows.iter().any(back)
            },
        ),
    ]
}

/// The notifications of one command, with a fault, a repetition and a reversal.
#[test]
fn inbox_with_faults_and_leases() {
    let model = InboxModel {
        goals: &[
            "a notification had an effect",
            "a notification before the commit of its operation",
            "two workers with the same notification",
            "an outdated read",
            "an outdated decision",
            "a notification of a reversal had an effect",
        ],
        ..InboxModel::small(None)
    };
    explore(model, Some(depth_override().unwrap_or(8)), 8_000);
}

/// A much larger model that cannot be explored: long random walks.
#[test]
fn long_random_inbox_walks() {
    let budget = Budget {
        pays: 3,
        commands: 5,
        faults: 0,
        reversals: 3,
        repeats: 4,
    };
    let walks = Walks {
        count: 400,
        length: 90,
        is_rare: |action| matches!(action, Action::Crash(_) | Action::ExpireLease(_)),
        end: |inbox: &InboxState| inbox.world.records.session.status_name().name(),
    };
    let ends = walks.run(&InboxModel::starting(&budget, 8, None));
    for name in ["captured", "cancelled", "error"] {
        assert!(ends.contains_key(name), "no walk ended in {name}: {ends:?}");
    }
}

/// The notifications of a refund that is reversed.
#[test]
fn a_reversed_refund() {
    let faults = if depth_override().is_some() { 2 } else { 1 };
    explore(InboxModel::reversed_refund(faults, None), None, 1000);
}
