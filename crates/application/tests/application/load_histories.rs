//! Random histories with random faults: in every case the amounts add up at the end.

use oncharge_domain::{
    operation::OperationStatus,
    psp::PspResponse,
    psp::RefusalReason,
    session::{Status, StatusName},
};
use oncharge_testkit::{Call, Fault, Reply, psp::Finish};
use proptest::{prelude::*, sample::select};
use tokio::runtime::{Builder, Runtime};

use crate::support::{
    FaultPoint, Order, PlannedFault, PspBehavior, World, audit, events_are_delivered,
};

/// A step of a history. There are few keys and tokens, so they are reused.
#[derive(Clone, Debug)]
enum Action {
    Pay(u8),
    Abandon,
    Capture(u8, Option<i64>),
    Cancel(u8),
    Refund(u8, i64),
    Expire(u8),
    /// Plans the reply to the PSP's next call of this kind.
    Plan(Call, PspBehavior),
    /// The PSP ends the open operation with this index, with or without a notification.
    Decide(usize, Finish, bool),
    /// The PSP sends a notification about the operation with this index.
    Notify(usize),
    /// The PSP reverses the operation with this index; it sends a notification later.
    Reverse(usize),
    /// Time passes, with workers running.
    RunFor(i64),
    /// Time passes without workers.
    Advance(i64),
    /// A fault at one of the next points.
    PlannedFault(FaultPoint, PlannedFault),
    /// The process is restarted.
    Restart,
}

fn finish() -> impl Strategy<Value = Finish> {
    let no = Finish::Refused(RefusalReason::CardDeclined);
    prop_oneof![3 => Just(Finish::Done), 1 => Just(no)]
}

fn psp() -> impl Strategy<Value = PspBehavior> {
    prop_oneof![
        Just(PspBehavior::Replies(Reply::Accepted)),
        Just(PspBehavior::Replies(Reply::Refused(
            RefusalReason::CardDeclined
        ))),
        Just(PspBehavior::Fails(Fault::NotSent)),
        Just(PspBehavior::Fails(Fault::UnknownBefore)),
        Just(PspBehavior::Fails(Fault::UnknownAfter)),
    ]
}

fn point() -> impl Strategy<Value = FaultPoint> {
    prop_oneof![
        (1_u64..4).prop_map(FaultPoint::Commit),
        (1_u64..3).prop_map(FaultPoint::Call),
        (1_u64..3).prop_map(FaultPoint::Write),
        (1_u64..3).prop_map(FaultPoint::Webhook),
    ]
}

fn action() -> impl Strategy<Value = Action> {
    let call = select(vec![
        Call::Authorize,
        Call::Capture,
        Call::Cancel,
        Call::Refund,
        Call::LookUp,
    ]);
    let challenge = PspBehavior::Replies(Reply::ActionRequired);
    let time = select(vec![1_i64, 5, 20, 61, 300, 600, 601, 901, 1_800, 3_600]);
    prop_oneof![
        5 => (0_u8..5).prop_map(Action::Pay),
        1 => Just(Action::Abandon),
        2 => (0_u8..3, prop::option::of(1_i64..10_000)).prop_map(|(k, m)| Action::Capture(k, m)),
        1 => (0_u8..3).prop_map(Action::Cancel),
        3 => (0_u8..5, 1_i64..7_000).prop_map(|(k, m)| Action::Refund(k, m)),
        1 => (0_u8..3).prop_map(Action::Expire),
        3 => (call, psp()).prop_map(|(call, psp)| Action::Plan(call, psp)),
        1 => Just(Action::Plan(Call::Authorize, challenge)),
        3 => (0_usize..4, finish(), any::<bool>()).prop_map(|(n, f, t)| Action::Decide(n, f, t)),
        2 => (0_usize..6).prop_map(Action::Notify),
        1 => (0_usize..6).prop_map(Action::Reverse),
        3 => time.clone().prop_map(Action::RunFor),
        1 => time.prop_map(Action::Advance),
        3 => (point(), select(PlannedFault::ALL.to_vec())).prop_map(|(p, h)| Action::PlannedFault(p, h)),
        1 => Just(Action::Restart),
    ]
}

/// A process, which may crash.
struct Process {
    world: World,
    runtime: Runtime,
}

fn runtime() -> Runtime {
    let builder = &mut Builder::new_current_thread();
    builder.enable_time().start_paused(true).build().unwrap()
}

impl Process {
    /// Executes the step, or crashes and restarts.
    fn run(&mut self, work: &impl AsyncFn(&World)) {
        let survived = self.runtime.block_on(async {
            tokio::select! {
                biased;
                () = self.world.fault_plan.crashed() => false,
                () = work(&self.world) => true,
            }
        });
        if !survived {
            self.restart();
        }
    }

    fn restart(&mut self) {
        let runtime = runtime();
        let guard = runtime.enter();
        self.world = self.world.restarted();
        drop(guard);
        self.runtime = runtime;
    }
}

