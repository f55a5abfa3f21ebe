//! A model check of the interleavings: one session, merchants' calls, crashes, time-outs, calls
//! that arrive late, notifications that come twice or out of order, a PSP that takes things back,
//! and time. `ONCHARGE_MODEL_DEPTH` looks further than the tests do (`just model`).
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test may panic, and tells how much it has seen"
)]

#[path = "support/book.rs"]
mod book;
#[path = "model/calm.rs"]
mod calm;
#[path = "model/psp.rs"]
mod psp;
#[path = "model/world.rs"]
mod world;

use book::AMOUNT;
use calm::{Mood, settles};
use oncharge_domain::{
    id::OperationId,
    operation::{OperationKind, OperationStatus},
    psp::Word,
    session::{Status, StatusName},
};
use psp::Choice;
use stateright::{Checker, HasDiscoveries, Model, Property};
use world::{Command, Flight, Left, MOMENTS, World};

/// One thing that happens; numbers are places in the world's lists.
#[derive(Clone, Debug, PartialEq)]
enum Action {
    Command(Command),
    /// A call arrives, and its answer comes back.
    Answer(usize, Choice),
    /// A call arrives, but its answer is lost.
    LoseAnswer(usize, Choice),
    /// A call times out on its way; it may still arrive.
    Delay(usize),
    /// A call surely never leaves.
    NotSent(usize),
    /// The process dies before its call.
    CrashBefore(usize),
    /// The process dies after its call.
    CrashAfter(usize, Choice),
    /// A process writes down what it has heard.
    Learn(usize),
    /// A call that was given up arrives.
    Arrive(usize, Choice),
    /// The recovery worker takes up an operation.
    Recover(OperationId),
    /// A notification comes; with `true` it will come again.
    Deliver(usize, bool),
    /// The PSP or the shopper decides.
    Finish(OperationId, bool),
    /// The PSP takes back what it has done.
    TakeBack(OperationId),
    Deadline,
    Tick,
}

/// The model: what may happen, and what must have been seen for the check to mean anything.
struct Payments {
    left: Left,
    goals: &'static [&'static str],
}

impl Model for Payments {
    type State = World;
    type Action = Action;

    fn init_states(&self) -> Vec<World> {
        let start = |automatic| World::new(automatic, self.left.clone());
        [None, Some(60), Some(0)].into_iter().map(start).collect()
    }

    fn actions(&self, world: &World, actions: &mut Vec<Action>) {
        if world.broken.is_some() {
            return;
        }
        add_commands(world, actions);
        for (place, flight) in world.flights.iter().enumerate() {
            add_flight(world, (place, flight), actions);
        }
        for (place, operation) in world.network.iter().enumerate() {
            let operation = &world.book.operations[operation];
            let choices = world.psp.choices(operation).iter();
            actions.extend(choices.map(|choice| Action::Arrive(place, *choice)));
        }
        for operation in world.book.operations.values() {
            let flights = || world.flights.iter().filter(|f| f.operation == operation.id);
            // A second process means that the first one stalls.
            let stalled = flights().next().is_none() || world.left.faults > 0;
            let worker = flights().any(|flight| !flight.waiting);
            if operation.is_open() && stalled && !worker && operation.not_before <= world.now() {
                actions.push(Action::Recover(operation.id));
            }
        }
        for place in 0..world.psp.mail.len() {
            actions.push(Action::Deliver(place, false));
            if world.left.repeats > 0 {
                actions.push(Action::Deliver(place, true));
            }
        }
        for operation in world.psp.undecided() {
            actions.push(Action::Finish(operation, true));
            actions.push(Action::Finish(operation, false));
        }
        if world.left.surprises > 0 {
            actions.extend(world.psp.done().into_iter().map(Action::TakeBack));
        }
        actions.push(Action::Deadline);
        if world.moment + 1 < MOMENTS.len() {
            actions.push(Action::Tick);
        }
    }

