//! What is to go wrong, and where: commits and calls of the PSP are counted as they are made.

use std::sync::Mutex;

use oncharge_ports::UnitOfWork;
use tokio::sync::{Notify, watch};

/// A place at which something can go wrong; each is counted by itself, from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Point {
    /// A commit of the store.
    Commit(u64),
    /// A call of the PSP, look-ups included.
    Call(u64),
}

/// What goes wrong there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Harm {
    /// A commit writes nothing; a call surely never leaves.
    Before,
    /// A commit that is not known to be done, and is; a call whose answer is lost.
    After,
    /// Another node was faster (commits); lost on the way there (calls).
    Between,
    /// The process dies before it.
    DieBefore,
    /// The process dies right after it.
    DieAfter,
}

impl Harm {
    /// All of them.
    pub(crate) const ALL: [Self; 5] = [
        Self::Before,
        Self::After,
        Self::Between,
        Self::DieBefore,
        Self::DieAfter,
    ];
}

/// Counts points, harms at the planned one, and can hold back the PSP's answers.
pub(crate) struct Fate {
    counts: Mutex<Counts>,
    death: Notify,
    answers: watch::Sender<bool>,
    stall: Mutex<Stall>,
}

/// A commit whose connection was lost while the database was still at it.
#[derive(Default)]
enum Stall {
    #[default]
    No,
    /// The next commit stalls.
    Next,
    /// The database will write this, whatever anybody believes.
    Held(Box<UnitOfWork>),
}

#[derive(Default)]
struct Counts {
    commits: u64,
    calls: u64,
    plan: Option<(Point, Harm)>,
}

impl Fate {
    pub(crate) fn new() -> Self {
        Self {
            counts: Mutex::default(),
            death: Notify::new(),
            answers: watch::Sender::new(true),
            stall: Mutex::default(),
        }
    }

    /// Plans a harm; `n` of the point counts from now on, 1 is the next one.
    pub(crate) fn plan(&self, point: Point, harm: Harm) {
        let mut counts = self.counts.lock().unwrap();
        let at = match point {
            Point::Commit(n) => Point::Commit(counts.commits + n),
            Point::Call(n) => Point::Call(counts.calls + n),
        };
        counts.plan = Some((at, harm));
    }

    /// Forgets a harm that has not come up.
    pub(crate) fn clear(&self) {
        self.counts.lock().unwrap().plan = None;
    }

    /// Lets the next commit stall: the connection is lost, the unit is not there when it is asked
    /// for, and written all the same before the next one that is.
    pub(crate) fn stall_next_commit(&self) {
        *self.stall.lock().unwrap() = Stall::Next;
    }

    /// Whether this commit stalls.
    pub(super) fn stalls(&self, unit: &UnitOfWork) -> bool {
        let mut stall = self.stall.lock().unwrap();
        let here = matches!(*stall, Stall::Next);
        if here {
            *stall = Stall::Held(Box::new(unit.clone()));
        }
        here
    }

    /// What the database was still about to write.
    pub(super) fn stalled(&self) -> Option<UnitOfWork> {
        match std::mem::take(&mut *self.stall.lock().unwrap()) {
            Stall::Held(unit) => Some(*unit),
            Stall::No | Stall::Next => None,
        }
    }

    /// Commits and calls so far.
    pub(crate) fn counts(&self) -> (u64, u64) {
        let counts = self.counts.lock().unwrap();
        (counts.commits, counts.calls)
    }

    pub(super) fn at_commit(&self) -> Option<Harm> {
        let mut counts = self.counts.lock().unwrap();
        counts.commits += 1;
        let here = Point::Commit(counts.commits);
        counts.take(here)
    }

    pub(super) fn at_call(&self) -> Option<Harm> {
        let mut counts = self.counts.lock().unwrap();
        counts.calls += 1;
        let here = Point::Call(counts.calls);
        counts.take(here)
    }

    /// The process dies here: nothing after this is ever done.
    pub(super) async fn die(&self) -> ! {
        self.death.notify_one();
        std::future::pending::<()>().await;
        unreachable!("the dead do nothing")
    }

    /// Waits until the process dies.
    pub(crate) async fn death(&self) {
        self.death.notified().await;
    }

    /// From now on the PSP does its work but its answers (not to look-ups) stay on the way.
    pub(crate) fn hold_answers(&self) {
        self.answers.send_replace(false);
    }

    /// Lets held answers arrive.
    pub(crate) fn let_answers_in(&self) {
        self.answers.send_replace(true);
    }

    pub(super) async fn answer_arrives(&self) {
        let mut open = self.answers.subscribe();
        open.wait_for(|open| *open)
            .await
            .expect("the fate lives on");
    }
}

impl Counts {
    fn take(&mut self, here: Point) -> Option<Harm> {
        let (_, harm) = self.plan.take_if(|(at, _)| *at == here)?;
        Some(harm)
    }
}
