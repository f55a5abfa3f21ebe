//! The world of one session with an inbox before it, and the workers that empty it.

use std::{
    collections::BTreeSet,
    hash::{Hash, Hasher},
};

use oncharge_domain::{
    id::OperationId,
    psp::{Answer, Word},
    session::{Input, Session},
};

use super::flaws::Flaw;
use crate::world::World;

/// What a PSP tells; also the event key under which the inbox keeps it.
pub(super) type Fact = (OperationId, Answer);

/// How far a notification is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Progress {
    Waiting,
    Handled,
    /// It was put aside without having been weighed.
    PutAside,
}

/// A notification as the inbox keeps it, and what really happened to it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Note {
    pub(super) fact: Fact,
    pub(super) progress: Progress,
    /// Somebody claimed it, and the claim has neither ended nor lapsed.
    pub(super) leased: bool,
    /// What it says was brought before the state machine, and what followed was committed.
    pub(super) weighed: bool,
    /// It was news: something followed from it.
    pub(super) had_effect: bool,
}

/// A session as a worker has read it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ReadSession(Session);

/// What makes two sessions equal for what a worker decides on them.
impl Hash for ReadSession {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.status.hash(state);
        self.0.counted_attempts().hash(state);
    }
}

/// How far a worker is with a notification.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Stage {
    /// It has read the session, and the operation not yet; `true` while nobody has changed the
    /// session since.
    SessionRead(Box<ReadSession>, bool),
    /// It has read that this is no news.
    OldNews,
    /// It has decided what follows; `true` while nobody has changed the session since.
    News(bool),
    /// What follows is committed; that it is handled is not (a flaw).
    Applied,
}

/// A worker with a notification in hand: what it has read of it and of the session.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Work {
    /// The place of the notification in the inbox.
    pub(super) note: usize,
    /// Its lease holds.
    pub(super) holds: bool,
    pub(super) stage: Stage,
}

/// A rule that something has broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Rule {
    Fencing,
    Twice,
}

/// The state.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Room {
    pub(super) world: World,
    pub(super) notes: Vec<Note>,
    pub(super) works: Vec<Work>,
    /// An operation that the PSP may know, but whose commit is not to be seen yet.
    pub(super) ahead: Option<OperationId>,
    /// Crashes and stalls that may still come.
    pub(super) faults: u8,
    pub(super) broken: BTreeSet<Rule>,
}

impl Room {
    pub(super) fn new(world: World, faults: u8) -> Self {
        Self {
            world,
            notes: Vec::new(),
            works: Vec::new(),
            ahead: None,
            faults,
            broken: BTreeSet::new(),
        }
    }

    /// The PSP posts a notification, is acknowledged, and (with `again`) posts it once more later.
    pub(super) fn receive(&mut self, place: usize, again: bool, flaw: Option<Flaw>) {
        let fact = self.world.psp.mail[place].clone();
        if again {
            self.world.left.repeats -= 1;
        } else {
            self.world.psp.mail.remove(place);
        }
        let is_kept = self.notes.iter().any(|note| note.fact == fact);
        let twice = matches!(
            flaw,
            Some(Flaw::KeepsDuplicates | Flaw::KeepsDuplicatesNoVersions)
        );
        if !is_kept || twice {
            self.notes.push(Note {
                fact,
                progress: Progress::Waiting,
                leased: false,
                weighed: false,
                had_effect: false,
            });
        }
    }

    /// Whether the queue hands it out.
    pub(super) fn is_claimable(&self, note: usize) -> bool {
        let note = &self.notes[note];
        note.progress == Progress::Waiting && !note.leased
    }

    /// A worker claims a notification and reads all that belongs to it. One that is ahead of us is
    /// given back.
    pub(super) fn take(&mut self, place: usize, flaw: Option<Flaw>) {
        let is_ahead = self.ahead == Some(self.notes[place].fact.0);
        if is_ahead {
            if flaw == Some(Flaw::DropsAhead) {
                self.notes[place].progress = Progress::PutAside;
            }
            return;
        }
        let stage = self.read_session();
        let note = &mut self.notes[place];
        note.leased = true;
        if flaw == Some(Flaw::HandledFirst) {
            note.progress = Progress::Handled;
        }
        self.works.push(Work {
            note: place,
            holds: true,
            stage,
        });
    }

    fn read_session(&self) -> Stage {
        Stage::SessionRead(Box::new(ReadSession(self.world.book.session.clone())), true)
    }