    fn next_state(&self, last: &World, action: Action) -> Option<World> {
        let mut world = last.clone();
        match action {
            Action::Command(command) => {
                world.command(command)?;
                let budget = match command {
                    Command::Pay => &mut world.left.pays,
                    _ => &mut world.left.commands,
                };
                *budget -= 1;
            }
            Action::Learn(place) => {
                let flight = world.flights.remove(place);
                world.learn(flight.operation, &flight.word?, flight.waiting);
            }
            Action::Arrive(place, choice) => {
                let operation = world.network.remove(place);
                world.arrive(operation, choice);
            }
            Action::Recover(operation) => {
                if world
                    .flights
                    .iter()
                    .any(|flight| flight.operation == operation)
                {
                    world.left.faults -= 1;
                }
                world.recover(operation)?;
            }
            Action::Deliver(place, again) => {
                let (operation, answer) = world.psp.mail[place].clone();
                if again {
                    world.left.repeats -= 1;
                } else {
                    world.psp.mail.remove(place);
                }
                world.learn(operation, &Word::Answer(answer), false);
            }
            Action::Finish(operation, done) => world.psp.finish(operation, done),
            Action::TakeBack(operation) => {
                world.left.surprises -= 1;
                world.psp.take_back(operation).then_some(())?;
            }
            Action::Deadline => world.deadline()?,
            Action::Tick => world.moment += 1,
            call => step_flight(&mut world, &call),
        }
        world.tidy();
        Some(world)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        let rules = [
            Property::always("decisions keep the rules", |_, world: &World| {
                report(&world.broken.clone().map_or(Ok(()), Err))
            }),
            Property::always(
                "a calm world comes to rest in the truth",
                |_, world: &World| {
                    report(&settles(world, Mood::Generous)) && report(&settles(world, Mood::Absent))
                },
            ),
            Property::always("at most one payment is kept", |_, world: &World| {
                report(&one_is_kept(world))
            }),
        ];
        let goals = goals().into_iter();
        let wanted = goals.filter(|goal| self.goals.contains(&goal.name));
        rules.into_iter().chain(wanted).collect()
    }
}

/// What can be reached; each check names what it must reach.
fn goals() -> Vec<Property<Payments>> {
    vec![
        Property::sometimes("captured", |_, world: &World| {
            has(world, StatusName::Captured)
        }),
        Property::sometimes("cancelled", |_, world: &World| {
            has(world, StatusName::Cancelled)
        }),
        Property::sometimes("expired after an attempt", |_, world: &World| {
            has(world, StatusName::Expired) && world.book.session.attempts > 0
        }),
        Property::sometimes("refunded", |_, world: &World| {
            world.book.session.refunds().succeeded.minor() > 0
        }),
        Property::sometimes("capture failed", |_, world: &World| {
            matches!(world.book.session.status, Status::CaptureFailed(_))
        }),
        Property::sometimes("money went back", |_, world: &World| {
            world.book.operations.values().any(|operation| {
                matches!(operation.kind, OperationKind::Compensation { .. })
                    && operation.status == OperationStatus::Succeeded
            })
        }),
        Property::sometimes("two attempts", |_, world: &World| {
            world.book.session.attempts == 2
        }),
    ]
}

fn add_commands(world: &World, actions: &mut Vec<Action>) {
    if world.left.pays > 0 {
        actions.push(Action::Command(Command::Pay));
    }
    if world.left.commands > 0 {
        let commands = [
            Command::Abandon,
            Command::Capture(AMOUNT),
            Command::Capture(AMOUNT - 40),
            Command::Cancel,
            Command::Refund(AMOUNT - 40),
            Command::Expire,
        ];
        actions.extend(commands.map(Action::Command));
    }
}

fn add_flight(world: &World, (place, flight): (usize, &Flight), actions: &mut Vec<Action>) {
    if flight.word.is_some() {
        actions.push(Action::Learn(place));
        return;
    }
    let operation = &world.book.operations[&flight.operation];
    for choice in world.psp.choices(operation) {
        actions.push(Action::Answer(place, *choice));
        if world.left.faults > 0 {
            actions.push(Action::LoseAnswer(place, *choice));
            actions.push(Action::CrashAfter(place, *choice));
        }
    }
    if world.left.faults > 0 {
        actions.push(Action::Delay(place));
        actions.push(Action::NotSent(place));
        actions.push(Action::CrashBefore(place));
    }
}

