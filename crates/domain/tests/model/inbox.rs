//! A model check of the inbox: what a PSP tells of one session is kept, once for each event key, and
//! applied by two workers with leases that may crash or stall between reading and committing, beside
//! the requests and the recovery that change the same session.
//!
//! The simplest payments, since `Payments` explores the rest of them with facts that come straight.

#[path = "inbox/flaws.rs"]
mod flaws;
#[path = "inbox/room.rs"]
mod room;

use flaws::Flaw;
use oncharge_domain::psp::{Answer, Word};
use room::{Note, Progress, Room, Rule, Stage};
use stateright::{Model, Property};

use crate::{
    Payments,
    actions::Action as Event,
    book::AMOUNT,
    calm::{Mood, settles},
    check::{Walks, deeper, explore, report},
    one_is_kept,
    psp::Choice,
    world::{Command, Left, World},
};

const LOST: &str = "a fact that was acknowledged is weighed in the end";
const TRUTH: &str = "a calm world comes to rest in the truth";
const TWICE: &str = "no fact has an effect twice";
const ONCE: &str = "an event key is kept once";
const TOGETHER: &str = "a fact is handled as soon as something has followed from it";
const FENCING: &str = "a lost lease never commits";
const RULES: &str = "decisions keep the rules";
const MONEY: &str = "at most one payment is kept";

/// How many workers there are.
const WORKERS: usize = 2;

/// The model: where it starts, and what must have been seen.
struct Mailroom {
    starts: Vec<Room>,
    flaw: Option<Flaw>,
    goals: &'static [&'static str],
}

/// One thing that happens; numbers are places in the room's lists.
#[derive(Clone, Debug, PartialEq)]
enum Action {
    /// What happens with or without an inbox.
    Event(Event),
    /// The commit of an operation that the PSP may know already can be seen.
    Appear,
    /// The PSP posts a notification; with `true` it will again.
    Receive(usize, bool),
    /// A worker claims a notification and reads its session.
    Take(usize),
    /// A worker reads the operation and decides.
    Read(usize),
    Commit(usize),
    Crash(usize),
    Lapse(usize),
}

impl Mailroom {
    /// Nothing but a refund that is told, taken back, and told again: few enough states for all of
    /// them to be seen.
    fn taken_back(faults: u8, flaw: Option<Flaw>) -> Self {
        let left = Left {
            pays: 0,
            commands: 0,
            faults: 0,
            surprises: 1,
            repeats: 1,
        };
        let mut model = Self::starting(&left, faults, flaw);
        model.starts.drain(..3);
        model
    }

    fn small(flaw: Option<Flaw>) -> Self {
        let left = Left {
            pays: 1,
            commands: 1,
            faults: 0,
            surprises: 1,
            repeats: 1,
        };
        Self::starting(&left, 1, flaw)
    }

    /// Starts with a new session, with one that is authorized, with one that is captured, and with
    /// one whose refund was accepted and is done; the PSP's notifications of that are still to come.
    fn starting(left: &Left, faults: u8, flaw: Option<Flaw>) -> Self {
        let new = World::new(None, left.clone());
        let mut authorized = new.clone();
        carry_out(&mut authorized, (Command::Pay, Choice::Done));
        authorized.left.pays = 0;
        let mut captured = authorized.clone();
        captured.psp.mail.clear();
        carry_out(&mut captured, (Command::Capture(AMOUNT), Choice::Done));
        let mut refunded = captured.clone();
        refunded.psp.mail.clear();
        carry_out(&mut refunded, (Command::Refund(AMOUNT), Choice::Accepted));
        let refund = refunded.psp.undecided()[0];
        refunded.psp.finish(refund, true);
        refunded.left.commands = 0;
        let starts = [new, authorized, captured, refunded].map(|world| Room::new(world, faults));
        Self {
            starts: starts.into(),
            flaw,
            goals: &[],
        }
    }
}

/// A command is carried out without a hitch.
fn carry_out(world: &mut World, (command, choice): (Command, Choice)) {
    world.command(command).unwrap();
    let mut flight = world.flights.pop().unwrap();
    let answer = world.arrive(flight.operation, choice);
    flight.word = Some(Word::Answer(answer));
    world.learn(flight.operation, &flight.word.unwrap(), flight.waiting);
}

impl Model for Mailroom {
    type State = Room;
    type Action = Action;

    fn init_states(&self) -> Vec<Room> {
        self.starts.clone()
    }

