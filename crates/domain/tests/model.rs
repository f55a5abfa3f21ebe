//! A model check of the interleavings: one session, merchants' calls, crashes, time-outs, calls
//! that arrive late, notifications that come twice or out of order, a PSP that takes things back,
//! and time. `inbox` holds what PSPs tell until a worker applies it, `outbox` delivers events to
//! the merchant; both with leases. `ONCHARGE_MODEL_DEPTH` looks further than the tests do
//! (`just model`).
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test may panic, and tells how much it has seen"
)]

#[path = "model/actions.rs"]
mod actions;
#[path = "support/book.rs"]
mod book;
#[path = "model/calm.rs"]
mod calm;
#[path = "model/check.rs"]
mod check;
#[path = "model/inbox.rs"]
mod inbox;
#[path = "model/outbox.rs"]
mod outbox;
#[path = "model/psp.rs"]
mod psp;
#[path = "model/world.rs"]
mod world;

use actions::{Action, add_commands, add_flight, step_flight};
use calm::{Mood, settles};
use check::{Walks, deeper, report};
use oncharge_domain::{
    id::OperationId,
    operation::{OperationKind, OperationStatus},
    psp::Word,
    session::{Status, StatusName, Step},
};
use stateright::{Model, Property};
use world::{Command, Left, MOMENTS, World};

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
            has(world, StatusName::Expired) && world.book.session.counted_attempts() > 0
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
            world.book.session.counted_attempts() == 2
        }),
        Property::sometimes("a challenge outlives the expiry", |_, world: &World| {
            let session = &world.book.session;
            matches!(&session.status, Status::Pending(pending)
                if matches!(pending.step, Step::Challenge(_)) && world.now() > session.expires_at)
        }),
    ]
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

/// Explores as deep as `ONCHARGE_MODEL_DEPTH` says, else so deep.
fn explore(model: Payments, depth: usize, floor: usize) {
    check::explore(model, Some(deeper().unwrap_or(depth)), floor);
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
    explore(Payments { left, goals }, 8, 20_000);
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
    let goals = &[
        "two attempts",
        "expired after an attempt",
        "captured",
        "a challenge outlives the expiry",
    ];
    explore(Payments { left, goals }, 8, 20_000);
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
    explore(Payments { left, goals }, 10, 80_000);
}

/// Far more of everything than can be explored: long walks at random, each step held against the
/// same rules. Walk by walk the same in every run.
#[test]
fn long_random_walks() {
    let left = Left {
        pays: 5,
        commands: 6,
        faults: 6,
        surprises: 3,
        repeats: 4,
    };
    let walks = Walks {
        count: 2000,
        length: 90,
        seldom: |action| *action == Action::Tick,
        end: |world: &World| world.book.session.status_name().name(),
    };
    let ends = walks.run(&Payments { left, goals: &[] });
    for name in ["captured", "cancelled", "expired", "refused"] {
        assert!(ends.contains_key(name), "no walk ended in {name}: {ends:?}");
    }
}
