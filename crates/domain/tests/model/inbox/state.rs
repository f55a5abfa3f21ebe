//! The world of one session with an inbox before it, and the workers that empty it.

use std::{
    collections::BTreeSet,
    hash::{Hash, Hasher},
};

use oncharge_domain::{
    id::OperationId,
    psp::{PspResponse, PspResult},
    session::{Input, Session},
};

use super::mutations::Mutation;
use crate::world::World;

/// What a PSP tells; also the event key under which the inbox keeps it.
pub(super) type Fact = (OperationId, PspResponse);

/// How far a notification is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Progress {
    Waiting,
    Handled,
    /// It was put aside without having been weighed.
    Discarded,
}

/// A notification as the inbox keeps it, and what really happened to it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct InboxRow {
    pub(super) fact: Fact,
    pub(super) progress: Progress,
    /// Somebody claimed it, and the claim has neither ended nor lapsed.
    pub(super) leased: bool,
    /// What it says was brought before the state machine, and what followed was committed.
    pub(super) evaluated: bool,
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
pub(super) struct Job {
    /// The place of the notification in the inbox.
    pub(super) row: usize,
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
pub(super) struct InboxState {
    pub(super) world: World,
    pub(super) rows: Vec<InboxRow>,
    pub(super) jobs: Vec<Job>,
    /// An operation that the PSP may know, but whose commit is not to be seen yet.
    pub(super) uncommitted: Option<OperationId>,
    /// Crashes and stalls that may still come.
    pub(super) faults: u8,
    pub(super) broken: BTreeSet<Rule>,
}

impl InboxState {
    pub(super) fn new(world: World, faults: u8) -> Self {
        Self {
            world,
            rows: Vec::new(),
            jobs: Vec::new(),
            uncommitted: None,
            faults,
            broken: BTreeSet::new(),
        }
    }

    /// The PSP posts a notification, is acknowledged, and (with `again`) posts it once more later.
    pub(super) fn receive(&mut self, place: usize, again: bool, mutation: Option<Mutation>) {
        let fact = self.world.psp.notifications[place].clone();
        if again {
            self.world.budget.repeats -= 1;
        } else {
            self.world.psp.notifications.remove(place);
        }
        let is_kept = self.rows.iter().any(|row| row.fact == fact);
        let twice = matches!(
            mutation,
            Some(Mutation::KeepsDuplicates | Mutation::KeepsDuplicatesNoVersions)
        );
        if !is_kept || twice {
            self.rows.push(InboxRow {
                fact,
                progress: Progress::Waiting,
                leased: false,
                evaluated: false,
                had_effect: false,
            });
        }
    }

    /// Whether the queue hands it out.
    pub(super) fn is_claimable(&self, row: usize) -> bool {
        let row = &self.rows[row];
        row.progress == Progress::Waiting && !row.leased
    }

    /// A worker claims a notification and reads all that belongs to it. One that is ahead of us is
    /// given back.
    pub(super) fn claim(&mut self, place: usize, mutation: Option<Mutation>) {
        let is_ahead = self.uncommitted == Some(self.rows[place].fact.0);
        if is_ahead {
            if mutation == Some(Mutation::DropsUncommitted) {
                self.rows[place].progress = Progress::Discarded;
            }
            return;
        }
        let stage = self.read_session();
        let row = &mut self.rows[place];
        row.leased = true;
        if mutation == Some(Mutation::HandledFirst) {
            row.progress = Progress::Handled;
        }
        self.jobs.push(Job {
            row: place,
            holds: true,
            stage,
        });
    }

    fn read_session(&self) -> Stage {
        Stage::SessionRead(
            Box::new(ReadSession(self.world.records.session.clone())),
            true,
        )
    }

    /// A worker reads the operation and decides on the session that it has read before. A decision
    /// without effect counts only while that session is current.
    pub(super) fn read_operation(&mut self, worker: usize, mutation: Option<Mutation>) {
        let job = &self.jobs[worker];
        let Stage::SessionRead(session, is_current) = &job.stage else {
            return;
        };
        let stage = if self.has_effect(&session.0, &self.rows[job.row].fact) {
            Stage::News(*is_current)
        } else if *is_current || mutation == Some(Mutation::TrustsOvertakenReads) {
            Stage::OldNews
        } else {
            self.read_session()
        };
        self.jobs[worker].stage = stage;
    }

