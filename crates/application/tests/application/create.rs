//! Creating a session.

use oncharge_application::{
    Error,
    checkout::create::{CaptureMode, NewCheckout},
};
use oncharge_domain::session::StatusName;

use crate::support::{FaultPoint, PlannedFault, PointCounts, World, default_checkout, describe};

#[tokio::test(start_paused = true)]
async fn a_session_is_created_in_one_commit() {
    let world = World::new();
    let order = world.open().await;
    let one_commit = PointCounts {
        commits: 1,
        ..PointCounts::default()
    };
    assert_eq!(world.fault_plan.reached(), one_commit, "the PSP was called");
    let session = world.session(&order).await;
    assert_eq!(session.status_name(), StatusName::Created);
    assert_eq!(session.merchant, world.merchant.id);
    assert_eq!(session.amount, default_checkout().amount);
    assert_eq!(session.expires_at, session.created_at.plus_seconds(1800));
    assert_eq!(world.events(&order), Vec::<&str>::new());
}

#[tokio::test(start_paused = true)]
async fn the_capture_mode_defaults_to_the_merchants_setting() {
    for (setting, capture, expected) in [
        (true, None, Some(60)),
        (false, None, None),
        (true, Some(CaptureMode::Manual), None),
        (false, Some(CaptureMode::Automatic), Some(60)),
    ] {
        let world = World::with(|merchant, _| {
            merchant.automatic_capture = setting;
            merchant.capture_delay_seconds = 60;
        });
        let default_checkout = default_checkout();
        let order = world
            .open_with(NewCheckout {
                capture,
                ..default_checkout
            })
            .await;
        let session = world.session(&order).await;
        assert_eq!(session.automatic_capture, expected, "{setting} {capture:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_unsupported_amount_is_refused_before_anything_is_written() {
    let world = World::new();
    world.psp.reject_currency("EUR");
    let response = world.create("k", default_checkout()).await;
    let names_amount = matches!(&response, Err(Error::Field { field, .. }) if *field == "amount");
    assert!(names_amount, "{}", describe(&response));
    assert_eq!(world.fault_plan.reached(), PointCounts::default());
}

#[tokio::test(start_paused = true)]
async fn an_unavailable_store_is_busy_and_a_lost_commit_is_looked_up() {
    for (fault, expected, sessions) in [
        (PlannedFault::Before, "Busy", 0),
        (PlannedFault::After, "201 created", 1),
        (PlannedFault::Between, "201 created", 1),
    ] {
        let world = World::new();
        world.fault_plan.plan(FaultPoint::Commit(1), fault);
        let response = describe(&world.create("k", default_checkout()).await);
        assert!(response.starts_with(expected), "{fault:?}: {response}");
        assert_eq!(world.store.session_ids().len(), sessions, "{fault:?}");
        // Repeating the request creates one session, whatever happened at first.
        let again = describe(&world.create("k", default_checkout()).await);
        assert_eq!(again, "201 created", "{fault:?}");
        assert_eq!(world.store.session_ids().len(), 1, "{fault:?}");
    }
}
