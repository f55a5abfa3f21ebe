//! Planned faults and their points: commits, other writes, PSP calls and webhooks are counted as
//! they are made.

use std::sync::Mutex;

use oncharge_ports::UnitOfWork;
use tokio::sync::{Notify, watch};

/// A point at which a fault can occur; each kind is counted separately, from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FaultPoint {
    /// A commit of the store.
    Commit(u64),
    /// A PSP call, including look-ups.
    Call(u64),
    /// A write of the inbox, or of the result of a webhook.
    Write(u64),
    /// A webhook to the merchant.
    Webhook(u64),
}

/// The fault at a point.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PlannedFault {
    /// A commit or write stores nothing; a call or webhook is definitely not sent.
    Before,
    /// A commit or write is stored, but its outcome is unknown; the response to a call or webhook
    /// is lost.
    After,
    /// Another node committed first (commits, writes); the request is lost (calls, webhooks).
    Between,
    /// The process crashes before it.
    CrashBefore,
    /// The process crashes right after it.
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

/// Counts points, causes the planned fault, and can hold back the PSP's responses.
pub(crate) struct FaultPlan {
    counts: Mutex<Counts>,
    crashed: Notify,
    responses: watch::Sender<bool>,
    /// The load of a session.
    pub(crate) session_read: Suspension,
    /// A successful commit.
    pub(crate) commit: Suspension,
    stall: Mutex<Stall>,
}

/// Suspends a call of the store between its result and the caller; other calls are not affected.
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

    /// Lets the suspended call return its result, which is outdated by now.
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

/// A commit whose connection was lost while the database was executing it.
#[derive(Default)]
enum Stall {
    #[default]
    No,
    /// The next commit stalls.
    Next,
    /// The database will write this unit later.
    Held(Box<UnitOfWork>),
}

/// The number of points of each kind, and the plan.
#[derive(Default)]
struct Counts {
    reached: PointCounts,
    plan: Option<(FaultPoint, PlannedFault)>,
}

/// The number of points of each kind.
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
            responses: watch::Sender::new(true),
            session_read: Suspension::new(),
            commit: Suspension::new(),
            stall: Mutex::default(),
        }
    }

    /// Plans a fault at a point whose number counts from now on, starting with 1.
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

    /// Removes a fault that has not occurred.
    pub(crate) fn clear(&self) {
        self.counts.lock().unwrap().plan = None;
    }

    /// Stalls the next commit: the connection is lost, `is_committed` does not find the unit, and
    /// the database writes it before the next commit.
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

    /// The unit that the database has still to write.
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

    /// Crashes the process: nothing after this is executed.
    pub(super) async fn crash(&self) -> ! {
        self.crashed.notify_one();
        std::future::pending::<()>().await;
        unreachable!("a crashed process executes nothing")
    }

    /// Waits until the process crashes.
    pub(crate) async fn crashed(&self) {
        self.crashed.notified().await;
    }

    /// Holds back the PSP's responses (except to look-ups) from now on; calls are executed.
    pub(crate) fn hold_responses(&self) {
        self.responses.send_replace(false);
    }

    /// Releases held responses.
    pub(crate) fn release_responses(&self) {
        self.responses.send_replace(true);
    }

    pub(super) async fn wait_for_release(&self) {
        let mut open = self.responses.subscribe();
        open.wait_for(|open| *open)
            .await
            .expect("the sender is not dropped");
    }
}