    fn actions(&self, room: &Room, actions: &mut Vec<Action>) {
        if !room.broken.is_empty() || room.world.broken.is_some() {
            return;
        }
        add_events(room, actions);
        for place in 0..room.world.psp.mail.len() {
            actions.push(Action::Receive(place, false));
            if room.world.left.repeats > 0 {
                actions.push(Action::Receive(place, true));
            }
        }
        if room.ahead.is_some() {
            actions.push(Action::Appear);
        }
        for (place, work) in room.works.iter().enumerate() {
            actions.push(match work.stage {
                Stage::SessionRead(..) => Action::Read(place),
                _ => Action::Commit(place),
            });
            if room.faults > 0 {
                actions.push(Action::Crash(place));
            }
        }
        for (place, note) in room.notes.iter().enumerate() {
            if room.is_claimable(place) && room.works.len() < WORKERS {
                actions.push(Action::Take(place));
            }
            let lapses = room.faults > 0 || !room.has_holder(place);
            if note.leased && lapses && self.flaw != Some(Flaw::NeverLapses) {
                actions.push(Action::Lapse(place));
            }
        }
    }

    fn next_state(&self, last: &Room, action: Action) -> Option<Room> {
        let mut room = last.clone();
        match action {
            Action::Event(event) => {
                let is_command = matches!(event, Event::Command(_));
                room.world = payments(&room.world).next_state(&room.world, event)?;
                let operations = &room.world.book.operations;
                if is_command && operations.len() > last.world.book.operations.len() {
                    room.ahead = operations.keys().next_back().copied();
                }
            }
            Action::Appear => room.ahead = None,
            Action::Receive(place, again) => room.receive(place, again, self.flaw),
            Action::Take(note) => room.take(note, self.flaw),
            Action::Read(worker) => room.read_operation(worker, self.flaw),
            Action::Commit(worker) => room.commit(worker, self.flaw),
            Action::Crash(worker) => {
                room.faults -= 1;
                room.works.remove(worker);
            }
            Action::Lapse(note) => {
                room.faults -= u8::from(room.has_holder(note));
                room.lapse(note);
            }
        }
        room.outdate(&last.world);
        room.world.tidy();
        // The workers are alike.
        room.works.sort_by_key(|work| (work.note, work.holds));
        Some(room)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        let rules = [
            Property::always(RULES, |_, room: &Room| {
                report(&room.world.broken.clone().map_or(Ok(()), Err))
            }),
            Property::always(LOST, |model: &Self, room: &Room| {
                nothing_is_lost(&emptied(room, model.flaw))
            }),
            Property::always(TRUTH, |model: &Self, room: &Room| {
                !room.broken.is_empty()
                    || report(&settles(&emptied(room, model.flaw).world, Mood::Absent))
            }),
            Property::always(MONEY, |_, room: &Room| {
                let mut world = room.world.clone();
                let waits = |note: &&Note| note.progress == Progress::Waiting;
                let notes = room.notes.iter().filter(waits);
                world.psp.mail.extend(notes.map(|note| note.fact.clone()));
                report(&one_is_kept(&world))
            }),
            Property::always(TOGETHER, |_, room: &Room| {
                let open = |note: &Note| note.had_effect && note.progress != Progress::Handled;
                !room.notes.iter().any(open)
            }),
            Property::always(ONCE, |_, room: &Room| {
                let mut notes = room.notes.iter().enumerate();
                let first =
                    |note: &Note| room.notes.iter().position(|other| other.fact == note.fact);
                notes.all(|(place, note)| first(note) == Some(place))
            }),
            Property::always(TWICE, |_, room: &Room| !room.broken.contains(&Rule::Twice)),
            Property::always(FENCING, |_, room: &Room| {
                !room.broken.contains(&Rule::Fencing)
            }),
        ];
        let goals = goals().into_iter();
        let wanted = goals.filter(|goal| self.goals.contains(&goal.name));
        rules.into_iter().chain(wanted).collect()
    }
}

/// The payments' model, for what happens with or without an inbox.
fn payments(world: &World) -> Payments {
    Payments {
        left: world.left.clone(),
        goals: &[],
    }
}

/// Commands, calls and what the PSP decides. Nothing but the inbox goes on with an operation whose
/// commit cannot be seen yet, apart from the call itself.
fn add_events(room: &Room, actions: &mut Vec<Action>) {
    let world = &room.world;
    let mut events = Vec::new();
    if room.ahead.is_none() {
        if world.left.pays > 0 {
            events.push(Event::Command(Command::Pay));
        }
        if world.left.commands > 0 {
            let commands = [
                Command::Capture(AMOUNT),
                Command::Cancel,
                Command::Refund(AMOUNT),
            ];
            events.extend(commands.map(Event::Command));
        }
    }
    for (place, flight) in world.flights.iter().enumerate() {
        if flight.word.is_none() {
            let known = world.psp.truth(flight.operation).is_some();
            let choices: &[Choice] = if known {
                &[Choice::Done]
            } else {
                &[Choice::Done, Choice::Accepted]
            };
            events.extend(choices.iter().map(|choice| Event::Answer(place, *choice)));
        } else if room.ahead != Some(flight.operation) {
            events.push(Event::Learn(place));
        }
    }
    for operation in world.book.operations.values() {
        let flies = world
            .flights
            .iter()
            .any(|flight| flight.operation == operation.id);
        let is_due = operation.is_open() && operation.not_before <= world.now();
        if is_due && !flies && room.ahead != Some(operation.id) {
            events.push(Event::Recover(operation.id));
        }
    }
    for operation in world.psp.undecided() {
        events.extend([true, false].map(|done| Event::Finish(operation, done)));
    }
    if world.left.surprises > 0 {
        events.extend(world.psp.done().into_iter().map(Event::TakeBack));
    }
    actions.extend(events.into_iter().map(Action::Event));
}