    /// A worker reads the operation and decides on the session that it has read before. A decision
    /// without effect counts only while that session is current.
    pub(super) fn read_operation(&mut self, worker: usize, flaw: Option<Flaw>) {
        let work = &self.works[worker];
        let Stage::SessionRead(session, is_current) = &work.stage else {
            return;
        };
        let stage = if self.has_effect(&session.0, &self.notes[work.note].fact) {
            Stage::News(*is_current)
        } else if *is_current || flaw == Some(Flaw::TrustsOvertakenReads) {
            Stage::OldNews
        } else {
            self.read_session()
        };
        self.works[worker].stage = stage;
    }

    /// Whether the state machine makes anything of a fact with this session and all else as it is
    /// now. What does not fit together is refused.
    fn has_effect(&self, session: &Session, (operation, answer): &Fact) -> bool {
        let mut book = self.world.book.clone();
        book.session = session.clone();
        let heard = book.heard(*operation, &Word::Answer(answer.clone()), false);
        let decision = session.decide(Input::Heard(Box::new(heard)), self.world.now());
        decision.is_ok_and(|decision| !decision.is_empty(session))
    }

    /// A worker commits what it has decided, together with the notification's end.
    pub(super) fn commit(&mut self, worker: usize, flaw: Option<Flaw>) {
        let mut work = self.works.remove(worker);
        let is_news = work.stage != Stage::OldNews;
        let is_handled = self.notes[work.note].progress == Progress::Handled;
        // `AlreadyHandled` is a second fence for what is news.
        if !work.holds && is_fenced(flaw) || is_news && is_handled && looks_whether_handled(flaw) {
            return;
        }
        if work.stage == Stage::News(false) && looks_at_versions(flaw) {
            // A conflict: it decides anew, on what is there by now.
            work.stage = self.read_session();
            return self.works.push(work);
        }
        self.demand(work.holds, Rule::Fencing);
        self.notes[work.note].weighed = true;
        if matches!(work.stage, Stage::News(_)) {
            self.take_effect(work.note);
            if flaw == Some(Flaw::HandledLater) {
                work.stage = Stage::Applied;
                return self.works.push(work);
            }
        }
        let note = &mut self.notes[work.note];
        (note.progress, note.leased) = (Progress::Handled, false);
    }

    /// What was decided when it was read is written.
    fn take_effect(&mut self, place: usize) {
        let fact = self.notes[place].fact.clone();
        apply(&mut self.world, &fact);
        let mut same = self.notes.iter().filter(|note| note.fact == fact);
        let is_first = same.all(|note| !note.had_effect);
        self.notes[place].had_effect = true;
        self.demand(is_first, Rule::Twice);
    }

    /// A lease runs out: its worker is dead, or has stalled.
    pub(super) fn lapse(&mut self, note: usize) {
        self.notes[note].leased = false;
        let works = self.works.iter_mut().filter(|work| work.note == note);
        works.for_each(|work| work.holds = false);
    }

    /// Whether a living worker holds it.
    pub(super) fn has_holder(&self, note: usize) -> bool {
        self.works
            .iter()
            .any(|work| work.note == note && work.holds)
    }

    /// Whoever has read or decided on an older state of the session will notice it by its version.
    pub(super) fn outdate(&mut self, last: &World) {
        if last.book.session.version == self.world.book.session.version {
            return;
        }
        for work in &mut self.works {
            if let Stage::SessionRead(_, is_current) | Stage::News(is_current) = &mut work.stage {
                *is_current = false;
            }
        }
    }

    fn demand(&mut self, kept: bool, rule: Rule) {
        if !kept {
            self.broken.insert(rule);
        }
    }
}

fn apply(world: &mut World, (operation, answer): &Fact) {
    world.learn(*operation, &Word::Answer(answer.clone()), false);
}

fn is_fenced(flaw: Option<Flaw>) -> bool {
    !matches!(flaw, Some(Flaw::NoFencing | Flaw::NoFencingNoVersions))
}

fn looks_whether_handled(flaw: Option<Flaw>) -> bool {
    let flawed = [
        Flaw::HandledFirst,
        Flaw::HandledLater,
        Flaw::NoFencingNoVersions,
    ];
    flaw.is_none_or(|flaw| !flawed.contains(&flaw))
}

fn looks_at_versions(flaw: Option<Flaw>) -> bool {
    let flawed = [Flaw::KeepsDuplicatesNoVersions, Flaw::NoFencingNoVersions];
    flaw.is_none_or(|flaw| !flawed.contains(&flaw))
}
