//! Model checks of interleavings: one session with merchants' calls, crashes, time-outs, calls that
//! arrive late, notifications that are repeated or reordered, a PSP that reverses operations, and
//! time. `inbox` models stored notifications and the workers that apply them, `outbox` the delivery
//! of events to the merchant, both with leases. `ONCHARGE_MODEL_DEPTH` explores deeper than the
//! tests do (`just model`).
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test may panic, and prints the number of states"
)]

#[path = "model/actions.rs"]
mod actions;
#[path = "model/check.rs"]
mod check;
#[path = "model/inbox.rs"]
mod inbox;
#[path = "model/outbox.rs"]
mod outbox;
#[path = "model/psp.rs"]
mod psp;
#[path = "model/quiescence.rs"]
mod quiescence;
#[path = "support/session_records.rs"]
mod session_records;
#[path = "model/world.rs"]
mod world;

use actions::{Action, add_commands, add_flight, step_flight};
use check::{Walks, depth_override, report};
use oncharge_domain::{
    id::OperationId,
    operation::{OperationKind, OperationStatus},
    psp::PspResult,
    session::{Status, StatusName, Step},
};
use quiescence::{Behavior, reaches_quiescence};
use stateright::{Model, Property};
use world::{Budget, Command, MOMENTS, World};

/// The model: its limits, and the states that it must reach.
struct Payments {
    budget: Budget,
    goals: &'static [&'static str],
}

impl Model for Payments {
    type State = World;
    type Action = Action;

    fn init_states(&self) -> Vec<World> {
        let start = |automatic| World::new(automatic, self.budget.clone());
        [None, Some(60), Some(0)].into_iter().map(start).collect()
    }

    fn actions(&self, world: &World, actions: &mut Vec<Action>) {
        if world.broken.is_some() {
            return;
        }
        add_commands(world, actions);
        for (place, flight) in world.flights.iter().enumerate() {
            add_flight(world, place, flight, actions);
        }
        for (place, operation) in world.network.iter().enumerate() {
            let operation = &world.records.operations[operation];
            let choices = world.psp.choices(operation).iter();
            actions.extend(choices.map(|choice| Action::Arrive(place, *choice)));
        }
        for operation in world.records.operations.values() {
            let flights = || world.flights.iter().filter(|f| f.operation == operation.id);
            // A second process implies that the first one is stalled.
            let stalled = flights().next().is_none() || world.budget.faults > 0;
            let worker = flights().any(|flight| !flight.waiting);
            if operation.is_open() && stalled && !worker && operation.not_before <= world.now() {
                actions.push(Action::Recover(operation.id));
            }
        }
        for place in 0..world.psp.notifications.len() {
            actions.push(Action::Deliver(place, false));
            if world.budget.repeats > 0 {
                actions.push(Action::Deliver(place, true));
            }
        }
        for operation in world.psp.undecided() {
            actions.push(Action::Finish(operation, true));
            actions.push(Action::Finish(operation, false));
        }
        if world.budget.reversals > 0 {
            actions.extend(world.psp.done().into_iter().map(Action::Reverse));
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
                    Command::Pay => &mut world.budget.pays,
                    _ => &mut world.budget.commands,
                };
                *budget -= 1;
            }
            Action::ApplyResult(place) => {
                let flight = world.flights.remove(place);
                world.apply_result(flight.operation, &flight.result?, flight.waiting);
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
                    world.budget.faults -= 1;
                }
                world.recover(operation)?;
            }
            Action::Deliver(place, again) => {
                let (operation, response) = world.psp.notifications[place].clone();
                if again {
                    world.budget.repeats -= 1;
                } else {
                    world.psp.notifications.remove(place);
                }
                world.apply_result(operation, &PspResult::Response(response), false);
            }
            Action::Finish(operation, done) => world.psp.finish(operation, done),
            Action::Reverse(operation) => {
                world.budget.reversals -= 1;
                world.psp.reverse(operation).then_some(())?;
            }
            Action::Deadline => world.deadline()?,
            Action::Tick => world.moment += 1,
            call => step_flight(&mut world, &call),
        }
        world.normalize();
        Some(world)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        let rules = [
            Property::always("decisions keep the invariants", |_, world: &World| {
                report(&world.broken.clone().map_or(Ok(()), Err))
            }),
            Property::always(
                "every state leads to a final state that agrees with the PSP",
                |_, world: &World| {
                    report(&reaches_quiescence(world, Behavior::Responsive))
                        && report(&reaches_quiescence(world, Behavior::Absent))
                },
            ),
            Property::always("at most one payment is kept", |_, world: &World| {
                report(&one_payment_is_kept(world))
            }),
        ];
        let goals = goals().into_iter();
        let wanted = goals.filter(|goal| self.goals.contains(&goal.name));
        rules.into_iter().chain(wanted).collect()
    }
}

