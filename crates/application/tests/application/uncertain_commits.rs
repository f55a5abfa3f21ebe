//! Commits that `is_committed` does not find and that are written later: the connection was lost
//! while the database was executing them.

use oncharge_application::Error;
use oncharge_domain::session::StatusName;

use crate::support::{FaultPoint, PlannedFault, World, audit, describe};

#[tokio::test(start_paused = true)]
async fn an_intent_committed_late_is_recognized_and_executed_once() {
    for key in ["", "k"] {
        let world = World::new();
        let order = world.captured().await;
        world.fault_plan.stall_next_commit();
        let response = world.refund(&order, key, 1_000).await;
        assert_eq!(response.unwrap().response.status, 201, "{key:?}");
        assert_eq!(audit(&world, &order).await.taken, 9_000, "{key:?}");
        assert_eq!(world.store.refunds_of(order.id).len(), 1, "{key:?}");
    }
    let world = World::new();
    let order = world.authorized().await;
    world.fault_plan.stall_next_commit();
    let response = world.capture(&order, "", None).await;
    assert_eq!(describe(&response), "200 done captured");
    let order = world.open().await;
    world.fault_plan.stall_next_commit();
    let state = world.pay(&order, "tok_1").await.unwrap();
    assert_eq!(state.status, StatusName::Authorized);
}

#[tokio::test(start_paused = true)]
async fn an_uncertain_commit_is_not_reported_as_unwritten() {
    let world = World::new();
    let order = world.captured().await;
    world.fault_plan.stall_next_commit();
    world
        .fault_plan
        .plan(FaultPoint::Commit(2), PlannedFault::Before);
    let response = world.refund(&order, "", 1_000).await;
    assert!(matches!(response, Err(Error::Internal(_))), "{response:?}");
    // The database completes the commit, and recovery executes the operation.
    world.open().await;
    world.run_for(60).await;
    assert_eq!(audit(&world, &order).await.taken, 9_000);
}
