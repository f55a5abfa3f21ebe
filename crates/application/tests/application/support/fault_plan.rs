//! What is to go wrong, and where: commits, other writes, calls of the PSP and webhooks are counted
//! as they are made.

use std::sync::Mutex;

use oncharge_ports::UnitOfWork;
use tokio::sync::{Notify, watch};

/// A place at which something can go wrong; each is counted by itself, from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FaultPoint {
    /// A commit of the store.
    Commit(u64),
    /// A call of the PSP, look-ups included.
    Call(u64),
    /// A write of the inbox, or of what came of a webhook.
    Write(u64),
    /// A webhook to the merchant.
    Webhook(u64),
}

/// What goes wrong there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PlannedFault {
    /// A commit or write leaves nothing; a call or webhook surely never leaves.
    Before,
    /// A commit or write that is not known to be done, and is; a call or webhook whose answer is
    /// lost.
    After,
    /// Another node was faster (commits, writes); lost on the way there (calls, webhooks).
    Between,
    /// The process dies before it.
    CrashBefore,
    /// The process dies right after it.
    CrashAfter,
}

impl PlannedFault {
    /// All of them.
    pub(crate) const ALL: [Self; 5] = [
        Self::Before,
        Self::After,
        Self::Between,
        Self::CrashBefore,
        Self::CrashAfter,
    ];
}

/// Counts points, harms at the planned one, and can hold back the PSP's answers.
pub(crate) struct FaultPlan {
    counts: Mutex<Counts>,
    crashed: Notify,
    answers: watch::Sender<bool>,
    /// The read of a session.
    pub(crate) session_read: Suspension,
    /// A commit that succeeds.
    pub(crate) commit: Suspension,
    stall: Mutex<Stall>,
}

/// Suspends a call of the store between its result and the caller; other calls pass meanwhile.
pub(crate) struct Suspension(watch::Sender<Suspended>);

/// Whether a call is suspended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Suspended {
    No,
    Next,
    Now,
}

impl Suspension {
    fn new() -> Self {
        Self(watch::Sender::new(Suspended::No))
    }

    /// Suspends the next call, until [`Suspension::resume`].
    pub(crate) fn suspend_next(&self) {
        self.0.send_replace(Suspended::Next);
    }

    /// Waits until the call is suspended.
    pub(crate) async fn suspended(&self) {
        self.wait_for(Suspended::Now).await;
    }

    /// Lets the suspended call return its (by now outdated) result.
    pub(crate) fn resume(&self) {
        self.0.send_replace(Suspended::No);
    }

    pub(super) async fn pass(&self) {
        let suspends = self.0.send_if_modified(|state| {
            let suspends = *state == Suspended::Next;
            if suspends {
                *state = Suspended::Now;
            }
            suspends
        });
        if suspends {
            self.wait_for(Suspended::No).await;
        }
    }

    async fn wait_for(&self, wanted: Suspended) {
        let mut state = self.0.subscribe();
        state
            .wait_for(|state| *state == wanted)
            .await
            .expect("the sender is not dropped");
    }
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

/// How many points of each kind there were, and what is planned.
#[derive(Default)]
struct Counts {
    reached: PointCounts,
    plan: Option<(FaultPoint, PlannedFault)>,
}

/// How many points of each kind there were.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct PointCounts {
    pub(crate) commits: u64,
    pub(crate) calls: u64,
    pub(crate) writes: u64,
    pub(crate) webhooks: u64,
}

impl FaultPlan {
    pub(crate) fn new() -> Self {
        Self {
            counts: Mutex::default(),
            crashed: Notify::new(),
            answers: watch::Sender::new(true),
            session_read: Suspension::new(),
            commit: Suspension::new(),
            stall: Mutex::default(),
        }
    }

    /// Plans a harm; `n` of the point counts from now on, 1 is the next one.
    pub(crate) fn plan(&self, point: FaultPoint, fault: PlannedFault) {
        let mut counts = self.counts.lock().unwrap();
        let reached = counts.reached;
        let at = match point {
            FaultPoint::Commit(n) => FaultPoint::Commit(reached.commits + n),
            FaultPoint::Call(n) => FaultPoint::Call(reached.calls + n),
            FaultPoint::Write(n) => FaultPoint::Write(reached.writes + n),
            FaultPoint::Webhook(n) => FaultPoint::Webhook(reached.webhooks + n),
        };
        counts.plan = Some((at, fault));
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

    /// The points so far.
    pub(crate) fn reached(&self) -> PointCounts {
        self.counts.lock().unwrap().reached
    }

    pub(super) fn at_commit(&self) -> Option<PlannedFault> {
        self.at(|reached| &mut reached.commits, FaultPoint::Commit)
    }

    pub(super) fn at_call(&self) -> Option<PlannedFault> {
        self.at(|reached| &mut reached.calls, FaultPoint::Call)
    }

    pub(super) fn at_write(&self) -> Option<PlannedFault> {
        self.at(|reached| &mut reached.writes, FaultPoint::Write)
    }

    pub(super) fn at_webhook(&self) -> Option<PlannedFault> {
        self.at(|reached| &mut reached.webhooks, FaultPoint::Webhook)
    }

    fn at(
        &self,
        count: fn(&mut PointCounts) -> &mut u64,
        point: fn(u64) -> FaultPoint,
    ) -> Option<PlannedFault> {
        let mut counts = self.counts.lock().unwrap();
        let count = count(&mut counts.reached);
        *count += 1;
        let here = point(*count);
        let (_, fault) = counts.plan.take_if(|(at, _)| *at == here)?;
        Some(fault)
    }

    /// The process dies here: nothing after this is ever done.
    pub(super) async fn crash(&self) -> ! {
        self.crashed.notify_one();
        std::future::pending::<()>().await;
        unreachable!("the dead do nothing")
    }

    /// Waits until the process dies.
    pub(crate) async fn crashed(&self) {
        self.crashed.notified().await;
    }

    /// From now on the PSP does its work but its answers (not to look-ups) stay on the way.
    pub(crate) fn hold_answers(&self) {
        self.answers.send_replace(false);
    }

    /// Lets held answers arrive.
    pub(crate) fn release_answers(&self) {
        self.answers.send_replace(true);
    }

    pub(super) async fn wait_for_release(&self) {
        let mut open = self.answers.subscribe();
        open.wait_for(|open| *open)
            .await
            .expect("the fate lives on");
    }
}