fn still_open(response: Option<&PspResponse>) -> bool {
    matches!(
        response,
        Some(PspResponse::Accepted { .. } | PspResponse::ActionRequired(_))
    )
}

/// Responses are ignored: any request may be refused.
async fn apply(world: &World, order: &Order, action: &Action) {
    match action.clone() {
        Action::Pay(n) => drop(world.pay(order, &format!("tok_{n}")).await),
        Action::Abandon => drop(world.abandon(order).await),
        Action::Capture(k, amount) => {
            drop(world.capture(order, &format!("capture{k}"), amount).await);
        }
        Action::Cancel(k) => drop(world.cancel(order, &format!("cancel{k}")).await),
        Action::Refund(k, minor) => {
            drop(world.refund(order, &format!("refund{k}"), minor).await);
        }
        Action::Expire(k) => drop(world.expire(order, &format!("expire{k}")).await),
        Action::Plan(call, psp) => psp.plan(&world.psp, call),
        Action::Decide(n, finish, is_reported) => {
            let mut open = world.operations(order);
            open.retain(|operation| still_open(world.psp.current_response(operation.id).as_ref()));
            if let Some(operation) = open.get(n) {
                world.psp.finish(operation.id, finish);
                if is_reported {
                    drop(world.notify(operation.id).await);
                }
            }
        }
        Action::Notify(n) => {
            if let Some(operation) = world.operations(order).get(n)
                && world.psp.current_response(operation.id).is_some()
            {
                drop(world.notify(operation.id).await);
            }
        }
        Action::Reverse(n) => reverse(world, order, n),
        Action::RunFor(seconds) => world.run_for(seconds).await,
        Action::Advance(seconds) => drop(world.clock.advance(seconds)),
        Action::PlannedFault(point, fault) => world.fault_plan.plan(point, fault),
        Action::Restart => {}
    }
}

fn reverse(world: &World, order: &Order, n: usize) {
    let operations = world.operations(order);
    let Some(operation) = operations.get(n) else {
        return;
    };
    let is_done = matches!(
        world.psp.current_response(operation.id),
        Some(PspResponse::Done { .. })
    );
    let attempt = operation.kind.name() == "authorize";
    // An authorization that was captured afterwards does not lapse.
    let has_ended = attempt && world.psp.reserved(order.id) == 0;
    // A reversal before its success was known looks as if the operation was never executed.
    let is_known = operation.status == OperationStatus::Succeeded;
    if is_done && is_known && !has_ended {
        let reason = RefusalReason::AuthorizationExpired;
        world.psp.reverse(operation.id, reason);
    }
}

/// Ends all faults: the PSP responds and decides its open operations, and time passes.
async fn run_to_quiescence(world: &World, order: &Order) {
    world.fault_plan.clear();
    world.psp.clear_faults();
    for round in 0..40 {
        for operation in world.operations(order) {
            if still_open(world.psp.current_response(operation.id).as_ref()) {
                let finish = if round % 2 == 0 {
                    Finish::Done
                } else {
                    Finish::Refused(RefusalReason::CardDeclined)
                };
                world.psp.finish(operation.id, finish);
            }
        }
        for operation in world.operations(order) {
            if world.psp.current_response(operation.id).is_some() {
                world.notify(operation.id).await.unwrap();
            }
        }
        world.run_for(300).await;
        let rest = world
            .operations(order)
            .iter()
            .all(|operation| !operation.is_open());
        let session = world.session(order).await;
        if rest && session.due_at().is_none() {
            world.run_until_idle().await;
            return;
        }
    }
}

fn run_history(delay: Option<u32>, actions: &[Action]) {
    let runtime = runtime();
    let guard = runtime.enter();
    let world = match delay {
        Some(seconds) => World::capturing_after(seconds),
        None => World::new(),
    };
    drop(guard);
    let mut process = Process { world, runtime };
    let order = process.runtime.block_on(process.world.open());
    for action in actions {
        if matches!(action, Action::Restart) {
            process.restart();
        }
        process.run(&async |world: &World| apply(world, &order, action).await);
    }
    process.run(&async |world: &World| run_to_quiescence(world, &order).await);
    let world = &process.world;
    events_are_delivered(world, &order);
    let audited = process.runtime.block_on(audit(world, &order));
    let session = process.runtime.block_on(world.session(&order));
    let refunded = session.amount_refunded().minor();
    let taken_back = matches!(session.status, Status::CaptureFailed(_));
    assert!(refunded <= session.amount_captured().minor() || taken_back);
    assert!(session.counted_attempts() <= 3);
    let kept = [StatusName::Authorized, StatusName::Captured].contains(&audited.status);
    let authorized = world.psp.payments(order.id).into_iter();
    let still_held = authorized.filter(|p| p.reserved() + p.taken() > 0).count();
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
    fn amounts_add_up_after_any_history(
        delay in prop::option::of(select(vec![0_u32, 60])),
        actions in prop::collection::vec(action(), 1..25),
    ) {
        run_history(delay, &actions);
    }
}
