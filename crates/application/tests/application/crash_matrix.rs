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

use crate::support::{Books, Harm, Order, Point, Reached, World, books, events_are_delivered};

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
fn live<T>(world: &World, work: impl Future<Output = T>) -> Option<T> {
    let runtime = Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    runtime.block_on(async {
        tokio::select! {
            biased;
            () = world.fate.death() => None,
            done = work => Some(done),
        }
    })
}

/// Everything that is left of a session, for "nothing has changed".
async fn all_of(world: &World, order: &Order) -> (Books, String) {
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
    fn stage(&self) -> World {
        let world = (self.world)();
        (self.plan)(&world.psp);
        world
    }

    async fn play(&self, world: &World) -> Order {
        let order = (self.script)(world).await;
        world.settle().await;
        order
    }

    /// How many points there are when nothing goes wrong.
    fn rehearse(&self) -> Reached {
        let _case = Case(format!("{}, rehearsal", self.name));
        let world = self.stage();
        let order = live(&world, self.play(&world)).unwrap();
        let reached = world.fate.reached();
        live(&world, self.audit(&world, &order)).unwrap();
        reached
    }

    fn harmed(&self, point: Point, harm: Harm) {
        let _case = Case(format!("{}, {harm:?} at {point:?}", self.name));
        let mut world = self.stage();
        world.fate.plan(point, harm);
        let order = live(&world, self.play(&world)).unwrap_or_else(|| {
            world = world.restarted();
            live(&world, self.play(&world)).expect("it dies once")
        });
        world.fate.clear();
        live(&world, self.audit(&world, &order)).unwrap();
        assert_eq!(world.store.session_ids(), [order.id], "one session");
    }

    async fn audit(&self, world: &World, order: &Order) {
        let (books, details) = all_of(world, order).await;
        events_are_delivered(world, order);
        assert_eq!(books.status, self.status, "{details}");
        let held = (books.reserved, books.taken);
        assert_eq!(held, (self.reserved, self.taken), "{details}");
        let mut events = books.events.clone();
        events.retain(|event| *event != "error");
        let expected = self.events.iter().any(|expected| events == *expected);
        assert!(expected, "events {events:?}\n{details}");
        // The clients, none the wiser, ask for everything again.
        assert_eq!(self.play(world).await, *order);
        let (again, changed) = all_of(world, order).await;
        assert_eq!(
            (again, changed),
            (books, details),
            "a repetition had an effect"
        );
    }

    fn check(&self) {
        let reached = self.rehearse();
        assert!(reached.commits > 0 && reached.webhooks > 0);
        // A harm makes more work than the rehearsal had: a few points beyond its end as well.
        let commits = (1..=reached.commits + 3).map(Point::Commit);
        let calls = (1..=reached.calls + 3).map(Point::Call);
        let writes = (1..=reached.writes + 3).map(Point::Write);
        let webhooks = (1..=reached.webhooks + 3).map(Point::Webhook);
        for point in commits.chain(calls).chain(writes).chain(webhooks) {
            for harm in Harm::ALL {
                self.harmed(point, harm);
            }
        }
    }
}
