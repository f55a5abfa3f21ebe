//! The final state without further faults: the PSP responds, notifications arrive, workers run,
//! time passes. Every reachable state must lead to a final state that agrees with the PSP.

use oncharge_domain::{id::OperationId, operation::Operation, psp::PspResult};

use crate::{
    psp::Choice,
    world::{MOMENTS, World},
};

/// How the shopper and the PSP end what is not decided yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Behavior {
    /// Everything is executed.
    Responsive,
    /// Challenges are abandoned, and calls that timed out never arrive.
    Absent,
}

/// Fails if the work does not end, or ends in disagreement with the PSP.
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
        // Records and PSP may differ only while something is open.
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
    Err("the work does not end".to_owned())
}

/// Executes one pending step; `false` if there is none.
fn run_next(world: &mut World, behavior: Behavior) -> bool {
    if finish_flight(world) {
        return true;
    }
    if let Some(operation) = world.network.pop() {
        world.arrive(operation, Choice::Done);
        return true;
    }
    if let Some((operation, response)) = world.psp.notifications.pop() {
        world.apply_result(operation, &PspResult::Response(response), false);
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

/// The next process makes its call and commits the response; `false` if there is none.
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

/// Whether a run of the recovery worker changes anything.
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