/// The room when nothing goes wrong any more, and all that was posted and is posted has been dealt
/// with.
fn emptied(room: &Room, flaw: Option<Flaw>) -> Room {
    let mut room = room.clone();
    for _ in 0..200 {
        let before = room.world.clone();
        if !room.broken.is_empty() || !one_step(&mut room, flaw) {
            break;
        }
        room.outdate(&before);
    }
    room
}

/// Does one thing that is waiting; `false` where nothing is.
fn one_step(room: &mut Room, flaw: Option<Flaw>) -> bool {
    let places = 0..room.notes.len();
    let left = |place: &usize| room.notes[*place].leased && !room.has_holder(*place);
    if room.ahead.is_some() {
        room.ahead = None;
    } else if let Some(last) = room.works.len().checked_sub(1) {
        match room.works[last].stage {
            Stage::SessionRead(..) => room.read_operation(last, flaw),
            _ => room.commit(last, flaw),
        }
    } else if let Some(place) = places.clone().find(left)
        && flaw != Some(Flaw::NeverLapses)
    {
        room.lapse(place);
    } else if let Some(place) = places.clone().find(|place| room.is_claimable(*place)) {
        room.take(place, flaw);
    } else if room.world.psp.mail.is_empty() {
        return false;
    } else {
        room.receive(0, false, flaw);
    }
    true
}

fn nothing_is_lost(room: &Room) -> bool {
    let weighed = |note: &Note| note.weighed && note.progress == Progress::Handled;
    !room.broken.is_empty() || room.notes.iter().all(weighed)
}

/// What can be reached; each check names what it must reach.
fn goals() -> Vec<Property<Mailroom>> {
    vec![
        Property::sometimes("a fact was news", |_, room: &Room| {
            room.notes.iter().any(|note| note.had_effect)
        }),
        Property::sometimes("a fact is ahead of us", |_, room: &Room| {
            let is_ahead = |note: &Note| room.ahead == Some(note.fact.0);
            room.notes.iter().any(is_ahead)
        }),
        Property::sometimes("two workers with the same fact", |_, room: &Room| {
            let mut works = room.works.iter();
            let first = works.next();
            first.is_some_and(|first| works.any(|other| other.note == first.note))
        }),
        Property::sometimes("a read is overtaken", |_, room: &Room| {
            let overtaken = |stage: &Stage| matches!(stage, Stage::SessionRead(_, false));
            room.works.iter().any(|work| overtaken(&work.stage))
        }),
        Property::sometimes("a decision is overtaken", |_, room: &Room| {
            room.works
                .iter()
                .any(|work| work.stage == Stage::News(false))
        }),
        Property::sometimes("money was taken back by a fact", |_, room: &Room| {
            let back = |note: &Note| note.had_effect && matches!(note.fact.1, Answer::Refused(_));
            room.notes.iter().any(back)
        }),
    ]
}

/// All that can happen to the facts of one command, with a fault, a repetition and a surprise.
#[test]
fn facts_workers_and_leases() {
    let model = Mailroom {
        goals: &[
            "a fact was news",
            "a fact is ahead of us",
            "two workers with the same fact",
            "a read is overtaken",
            "a decision is overtaken",
            "money was taken back by a fact",
        ],
        ..Mailroom::small(None)
    };
    explore(model, Some(deeper().unwrap_or(8)), 8_000);
}

/// Far more of everything than can be explored: long walks at random.
#[test]
fn long_random_walks_of_facts() {
    let left = Left {
        pays: 3,
        commands: 5,
        faults: 0,
        surprises: 3,
        repeats: 4,
    };
    let walks = Walks {
        count: 400,
        length: 90,
        seldom: |action| matches!(action, Action::Crash(_) | Action::Lapse(_)),
        end: |room: &Room| room.world.book.session.status_name().name(),
    };
    let ends = walks.run(&Mailroom::starting(&left, 8, None));
    for name in ["captured", "cancelled", "error"] {
        assert!(ends.contains_key(name), "no walk ended in {name}: {ends:?}");
    }
}

/// All that can happen to the facts of a refund that is taken back.
#[test]
fn a_refund_that_is_taken_back() {
    let faults = if deeper().is_some() { 2 } else { 1 };
    explore(Mailroom::taken_back(faults, None), None, 1000);
}
