//! What becomes of a world in which nothing goes wrong any more: the PSP answers, notifications
//! come, workers run, time passes. From every reachable state it must come to rest in the truth.

use oncharge_domain::{id::OperationId, operation::Operation, psp::Word};

use crate::{
    psp::Choice,
    world::{MOMENTS, World},
};

/// How the shopper and the PSP end what they have not decided yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mood {
    /// Everything is carried out.
    Generous,
    /// Challenges are left alone and calls that were given up never arrive.
    Absent,
}

/// Errors where the world does not come to rest, or rests in a lie.
pub(crate) fn settles(world: &World, mood: Mood) -> Result<(), String> {
    let mut world = world.clone();
    if mood == Mood::Absent {
        world.network.clear();
    }
    for _ in 0..400 {
        if let Some(broken) = world.broken {
            return Err(broken);
        }
        if one_step(&mut world, mood) {
            continue;
        }
        // Books and PSP may differ only while something is still open.
        let open = world.book.operations.values().any(Operation::is_open);
        if !open {
            world.truth()?;
        }
        if world.moment + 1 < MOMENTS.len() {
            world.moment += 1;
        } else if open {
            return Err(format!("never ends: {:?}", world.book.operations));
        } else {
            return Ok(());
        }
    }
    Err("does not come to rest".to_owned())
}

/// Does one thing that is waiting; `false` where nothing is.
fn one_step(world: &mut World, mood: Mood) -> bool {
    if land(world) {
        return true;
    }
    if let Some(operation) = world.network.pop() {
        world.arrive(operation, Choice::Done);
        return true;
    }
    if let Some((operation, answer)) = world.psp.mail.pop() {
        world.learn(operation, &Word::Answer(answer), false);
        return true;
    }
    if let Some(operation) = to_finish(world, mood) {
        world.psp.finish(operation, true);
        return true;
    }
    if world.deadline().is_some() {
        return true;
    }
    let open: Vec<OperationId> = world
        .book
        .operations
        .values()
        .filter(|operation| operation.is_open())
        .map(|operation| operation.id)
        .collect();
    open.into_iter().any(|operation| recovers(world, operation))
}

/// The next process makes its call and writes down the answer; `false` where there is none.
fn land(world: &mut World) -> bool {
    let Some(flight) = world.flights.pop() else {
        return false;
    };
    let heard = flight
        .word
        .unwrap_or_else(|| Word::Answer(world.arrive(flight.operation, Choice::Done)));
    world.learn(flight.operation, &heard, flight.waiting);
    true
}

fn to_finish(world: &World, mood: Mood) -> Option<OperationId> {
    let undecided = world.psp.undecided();
    let is_challenge = |id: &OperationId| {
        let truth = world.psp.truth(*id);
        matches!(truth, Some(oncharge_domain::psp::Answer::ActionRequired(_)))
    };
    undecided
        .into_iter()
        .find(|id| mood == Mood::Generous || !is_challenge(id))
}

/// Whether a turn of the recovery worker changes anything.
fn recovers(world: &mut World, operation: OperationId) -> bool {
    let before = world.clone();
    if world.recover(operation).is_none() {
        return false;
    }
    while land(world) {}
    let changed = world.book.session.status != before.book.session.status
        || world.book.operations != before.book.operations;
    if !changed {
        *world = before;
    }
    changed
}
