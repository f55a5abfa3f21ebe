//! Runs each scenario with one fault of every kind at every commit, every write of inbox and
//! outbox, every PSP call and every webhook, and audits the money afterwards.
//!
//! A run without faults counts the points. After a crash, a new process takes over the store and
//! the PSP, and every client repeats its requests under the same keys; once all work has ended,
//! exactly one effect must remain. Finally all requests are repeated once more, and nothing may
//! change.

mod scenarios;

use oncharge_domain::session::StatusName;
use oncharge_testkit::ScriptedPsp;
use scenarios::Script;
use tokio::runtime::Builder;

use crate::support::{
    AuditedState, FaultPoint, Order, PlannedFault, PointCounts, World, audit, events_are_delivered,
};

/// The requests for one session, by clients that retry.
struct Scenario {
    name: &'static str,
    world: fn() -> World,
    plan: fn(&ScriptedPsp),
    script: Script,
    status: StatusName,
    reserved: i64,
    taken: i64,
    /// The allowed sequences of events; `payment.error` may precede them, for attempts that were
    /// definitely not sent.
    events: &'static [&'static [&'static str]],
}

/// Prints the case if the test panics.
struct Case(String);

impl Drop for Case {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("the case: {}", self.0);
        }
    }
}

/// Runs one process; `None` if it crashed before the work was done. Its open work is dropped with
/// its runtime.
fn run_process<T>(world: &World, work: impl Future<Output = T>) -> Option<T> {
    let runtime = Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    runtime.block_on(async {
        tokio::select! {
            biased;
            () = world.fault_plan.crashed() => None,
            done = work => Some(done),
        }
    })
}

/// All data of a session, to detect changes.
async fn snapshot(world: &World, order: &Order) -> (AuditedState, String) {
    let details = format!(
        "{:?}\n{:?}\n{:?}\n{:?}",
        world.session(order).await,
        world.operations(order),
        world.store.refunds_of(order.id),
        world.psp.payments(order.id),
    );
    (audit(world, order).await, details)
}

impl Scenario {
    fn set_up(&self) -> World {
        let world = (self.world)();
        (self.plan)(&world.psp);
        world
    }

    async fn run(&self, world: &World) -> Order {
        let order = (self.script)(world).await;
        world.run_until_idle().await;
        order
    }

    /// The number of points in a run without faults.
    fn run_without_faults(&self) -> PointCounts {
        let _case = Case(format!("{}, rehearsal", self.name));
        let world = self.set_up();
        let order = run_process(&world, self.run(&world)).unwrap();
        let reached = world.fault_plan.reached();
        run_process(&world, self.audit(&world, &order)).unwrap();
        reached
    }

    fn run_with_fault(&self, point: FaultPoint, fault: PlannedFault) {
        let _case = Case(format!("{}, {fault:?} at {point:?}", self.name));
        let mut world = self.set_up();
        world.fault_plan.plan(point, fault);
        let order = run_process(&world, self.run(&world)).unwrap_or_else(|| {
            world = world.restarted();
            run_process(&world, self.run(&world)).expect("a process crashes at most once")
        });
        world.fault_plan.clear();
        run_process(&world, self.audit(&world, &order)).unwrap();
        assert_eq!(world.store.session_ids(), [order.id], "one session");
    }

    async fn audit(&self, world: &World, order: &Order) {
        let (audited, details) = snapshot(world, order).await;
        events_are_delivered(world, order);
        assert_eq!(audited.status, self.status, "{details}");
        let held = (audited.reserved, audited.taken);
        assert_eq!(held, (self.reserved, self.taken), "{details}");
        let mut events = audited.events.clone();
        events.retain(|event| *event != "error");
        let expected = self.events.iter().any(|expected| events == *expected);
        assert!(expected, "events {events:?}\n{details}");
        // The clients repeat all requests.
        assert_eq!(self.run(world).await, *order);
        let (again, changed) = snapshot(world, order).await;
        assert_eq!(
            (again, changed),
            (audited, details),
            "a repetition had an effect"
        );
    }

    fn check(&self) {
        let reached = self.run_without_faults();
        assert!(reached.commits > 0 && reached.webhooks > 0);
        // A fault causes more work than a run without one, so a few points beyond its end are
        // included.
        let commits = (1..=reached.commits + 3).map(FaultPoint::Commit);
        let calls = (1..=reached.calls + 3).map(FaultPoint::Call);
        let writes = (1..=reached.writes + 3).map(FaultPoint::Write);
        let webhooks = (1..=reached.webhooks + 3).map(FaultPoint::Webhook);
        for point in commits.chain(calls).chain(writes).chain(webhooks) {
            for fault in PlannedFault::ALL {
                self.run_with_fault(point, fault);
            }
        }
    }
}
