//! Comparison of operations with the PSP.

use oncharge_application::{
    Error,
    reconcile::{self, Progress, Range, ReconcileSummary},
};
use oncharge_domain::{
    currency::Currency,
    id::OperationId,
    money::Money,
    psp::{PspDetails, RefusalReason},
    session::StatusName,
};
use oncharge_testkit::{Call, Fault, Reply, psp::Finish};

use crate::support::{FaultPoint, PlannedFault, World};

async fn differences(world: &World) -> (ReconcileSummary, Vec<String>) {
    differences_after(world, None).await
}

async fn differences_after(
    world: &World,
    after: Option<OperationId>,
) -> (ReconcileSummary, Vec<String>) {
    let mut found = Vec::new();
    let since = world.now().plus_seconds(-86_400);
    let mut report = |progress: Progress<'_>| {
        if let Progress::Different(difference) = progress {
            let (kind, ours) = (difference.operation.kind.name(), difference.ours);
            found.push(format!("{kind}: {ours} here, {} there", difference.theirs));
        }
    };
    let sum = reconcile::run(&world.app, Range { since, after }, &mut report)
        .await
        .unwrap();
    (sum, found)
}

#[tokio::test(start_paused = true)]
async fn an_interrupted_comparison_resumes_after_an_operation() {
    let world = World::new();
    let order = world.captured().await;
    let until_now = world.operations(&order).into_iter();
    let second = until_now.max_by_key(|operation| (operation.created_at, operation.id));
    let second = second.unwrap().id;
    world.clock.advance(1);
    world.psp.fail(Call::Refund, Fault::UnknownAfter);
    world.refund(&order, "", 500).await.unwrap();
    let (sum, found) = differences_after(&world, Some(second)).await;
    assert_eq!(
        (sum.compared, sum.differences),
        (1, 1),
        "only the refund was compared"
    );
    assert_eq!(found, ["refund: open here, done there"]);
    let last = world.operation(&order, "refund").id;
    let (sum, _) = differences_after(&world, Some(last)).await;
    assert_eq!(sum, ReconcileSummary::default());

    let mut cursor = None;
    let mut report = |progress: Progress<'_>| {
        if let Progress::ComparedUpTo(id, _) = progress {
            cursor = Some(id);
        }
    };
    let since = world.now().plus_seconds(-86_400);
    let after = None;
    let all = reconcile::run(&world.app, Range { since, after }, &mut report).await;
    assert_eq!(all.unwrap().compared, 3);
    assert_eq!(cursor, Some(last), "the cursor after an interruption");
    let nobody = Range {
        since,
        after: Some(world.build.operation_id()),
    };
    let refused = reconcile::run(&world.app, nobody, &mut |_| ()).await;
    assert!(matches!(refused, Err(Error::NotFound)), "{refused:?}");
}

#[tokio::test(start_paused = true)]
async fn a_failed_look_up_does_not_end_the_comparison() {
    let world = World::new();
    for _ in 0..20 {
        world.authorized().await;
    }
    world
        .fault_plan
        .plan(FaultPoint::Call(1), PlannedFault::Between);
    let (sum, _) = differences(&world).await;
    assert_eq!(
        (sum.compared, sum.unreachable),
        (19, 1),
        "one failed look-up"
    );
}

#[tokio::test(start_paused = true)]
async fn consistent_operations_have_no_differences() {
    let world = World::new();
    let order = world.captured().await;
    world.refund(&order, "", 500).await.unwrap();
    let (sum, found) = differences(&world).await;
    assert_eq!(found, Vec::<String>::new());
    assert_eq!((sum.compared, sum.differences, sum.unreachable), (3, 0, 0));
    world.clock.advance(86_401);
    assert_eq!(
        differences(&world).await.0.compared,
        0,
        "older operations were compared"
    );
}

#[tokio::test(start_paused = true)]
async fn differences_are_reported() {
    let world = World::new();
    let order = world.captured().await;
    world.psp.fail(Call::Refund, Fault::UnknownAfter);
    world.refund(&order, "", 500).await.unwrap();
    let (_, found) = differences(&world).await;
    assert_eq!(found, ["refund: open here, done there"]);
    world.run_until_idle().await;
    assert_eq!(differences(&world).await.1, Vec::<String>::new());
    // A successful refund that the PSP reverses, without a notification.
    let refund = world.operation(&order, "refund").id;
    world
        .psp
        .reverse(refund, RefusalReason::parse("closed_account"));
    let (sum, found) = differences(&world).await;
    assert_eq!(found, ["refund: succeeded here, refused there"]);
    assert_eq!(sum.differences, 1);
}