/// States that can be reached; each check names those that it must reach.
fn goals() -> Vec<Property<Payments>> {
    vec![
        Property::sometimes("captured", |_, world: &World| {
            has(world, StatusName::Captured)
        }),
        Property::sometimes("cancelled", |_, world: &World| {
            has(world, StatusName::Cancelled)
        }),
        Property::sometimes("expired after an attempt", |_, world: &World| {
            has(world, StatusName::Expired) && world.records.session.counted_attempts() > 0
        }),
        Property::sometimes("refunded", |_, world: &World| {
            world.records.session.refunds().succeeded.minor() > 0
        }),
        Property::sometimes("capture failed", |_, world: &World| {
            matches!(world.records.session.status, Status::CaptureFailed(_))
        }),
        Property::sometimes("a payment was compensated", |_, world: &World| {
            world.records.operations.values().any(|operation| {
                matches!(operation.kind, OperationKind::Compensation { .. })
                    && operation.status == OperationStatus::Succeeded
            })
        }),
        Property::sometimes("two attempts", |_, world: &World| {
            world.records.session.counted_attempts() == 2
        }),
        Property::sometimes("a challenge outlives the expiry", |_, world: &World| {
            let session = &world.records.session;
            matches!(&session.status, Status::Pending(pending)
                if matches!(pending.step, Step::Challenge(_)) && world.now() > session.expires_at)
        }),
    ]
}

fn has(world: &World, name: StatusName) -> bool {
    world.records.session.status_name() == name
}

/// Money at the PSP belongs to the session's payment, to an operation with an open outcome, or to a
/// compensation.
fn one_payment_is_kept(world: &World) -> Result<(), String> {
    let session = &world.records.session;
    for (attempt, money) in &world.psp.payments {
        if money.captured > 0 && has(world, StatusName::Cancelled) && !world.needs_review {
            return Err(format!("captured and cancelled: {money:?}"));
        }
        if money.reserved() == 0 && money.taken() == 0 {
            continue;
        }
        let kept = session.snapshot().attempt == Some(*attempt);
        let operations = world.records.operations.values();
        let about = |id: OperationId| {
            world.psp.notifications.iter().any(|(of, _)| *of == id)
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
            return Err(format!("money of no payment: {money:?} of {attempt}"));
        }
    }
    Ok(())
}

/// Explores to the depth of `ONCHARGE_MODEL_DEPTH`, or else to this depth.
fn explore(model: Payments, depth: usize, floor: usize) {
    check::explore(model, Some(depth_override().unwrap_or(depth)), floor);
}

/// One attempt, the merchant's commands, crashes and time-outs.
#[test]
fn commands_and_faults() {
    let budget = Budget {
        pays: 1,
        commands: 3,
        faults: 2,
        reversals: 0,
        repeats: 0,
    };
    let goals = &["captured", "cancelled", "refunded"];
    explore(Payments { budget, goals }, 8, 20_000);
}

/// Two attempts, abandoned challenges, expiry.
#[test]
fn attempts_and_expiry() {
    let budget = Budget {
        pays: 2,
        commands: 1,
        faults: 1,
        reversals: 0,
        repeats: 1,
    };
    let goals = &[
        "two attempts",
        "expired after an attempt",
        "captured",
        "a challenge outlives the expiry",
    ];
    explore(Payments { budget, goals }, 8, 20_000);
}

/// A PSP that reverses operations, with notifications repeated and reordered.
#[test]
fn psp_reversals() {
    let budget = Budget {
        pays: 1,
        commands: 2,
        faults: 0,
        reversals: 2,
        repeats: 1,
    };
    let goals = &["capture failed", "cancelled", "a payment was compensated"];
    explore(Payments { budget, goals }, 10, 80_000);
}

/// A much larger model that cannot be explored: long random walks whose states are checked with the
/// same properties. The walks are the same in every run.
#[test]
fn long_random_walks() {
    let budget = Budget {
        pays: 5,
        commands: 6,
        faults: 6,
        reversals: 3,
        repeats: 4,
    };
    let walks = Walks {
        count: 2000,
        length: 90,
        is_rare: |action| *action == Action::Tick,
        end: |world: &World| world.records.session.status_name().name(),
    };
    let ends = walks.run(&Payments { budget, goals: &[] });
    for name in ["captured", "cancelled", "expired", "refused"] {
        assert!(ends.contains_key(name), "no walk ended in {name}: {ends:?}");
    }
}
