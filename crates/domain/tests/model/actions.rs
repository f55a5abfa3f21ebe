//! Actions of the model: commands, the steps of a call, and faults of those steps.

use oncharge_domain::{id::OperationId, psp::PspResult};

use crate::{
    psp::Choice,
    session_records::AMOUNT,
    world::{Command, Flight, World},
};

/// A step; numbers are indexes into the world's lists.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Action {
    Command(Command),
    /// A call arrives, and its response returns.
    Respond(usize, Choice),
    /// A call arrives, but its response is lost.
    LoseResponse(usize, Choice),
    /// A call times out before it arrives; it may still arrive later.
    Delay(usize),
    /// A call is definitely not sent.
    NotSent(usize),
    /// The process crashes before its call.
    CrashBefore(usize),
    /// The process crashes after its call.
    CrashAfter(usize, Choice),
    /// A process commits the result that it received.
    ApplyResult(usize),
    /// A call that timed out arrives.
    Arrive(usize, Choice),
    /// The recovery worker processes an operation.
    Recover(OperationId),
    /// A notification arrives; with `true`, it will arrive again.
    Deliver(usize, bool),
    /// The PSP or the shopper decides.
    Finish(OperationId, bool),
    /// The PSP reverses an operation.
    Reverse(OperationId),
    Deadline,
    Tick,
}

pub(crate) fn add_commands(world: &World, actions: &mut Vec<Action>) {
    if world.budget.pays > 0 {
        actions.push(Action::Command(Command::Pay));
    }
    if world.budget.commands > 0 {
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

pub(crate) fn add_flight(world: &World, place: usize, flight: &Flight, actions: &mut Vec<Action>) {
    if flight.result.is_some() {
        actions.push(Action::ApplyResult(place));
        return;
    }
    let operation = &world.records.operations[&flight.operation];
    for choice in world.psp.choices(operation) {
        actions.push(Action::Respond(place, *choice));
        if world.budget.faults > 0 {
            actions.push(Action::LoseResponse(place, *choice));
            actions.push(Action::CrashAfter(place, *choice));
        }
    }
    if world.budget.faults > 0 {
        actions.push(Action::Delay(place));
        actions.push(Action::NotSent(place));
        actions.push(Action::CrashBefore(place));
    }
}

/// A call proceeds, or meets a fault.
pub(crate) fn step_flight(world: &mut World, action: &Action) {
    let (Action::Respond(place, _)
    | Action::LoseResponse(place, _)
    | Action::Delay(place)
    | Action::NotSent(place)
    | Action::CrashBefore(place)
    | Action::CrashAfter(place, _)) = action
    else {
        return;
    };
    let mut flight = world.flights.remove(*place);
    let operation = flight.operation;
    if !matches!(action, Action::Respond(..)) {
        world.budget.faults -= 1;
    }
    let arrived = match action {
        Action::Respond(_, choice)
        | Action::LoseResponse(_, choice)
        | Action::CrashAfter(_, choice) => Some(world.arrive(operation, *choice)),
        _ => None,
    };
    flight.result = match action {
        Action::Respond(..) => arrived.map(PspResult::Response),
        Action::NotSent(_) => Some(PspResult::NotSent),
        Action::LoseResponse(..) => Some(PspResult::Unknown),
        Action::Delay(_) => {
            world.network.push(operation);
            Some(PspResult::Unknown)
        }
        _ => None,
    };
    if flight.result.is_some() {
        world.flights.push(flight);
    }
}