/// A flight goes on, or is struck by a fault.
fn step_flight(world: &mut World, action: &Action) {
    let (Action::Answer(place, _)
    | Action::LoseAnswer(place, _)
    | Action::Delay(place)
    | Action::NotSent(place)
    | Action::CrashBefore(place)
    | Action::CrashAfter(place, _)) = action
    else {
        return;
    };
    let mut flight = world.flights.remove(*place);
    let operation = flight.operation;
    if !matches!(action, Action::Answer(..)) {
        world.left.faults -= 1;
    }
    let arrived = match action {
        Action::Answer(_, choice)
        | Action::LoseAnswer(_, choice)
        | Action::CrashAfter(_, choice) => Some(world.arrive(operation, *choice)),
        _ => None,
    };
    flight.word = match action {
        Action::Answer(..) => arrived.map(Word::Answer),
        Action::NotSent(_) => Some(Word::NotSent),
        Action::LoseAnswer(..) => Some(Word::Unknown),
        Action::Delay(_) => {
            world.network.push(operation);
            Some(Word::Unknown)
        }
        _ => None,
    };
    if flight.word.is_some() {
        world.flights.push(flight);
    }
}

fn has(world: &World, name: StatusName) -> bool {
    world.book.session.status_name() == name
}

/// Money at the PSP is the session's, is being looked into, or goes back.
fn one_is_kept(world: &World) -> Result<(), String> {
    let session = &world.book.session;
    for (attempt, money) in &world.psp.payments {
        if money.captured > 0 && has(world, StatusName::Cancelled) && !world.flagged {
            return Err(format!("captured and cancelled: {money:?}"));
        }
        if money.reserved() == 0 && money.taken() == 0 {
            continue;
        }
        let kept = session.snapshot().attempt == Some(*attempt);
        let operations = world.book.operations.values();
        let about = |id: OperationId| {
            world.psp.mail.iter().any(|(of, _)| *of == id)
                || world.flights.iter().any(|flight| flight.operation == id)
        };
        let mut in_hand = operations.filter(|operation| {
            let pays_back = operation
                .payment
                .as_ref()
                .is_some_and(|payment| *payment == psp::reference_of(*attempt));
            let is_attempt = operation.id == *attempt;
            (pays_back || is_attempt) && (operation.is_open() || about(operation.id))
        });
        if !kept && in_hand.next().is_none() && money.taken() >= 0 {
            return Err(format!("nobody's money: {money:?} of {attempt}"));
        }
    }
    Ok(())
}

/// Whether it holds; what does not is printed, beside the path that stateright shows.
fn report(result: &Result<(), String>) -> bool {
    if let Err(broken) = result {
        println!("{broken}");
    }
    result.is_ok()
}

/// Explores so deep, or as deep as `ONCHARGE_MODEL_DEPTH` says, and asserts that at least so many
/// states were seen: fewer would mean that the model has lost its teeth.
fn explore(model: Payments, depth: usize, floor: usize) {
    #[expect(
        clippy::disallowed_methods,
        reason = "a test's own knob, not configuration of the product"
    )]
    let deeper = std::env::var("ONCHARGE_MODEL_DEPTH");
    let depth = deeper.map_or(depth, |text| text.parse().unwrap());
    let checker = model
        .checker()
        .threads(2)
        .target_max_depth(depth)
        .finish_when(HasDiscoveries::AnyFailures)
        .spawn_bfs()
        .join();
    let states = checker.unique_state_count();
    println!("{states} states, {depth} steps deep");
    checker.assert_properties();
    assert!(states >= floor, "only {states} states were visited");
}

/// One attempt, the merchant's commands, crashes and time-outs.
#[test]
fn commands_and_faults() {
    let left = Left {
        pays: 1,
        commands: 3,
        faults: 2,
        surprises: 0,
        repeats: 0,
    };
    let goals = &["captured", "cancelled", "refunded"];
    explore(Payments { left, goals }, 9, 1000);
}

/// Two attempts, challenges that are given up, expiry.
#[test]
fn attempts_and_expiry() {
    let left = Left {
        pays: 2,
        commands: 1,
        faults: 1,
        surprises: 0,
        repeats: 1,
    };
    let goals = &["two attempts", "expired after an attempt", "captured"];
    explore(Payments { left, goals }, 9, 1000);
}

/// A PSP that takes back what it did, with notifications twice and out of order.
#[test]
fn what_the_psp_takes_back() {
    let left = Left {
        pays: 1,
        commands: 2,
        faults: 0,
        surprises: 2,
        repeats: 1,
    };
    let goals = &["capture failed", "cancelled", "money went back"];
    explore(Payments { left, goals }, 11, 1000);
}
