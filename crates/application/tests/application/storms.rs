//! Random histories with random harms: whatever happens, the money adds up in the end.

use oncharge_domain::{
    operation::OperationStatus,
    psp::Answer,
    psp::RefusalReason,
    session::{Status, StatusName},
};
use oncharge_testkit::{Call, Fault, Reply, psp::Finish};
use proptest::{prelude::*, sample::select};
use tokio::runtime::{Builder, Runtime};

use crate::support::{Harm, Order, Point, Psp, World, books, events_are_delivered};

/// One thing that happens. Keys and tokens are few, so that they are used again.
#[derive(Clone, Debug)]
enum Act {
    Pay(u8),
    Abandon,
    Capture(u8, Option<i64>),
    Cancel(u8),
    Refund(u8, i64),
    Expire(u8),
    /// The PSP's next call of this kind goes so.
    Plan(Call, Psp),
    /// The PSP ends the open operation of this number, and tells it or not.
    Decide(usize, Finish, bool),
    /// The PSP tells what it knows of the operation of this number.
    Tell(usize),
    /// The PSP takes back what it had done by the operation of this number; it tells later.
    TakeBack(usize),
    /// Time passes, with workers.
    Pass(i64),
    /// Time passes without them.
    Wait(i64),
    /// Something goes wrong at one of the next points.
    Harm(Point, Harm),
    /// The process is started anew.
    Restart,
}

fn finish() -> impl Strategy<Value = Finish> {
    let no = Finish::Refused(RefusalReason::CardDeclined);
    prop_oneof![3 => Just(Finish::Done), 1 => Just(no)]
}

fn psp() -> impl Strategy<Value = Psp> {
    prop_oneof![
        Just(Psp::Says(Reply::Accepted)),
        Just(Psp::Says(Reply::Refused(RefusalReason::CardDeclined))),
        Just(Psp::Fails(Fault::NotSent)),
        Just(Psp::Fails(Fault::UnknownBefore)),
        Just(Psp::Fails(Fault::UnknownAfter)),
    ]
}

fn point() -> impl Strategy<Value = Point> {
    prop_oneof![
        (1_u64..4).prop_map(Point::Commit),
        (1_u64..3).prop_map(Point::Call),
        (1_u64..3).prop_map(Point::Write),
        (1_u64..3).prop_map(Point::Webhook),
    ]
}

fn act() -> impl Strategy<Value = Act> {
    let call = select(vec![
        Call::Authorize,
        Call::Capture,
        Call::Cancel,
        Call::Refund,
        Call::LookUp,
    ]);
    let challenge = Psp::Says(Reply::ActionRequired);
    let time = select(vec![1_i64, 5, 20, 61, 300, 600, 601, 901, 1_800, 3_600]);
    prop_oneof![
        5 => (0_u8..5).prop_map(Act::Pay),
        1 => Just(Act::Abandon),
        2 => (0_u8..3, prop::option::of(1_i64..10_000)).prop_map(|(k, m)| Act::Capture(k, m)),
        1 => (0_u8..3).prop_map(Act::Cancel),
        3 => (0_u8..5, 1_i64..7_000).prop_map(|(k, m)| Act::Refund(k, m)),
        1 => (0_u8..3).prop_map(Act::Expire),
        3 => (call, psp()).prop_map(|(call, psp)| Act::Plan(call, psp)),
        1 => Just(Act::Plan(Call::Authorize, challenge)),
        3 => (0_usize..4, finish(), any::<bool>()).prop_map(|(n, f, t)| Act::Decide(n, f, t)),
        2 => (0_usize..6).prop_map(Act::Tell),
        1 => (0_usize..6).prop_map(Act::TakeBack),
        3 => time.clone().prop_map(Act::Pass),
        1 => time.prop_map(Act::Wait),
        3 => (point(), select(Harm::ALL.to_vec())).prop_map(|(p, h)| Act::Harm(p, h)),
        1 => Just(Act::Restart),
    ]
}

/// A process, which may die.
struct Process {
    world: World,
    runtime: Runtime,
}

fn runtime() -> Runtime {
    let builder = &mut Builder::new_current_thread();
    builder.enable_time().start_paused(true).build().unwrap()
}

impl Process {
    /// Does it, or dies and comes back without knowing of it.
    fn run(&mut self, work: &impl AsyncFn(&World)) {
        let lived = self.runtime.block_on(async {
            tokio::select! {
                biased;
                () = self.world.fate.death() => false,
                () = work(&self.world) => true,
            }
        });
        if !lived {
            self.restart();
        }
    }

    fn restart(&mut self) {
        self.world = self.world.restarted();
        self.runtime = runtime();
    }
}

fn still_open(answer: Option<&Answer>) -> bool {
    matches!(
        answer,
        Some(Answer::Accepted { .. } | Answer::ActionRequired(_))
    )
}

