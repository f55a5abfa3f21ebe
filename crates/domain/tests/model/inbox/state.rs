//! The state of one session with its inbox, and the workers that process it.

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

/// The content of a notification; also its event key in the inbox.
pub(super) type Fact = (OperationId, PspResponse);

/// The state of a notification.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Progress {
    Waiting,
    Handled,
    /// It was closed without being evaluated.
    Discarded,
}

/// A notification as the inbox stores it, and what the model records about it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct InboxRow {
    pub(super) fact: Fact,
    pub(super) progress: Progress,
    /// It is claimed, and the lease has neither ended nor expired.
    pub(super) leased: bool,
    /// The state machine has evaluated it, and the decision was committed.
    pub(super) evaluated: bool,
    /// The decision had an effect.
    pub(super) had_effect: bool,
}

/// A session as read by a worker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ReadSession(Session);

/// The parts of a session that a worker's decision depends on.
impl Hash for ReadSession {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.status.hash(state);
        self.0.counted_attempts().hash(state);
    }
}

/// The progress of a worker with a notification.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Stage {
    /// The session was read, the operation not yet; `true` while the session is unchanged since.
    SessionRead(Box<ReadSession>, bool),
    /// The decision has no effect.
    Ineffective,
    /// The decision has an effect; `true` while the session is unchanged since.
    Effective(bool),
    /// The decision is committed, the notification is not marked as handled (a mutation).
    Applied,
}

/// A worker's claimed notification, and what it has read.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Job {
    /// The index of the notification in the inbox.
    pub(super) row: usize,
    /// Whether its lease is valid.
    pub(super) holds: bool,
    pub(super) stage: Stage,
}

/// A violated property.
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
    /// An operation that the PSP may have received, but whose commit is not visible yet.
    pub(super) uncommitted: Option<OperationId>,
    /// Number of crashes and stalls that may still occur.
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

    /// The PSP sends a notification, which is acknowledged; with `again`, it sends it once more
    /// later.
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

    /// Whether the queue returns it.
    pub(super) fn is_claimable(&self, row: usize) -> bool {
        let row = &self.rows[row];
        row.progress == Progress::Waiting && !row.leased
    }

    /// A worker claims a notification and reads what belongs to it. A notification before the
    /// operation's own commit is released.
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
    /// without effect counts only if that session is current.
    pub(super) fn read_operation(&mut self, worker: usize, mutation: Option<Mutation>) {
        let job = &self.jobs[worker];
        let Stage::SessionRead(session, is_current) = &job.stage else {
            return;
        };
        let stage = if self.has_effect(&session.0, &self.rows[job.row].fact) {
            Stage::Effective(*is_current)
        } else if *is_current || mutation == Some(Mutation::TrustsOvertakenReads) {
            Stage::Ineffective
        } else {
            self.read_session()
        };
        self.jobs[worker].stage = stage;
    }

    /// Whether the notification has an effect on this session in the current state. An inconsistent
    /// combination is refused.
    fn has_effect(&self, session: &Session, (operation, response): &Fact) -> bool {
        let mut records = self.world.records.clone();
        records.session = session.clone();
        let psp_update =
            records.psp_update(*operation, &PspResult::Response(response.clone()), false);
        let decision = session.decide(Input::PspUpdate(Box::new(psp_update)), self.world.now());
        decision.is_ok_and(|decision| !decision.is_empty(session))
    }

    /// A worker commits its decision, together with the notification's end.
    pub(super) fn commit(&mut self, worker: usize, mutation: Option<Mutation>) {
        let mut job = self.jobs.remove(worker);
        let is_effective = job.stage != Stage::Ineffective;
        let is_handled = self.rows[job.row].progress == Progress::Handled;
        // `AlreadyHandled` also rejects a notification that was handled by another worker.
        if !job.holds && is_fenced(mutation)
            || is_effective && is_handled && checks_handled(mutation)
        {
            return;
        }
        if job.stage == Stage::Effective(false) && checks_versions(mutation) {
            // A conflict: the worker decides again on the current state.
            job.stage = self.read_session();
            return self.jobs.push(job);
        }
        self.require(job.holds, Rule::Fencing);
        self.rows[job.row].evaluated = true;
        if matches!(job.stage, Stage::Effective(_)) {
            self.take_effect(job.row);
            if mutation == Some(Mutation::HandledLater) {
                job.stage = Stage::Applied;
                return self.jobs.push(job);
            }
        }
        let row = &mut self.rows[job.row];
        (row.progress, row.leased) = (Progress::Handled, false);
    }

    /// Applies the decision that was made on the read state.
    fn take_effect(&mut self, place: usize) {
        let fact = self.rows[place].fact.clone();
        apply(&mut self.world, &fact);
        let mut same = self.rows.iter().filter(|row| row.fact == fact);
        let is_first = same.all(|row| !row.had_effect);
        self.rows[place].had_effect = true;
        self.require(is_first, Rule::Twice);
    }

    /// A lease expires: its worker has crashed or stalled.
    pub(super) fn expire_lease(&mut self, row: usize) {
        self.rows[row].leased = false;
        let jobs = self.jobs.iter_mut().filter(|job| job.row == row);
        jobs.for_each(|job| job.holds = false);
    }

    /// Whether a running worker holds it.
    pub(super) fn has_holder(&self, row: usize) -> bool {
        self.jobs.iter().any(|job| job.row == row && job.holds)
    }

    /// Marks all reads and decisions on older states of the session as outdated.
    pub(super) fn mark_stale(&mut self, last: &World) {
        if last.records.session.version == self.world.records.session.version {
            return;
        }
        for job in &mut self.jobs {
            if let Stage::SessionRead(_, is_current) | Stage::Effective(is_current) = &mut job.stage
            {
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

fn apply(world: &mut World, (operation, response): &Fact) {
    world.apply_result(*operation, &PspResult::Response(response.clone()), false);
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
