//! Every scenario, harmed once at every commit, at every write of inbox and outbox, at every call of
//! the PSP and at every webhook, in every way; then the money is audited.
//!
//! A rehearsal counts the points. Where the process dies, a new one takes over the store and the
//! PSP, and every client starts again from its first request under the same keys: once all has
//! come to rest, one effect must be left. In the end everything is repeated once more, and
//! nothing at all may change.

mod scenarios;

use oncharge_domain::session::StatusName;
use oncharge_testkit::ScriptedPsp;
use scenarios::Script;
use tokio::runtime::Builder;

use crate::support::{
    Books, FaultPoint, Order, PlannedFault, PointCounts, World, books, events_are_delivered,
};

/// A story with one session, told by clients that do not give up.
struct Scenario {
    name: &'static str,
    world: fn() -> World,
    plan: fn(&ScriptedPsp),
    script: Script,
    status: StatusName,
    reserved: i64,
    taken: i64,
    /// What the merchant may be told, one of these; `payment.error` may come before, for tries
    /// that were surely not sent.
    events: &'static [&'static [&'static str]],
}

/// Says which case it was where the test panics.
struct Case(String);

impl Drop for Case {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("the case: {}", self.0);
        }
    }
}

/// The life of one process: `None` where it died before the work was done. What it had in hand
/// goes with its runtime.
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

/// Everything that is left of a session, for "nothing has changed".
async fn snapshot(world: &World, order: &Order) -> (Books, String) {
    let details = format!(
        "{:?}\n{:?}\n{:?}\n{:?}",
        world.session(order).await,
        world.operations(order),
        world.store.refunds_of(order.id),
        world.psp.payments(order.id),
    );
    (books(world, order).await, details)
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

    /// How many points there are when nothing goes wrong.
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
            run_process(&world, self.run(&world)).expect("it dies once")
        });
        world.fault_plan.clear();
        run_process(&world, self.audit(&world, &order)).unwrap();
        assert_eq!(world.store.session_ids(), [order.id], "one session");
    }

    async fn audit(&self, world: &World, order: &Order) {
        let (books, details) = snapshot(world, order).await;
        events_are_delivered(world, order);
        assert_eq!(books.status, self.status, "{details}");
        let held = (books.reserved, books.taken);
        assert_eq!(held, (self.reserved, self.taken), "{details}");
        let mut events = books.events.clone();
        events.retain(|event| *event != "error");
        let expected = self.events.iter().any(|expected| events == *expected);
        assert!(expected, "events {events:?}\n{details}");
        // The clients, none the wiser, ask for everything again.
        assert_eq!(self.run(world).await, *order);
        let (again, changed) = snapshot(world, order).await;
        assert_eq!(
            (again, changed),
            (books, details),
            "a repetition had an effect"
        );
    }

    fn check(&self) {
        let reached = self.run_without_faults();
        assert!(reached.commits > 0 && reached.webhooks > 0);
        // A harm makes more work than the rehearsal had: a few points beyond its end as well.
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