/// What clients are answered is no matter here: they may be refused whatever they ask for.
async fn happen(world: &World, order: &Order, act: &Act) {
    match act.clone() {
        Act::Pay(n) => drop(world.pay(order, &format!("tok_{n}")).await),
        Act::Abandon => drop(world.abandon(order).await),
        Act::Capture(k, amount) => {
            drop(world.capture(order, &format!("capture{k}"), amount).await);
        }
        Act::Cancel(k) => drop(world.cancel(order, &format!("cancel{k}")).await),
        Act::Refund(k, minor) => {
            drop(world.refund(order, &format!("refund{k}"), minor).await);
        }
        Act::Expire(k) => drop(world.expire(order, &format!("expire{k}")).await),
        Act::Plan(call, psp) => psp.plan(&world.psp, call),
        Act::Decide(n, finish, told) => {
            let mut open = world.operations(order);
            open.retain(|operation| still_open(world.psp.answer_to(operation.id).as_ref()));
            if let Some(operation) = open.get(n) {
                world.psp.finish(operation.id, finish);
                if told {
                    drop(world.notify(operation.id).await);
                }
            }
        }
        Act::Tell(n) => {
            if let Some(operation) = world.operations(order).get(n)
                && world.psp.answer_to(operation.id).is_some()
            {
                drop(world.notify(operation.id).await);
            }
        }
        Act::TakeBack(n) => take_back(world, order, n),
        Act::Pass(seconds) => world.pass(seconds).await,
        Act::Wait(seconds) => drop(world.clock.advance(seconds)),
        Act::Harm(point, harm) => world.fate.plan(point, harm),
        Act::Restart => {}
    }
}

fn take_back(world: &World, order: &Order, n: usize) {
    let operations = world.operations(order);
    let Some(operation) = operations.get(n) else {
        return;
    };
    let is_done = matches!(world.psp.answer_to(operation.id), Some(Answer::Done { .. }));
    let attempt = operation.kind.name() == "authorize";
    // An authorisation that was captured afterwards does not lapse.
    let has_ended = attempt && world.psp.reserved(order.id) == 0;
    // What was taken back before we ever knew of it was never done, for all that we hear.
    let is_known = operation.status == OperationStatus::Succeeded;
    if is_done && is_known && !has_ended {
        let reason = RefusalReason::AuthorizationExpired;
        world.psp.take_back(operation.id, reason);
    }
}

/// The storm is over: the PSP answers, decides what it has left open, and time passes.
async fn calm(world: &World, order: &Order) {
    world.fate.clear();
    world.psp.clear_faults();
    for round in 0..40 {
        for operation in world.operations(order) {
            if still_open(world.psp.answer_to(operation.id).as_ref()) {
                let finish = if round % 2 == 0 {
                    Finish::Done
                } else {
                    Finish::Refused(RefusalReason::CardDeclined)
                };
                world.psp.finish(operation.id, finish);
            }
        }
        for operation in world.operations(order) {
            if world.psp.answer_to(operation.id).is_some() {
                world.notify(operation.id).await.unwrap();
            }
        }
        world.pass(300).await;
        let rest = world
            .operations(order)
            .iter()
            .all(|operation| !operation.is_open());
        let session = world.session(order).await;
        if rest && session.due_at().is_none() {
            world.settle().await;
            return;
        }
    }
}

fn weather(delay: Option<u32>, acts: &[Act]) {
    let world = match delay {
        Some(seconds) => World::capturing_after(seconds),
        None => World::new(),
    };
    let mut process = Process {
        world,
        runtime: runtime(),
    };
    let order = process.runtime.block_on(process.world.open());
    for act in acts {
        if matches!(act, Act::Restart) {
            process.restart();
        }
        process.run(&async |world: &World| happen(world, &order, act).await);
    }
    process.run(&async |world: &World| calm(world, &order).await);
    let world = &process.world;
    events_are_delivered(world, &order);
    let audited = process.runtime.block_on(books(world, &order));
    let session = process.runtime.block_on(world.session(&order));
    let refunded = session.amount_refunded().minor();
    let taken_back = matches!(session.status, Status::CaptureFailed(_));
    assert!(refunded <= session.amount_captured().minor() || taken_back);
    assert!(session.counted_attempts() <= 3);
    let kept = [StatusName::Authorized, StatusName::Captured].contains(&audited.status);
    let authorised = world.psp.payments(order.id).into_iter();
    let still_held = authorised.filter(|p| p.reserved() + p.taken() > 0).count();
    assert!(
        still_held <= usize::from(kept),
        "more than one payment is kept"
    );
}

proptest! {
    #![proptest_config(ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn whatever_happens_the_money_adds_up(
        delay in prop::option::of(select(vec![0_u32, 60])),
        acts in prop::collection::vec(act(), 1..25),
    ) {
        weather(delay, &acts);
    }
}
