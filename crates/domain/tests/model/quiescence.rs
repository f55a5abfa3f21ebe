//! What becomes of a world in which nothing goes wrong any more: the PSP answers, notifications
//! come, workers run, time passes. From every reachable state it must come to rest in the truth.

use oncharge_domain::{id::OperationId, operation::Operation, psp::PspResult};

use crate::{
    psp::Choice,
    world::{MOMENTS, World},
};

/// How the shopper and the PSP end what they have not decided yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Behavior {
    /// Everything is carried out.
    Responsive,
    /// Challenges are left alone and calls that were given up never arrive.
    Absent,
}

/// Errors where the world does not come to rest, or rests in a lie.
pub(crate) fn reaches_quiescence(world: &World, behavior: Behavior) -> Result<(), String> {
    let mut world = world.clone();
    if behavior == Behavior::Absent {
        world.network.clear();
    }
    for _ in 0..400 {
        if let Some(broken) = world.broken {
            return Err(broken);
        }
        if run_next(&mut world, behavior) {
            continue;
        }
        // Books and PSP may differ only while something is still open.
        let open = world.records.operations.values().any(Operation::is_open);
        if !open {
            world.check_consistency()?;
        }
        if world.moment + 1 < MOMENTS.len() {
            world.moment += 1;
        } else if open {
            return Err(format!("never ends: {:?}", world.records.operations));
        } else {
            return Ok(());
        }
    }
    Err("does not come to rest".to_owned())
}

/// Does one thing that is waiting; `false` where nothing is.
fn run_next(world: &mut World, behavior: Behavior) -> bool {
    if finish_flight(world) {
        return true;
    }
    if let Some(operation) = world.network.pop() {
        world.arrive(operation, Choice::Done);
        return true;
    }
    if let Some((operation, answer)) = world.psp.notifications.pop() {
        world.apply_result(operation, &PspResult::Response(answer), false);
        return true;
    }
    if let Some(operation) = undecided_operation(world, behavior) {
        world.psp.finish(operation, true);
        return true;
    }
    if world.deadline().is_some() {
        return true;
    }
    let open: Vec<OperationId> = world
        .records
        .operations
        .values()
        .filter(|operation| operation.is_open())
        .map(|operation| operation.id)
        .collect();
    open.into_iter()
        .any(|operation| recovery_has_effect(world, operation))
}

/// The next process makes its call and writes down the answer; `false` where there is none.
fn finish_flight(world: &mut World) -> bool {
    let Some(flight) = world.flights.pop() else {
        return false;
    };
    let psp_update = flight
        .result
        .unwrap_or_else(|| PspResult::Response(world.arrive(flight.operation, Choice::Done)));
    world.apply_result(flight.operation, &psp_update, flight.waiting);
    true
}

fn undecided_operation(world: &World, behavior: Behavior) -> Option<OperationId> {
    let undecided = world.psp.undecided();
    let is_challenge = |id: &OperationId| {
        let current = world.psp.current(*id);
        matches!(
            current,
            Some(oncharge_domain::psp::PspResponse::ActionRequired(_))
        )
    };
    undecided
        .into_iter()
        .find(|id| behavior == Behavior::Responsive || !is_challenge(id))
}

/// Whether a turn of the recovery worker changes anything.
fn recovery_has_effect(world: &mut World, operation: OperationId) -> bool {
    let before = world.clone();
    if world.recover(operation).is_none() {
        return false;
    }
    while finish_flight(world) {}
    let changed = world.records.session.status != before.records.session.status
        || world.records.operations != before.records.operations;
    if !changed {
        *world = before;
    }
    changed
}
