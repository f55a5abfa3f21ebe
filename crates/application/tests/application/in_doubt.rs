//! Commits that are not there when they are asked for, and are written all the same: the
//! connection was lost while the database was still at it.

use oncharge_application::Error;
use oncharge_domain::session::StatusName;

use crate::support::{Harm, Point, World, books, told};

#[tokio::test(start_paused = true)]
async fn an_intent_that_is_written_late_is_known_again_and_carried_out_once() {
    for key in ["", "k"] {
        let world = World::new();
        let order = world.captured().await;
        world.fate.stall_next_commit();
        let answer = world.refund(&order, key, 1_000).await;
        assert_eq!(answer.unwrap().answer.status, 201, "{key:?}");
        assert_eq!(books(&world, &order).await.taken, 9_000, "{key:?}");
        assert_eq!(world.store.refunds_of(order.id).len(), 1, "{key:?}");
    }
    let world = World::new();
    let order = world.authorized().await;
    world.fate.stall_next_commit();
    let answer = world.capture(&order, "", None).await;
    assert_eq!(told(&answer), "200 done captured");
    let order = world.open().await;
    world.fate.stall_next_commit();
    let state = world.pay(&order, "tok_1").await.unwrap();
    assert_eq!(state.status, StatusName::Authorized);
}

#[tokio::test(start_paused = true)]
async fn nobody_is_told_that_nothing_was_written_where_that_is_not_sure() {
    let world = World::new();
    let order = world.captured().await;
    world.fate.stall_next_commit();
    world.fate.plan(Point::Commit(2), Harm::Before);
    let answer = world.refund(&order, "", 1_000).await;
    assert!(matches!(answer, Err(Error::Internal(_))), "{answer:?}");
    // The database comes to its end, and recovery carries out what was ordered.
    world.open().await;
    world.pass(60).await;
    assert_eq!(books(&world, &order).await.taken, 9_000);
}