#[tokio::test(start_paused = true)]
async fn an_unknown_reversal_is_a_difference() {
    let undone = || RefusalReason::Other("undone".into());
    for (kind, reason) in [
        ("authorize", RefusalReason::AuthorizationExpired),
        ("cancel", undone()),
        ("capture", undone()),
    ] {
        let world = World::new();
        let order = match kind {
            "capture" => world.captured().await,
            _ => world.authorized().await,
        };
        if kind == "cancel" {
            world.cancel(&order, "").await.unwrap();
        }
        let taken_back = world.operation(&order, kind).id;
        world.psp.reverse(taken_back, reason);
        let expected = format!("{kind}: succeeded here, refused there");
        assert_eq!(differences(&world).await.1, [expected]);
        world.notify(taken_back).await.unwrap();
        world.run_workers().await;
        assert_eq!(differences(&world).await.1, Vec::<String>::new(), "{kind}");
    }
}

/// While its cancel is in flight, an attempt is authorized and lapses: the session never kept it.
#[tokio::test(start_paused = true)]
async fn an_attempt_that_lapsed_while_it_was_cancelled_is_no_difference() {
    let world = World::new();
    let order = world.open().await;
    world.psp.reply(Call::Authorize, Reply::ActionRequired);
    world.pay(&order, "tok_1").await.unwrap();
    world.psp.reply(Call::Cancel, Reply::Accepted);
    world.abandon(&order).await.unwrap();
    let attempt = world.operation(&order, "authorize").id;
    world.psp.finish(attempt, Finish::Done);
    world.notify(attempt).await.unwrap();
    world
        .psp
        .reverse(attempt, RefusalReason::AuthorizationExpired);
    let expected = "authorize: succeeded here, refused there".to_owned();
    assert_eq!(
        differences(&world).await.1,
        [expected],
        "the difference before it is known"
    );
    world.notify(attempt).await.unwrap();
    assert_eq!(differences(&world).await.1, Vec::<String>::new());
    let cancel = world.operation(&order, "cancel").id;
    let failed_late = RefusalReason::Other("failed_late".into());
    world.psp.finish(cancel, Finish::Refused(failed_late));
    world.notify(cancel).await.unwrap();
    assert_eq!(world.status(&order).await, StatusName::Refused);
    assert_eq!(differences(&world).await.1, Vec::<String>::new());

    world.psp.reply(Call::Authorize, Reply::Done);
    world.pay(&order, "tok_2").await.unwrap();
    assert_eq!(world.status(&order).await, StatusName::Authorized);
    assert_eq!(differences(&world).await.1, Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn an_unreachable_psp_is_counted_without_differences() {
    let world = World::new();
    world.captured().await;
    world
        .fault_plan
        .plan(FaultPoint::Call(1), PlannedFault::Between);
    let (sum, found) = differences(&world).await;
    assert_eq!((sum.compared, sum.unreachable), (1, 1));
    assert_eq!(found, Vec::<String>::new());
}

/// An authorization lapses while the merchant cancels it, and the PSP confirms the cancel.
#[tokio::test(start_paused = true)]
async fn a_lapsed_authorization_that_was_cancelled_is_no_difference() {
    let world = World::new();
    let order = world.authorized().await;
    world.psp.reply(Call::Cancel, Reply::Accepted);
    world.cancel(&order, "").await.unwrap();
    let attempt = world.operation(&order, "authorize").id;
    let lapsed = RefusalReason::AuthorizationExpired;
    world
        .psp
        .finish(world.operation(&order, "cancel").id, Finish::Done);
    world.psp.reverse(attempt, lapsed);
    world.notify(attempt).await.unwrap();
    let cancel = world.operation(&order, "cancel").id;
    world.notify(cancel).await.unwrap();
    assert_eq!(world.status(&order).await, StatusName::Cancelled);
    assert_eq!(differences(&world).await.1, Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn a_look_up_with_another_amount_is_a_difference() {
    let world = World::new();
    world.authorized().await;
    let details = PspDetails {
        amount: Some(Money::new(1, Currency::parse("EUR").unwrap()).unwrap()),
        ..PspDetails::default()
    };
    world.psp.state_details(Some(details));
    let expected = "authorize: succeeded here, mismatched there".to_owned();
    assert_eq!(differences(&world).await.1, [expected]);
}