    /// Whether the state machine makes anything of a fact with this session and all else as it is
    /// now. What does not fit together is refused.
    fn has_effect(&self, session: &Session, (operation, answer): &Fact) -> bool {
        let mut records = self.world.records.clone();
        records.session = session.clone();
        let psp_update =
            records.psp_update(*operation, &PspResult::Response(answer.clone()), false);
        let decision = session.decide(Input::PspUpdate(Box::new(psp_update)), self.world.now());
        decision.is_ok_and(|decision| !decision.is_empty(session))
    }

    /// A worker commits what it has decided, together with the notification's end.
    pub(super) fn commit(&mut self, worker: usize, mutation: Option<Mutation>) {
        let mut job = self.jobs.remove(worker);
        let is_news = job.stage != Stage::OldNews;
        let is_handled = self.rows[job.row].progress == Progress::Handled;
        // `AlreadyHandled` is a second fence for what is news.
        if !job.holds && is_fenced(mutation) || is_news && is_handled && checks_handled(mutation) {
            return;
        }
        if job.stage == Stage::News(false) && checks_versions(mutation) {
            // A conflict: it decides anew, on what is there by now.
            job.stage = self.read_session();
            return self.jobs.push(job);
        }
        self.require(job.holds, Rule::Fencing);
        self.rows[job.row].evaluated = true;
        if matches!(job.stage, Stage::News(_)) {
            self.take_effect(job.row);
            if mutation == Some(Mutation::HandledLater) {
                job.stage = Stage::Applied;
                return self.jobs.push(job);
            }
        }
        let row = &mut self.rows[job.row];
        (row.progress, row.leased) = (Progress::Handled, false);
    }

    /// What was decided when it was read is written.
    fn take_effect(&mut self, place: usize) {
        let fact = self.rows[place].fact.clone();
        apply(&mut self.world, &fact);
        let mut same = self.rows.iter().filter(|row| row.fact == fact);
        let is_first = same.all(|row| !row.had_effect);
        self.rows[place].had_effect = true;
        self.require(is_first, Rule::Twice);
    }

    /// A lease runs out: its worker is dead, or has stalled.
    pub(super) fn expire_lease(&mut self, row: usize) {
        self.rows[row].leased = false;
        let jobs = self.jobs.iter_mut().filter(|job| job.row == row);
        jobs.for_each(|job| job.holds = false);
    }

    /// Whether a living worker holds it.
    pub(super) fn has_holder(&self, row: usize) -> bool {
        self.jobs.iter().any(|job| job.row == row && job.holds)
    }

    /// Whoever has read or decided on an older state of the session will notice it by its version.
    pub(super) fn mark_stale(&mut self, last: &World) {
        if last.records.session.version == self.world.records.session.version {
            return;
        }
        for job in &mut self.jobs {
            if let Stage::SessionRead(_, is_current) | Stage::News(is_current) = &mut job.stage {
                *is_current = false;
            }
        }
    }

    fn require(&mut self, kept: bool, rule: Rule) {
        if !kept {
            self.broken.insert(rule);
        }
    }
}

fn apply(world: &mut World, (operation, answer): &Fact) {
    world.apply_result(*operation, &PspResult::Response(answer.clone()), false);
}

fn is_fenced(mutation: Option<Mutation>) -> bool {
    !matches!(
        mutation,
        Some(Mutation::NoFencing | Mutation::NoFencingNoVersions)
    )
}

fn checks_handled(mutation: Option<Mutation>) -> bool {
    let mutated = [
        Mutation::HandledFirst,
        Mutation::HandledLater,
        Mutation::NoFencingNoVersions,
    ];
    mutation.is_none_or(|mutation| !mutated.contains(&mutation))
}

fn checks_versions(mutation: Option<Mutation>) -> bool {
    let mutated = [
        Mutation::KeepsDuplicatesNoVersions,
        Mutation::NoFencingNoVersions,
    ];
    mutation.is_none_or(|mutation| !mutated.contains(&mutation))
}
