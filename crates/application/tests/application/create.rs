//! Creating a session.

use oncharge_application::{
    Error,
    checkout::create::{CaptureMode, NewCheckout},
};
use oncharge_domain::session::StatusName;

use crate::support::{Harm, Point, Reached, World, basket, told};

#[tokio::test(start_paused = true)]
async fn a_session_is_created_in_one_commit_with_what_was_asked_for() {
    let world = World::new();
    let order = world.open().await;
    let one_commit = Reached {
        commits: 1,
        ..Reached::default()
    };
    assert_eq!(world.fate.reached(), one_commit, "and no call of the PSP");
    let session = world.session(&order).await;
    assert_eq!(session.status_name(), StatusName::Created);
    assert_eq!(session.merchant, world.merchant.id);
    assert_eq!(session.amount, basket().amount);
    assert_eq!(session.expires_at, session.created_at.plus_seconds(1800));
    assert_eq!(world.events(&order), Vec::<&str>::new());
}

#[tokio::test(start_paused = true)]
async fn who_captures_is_the_merchants_setting_unless_the_session_says() {
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
        let basket = basket();
        let order = world.open_with(NewCheckout { capture, ..basket }).await;
        let session = world.session(&order).await;
        assert_eq!(session.automatic_capture, expected, "{setting} {capture:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_amount_that_the_psp_cannot_carry_is_refused_before_anything_is_written() {
    let world = World::new();
    world.psp.cannot_carry("EUR");
    let answer = world.create("k", basket()).await;
    let names_amount = matches!(&answer, Err(Error::Field { field, .. }) if *field == "amount");
    assert!(names_amount, "{}", told(&answer));
    assert_eq!(world.fate.reached(), Reached::default());
}

#[tokio::test(start_paused = true)]
async fn a_store_that_is_away_is_busy_and_a_lost_commit_is_looked_up() {
    for (harm, expected, sessions) in [
        (Harm::Before, "Busy", 0),
        (Harm::After, "201 created", 1),
        (Harm::Between, "201 created", 1),
    ] {
        let world = World::new();
        world.fate.plan(Point::Commit(1), harm);
        let answer = told(&world.create("k", basket()).await);
        assert!(answer.starts_with(expected), "{harm:?}: {answer}");
        assert_eq!(world.store.session_ids().len(), sessions, "{harm:?}");
        // The same request again makes it one, whatever happened at first.
        let again = told(&world.create("k", basket()).await);
        assert_eq!(again, "201 created", "{harm:?}");
        assert_eq!(world.store.session_ids().len(), 1, "{harm:?}");
    }
}
