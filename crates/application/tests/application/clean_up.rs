//! Expired data is deleted, and nothing else.

use oncharge_application::{
    Error,
    merchants::{self, KeySelector},
    workers::clean_up::CleanUp,
};

use crate::support::World;

/// Runs the first pass of a process; returns the number of deleted rows.
async fn clean_up(world: &World) -> usize {
    let pass = CleanUp::default().pass(&world.app).await.unwrap();
    pass.count
}

#[tokio::test(start_paused = true)]
async fn stored_responses_are_deleted_after_72_hours() {
    let world = World::new();
    let first = world.try_open("k").await.unwrap();
    world.clock.advance(72 * 3600);
    assert_eq!(clean_up(&world).await, 0);
    assert_eq!(world.try_open("k").await.unwrap(), first, "still replayed");
    world.clock.advance(3601);
    assert_eq!(clean_up(&world).await, 1);
    assert_ne!(world.try_open("k").await.unwrap(), first);
}

#[tokio::test(start_paused = true)]
async fn a_backlog_of_one_kind_holds_up_no_other() {
    let world = World::new();
    for number in 0..600 {
        world.try_open(&format!("k{number}")).await.unwrap();
    }
    let pair = merchants::add_key(&world.app, world.merchant.id).await;
    let api_key = pair.unwrap().api_key;
    let name = KeySelector::Text(&api_key);
    merchants::revoke_key(&world.app, &name).await.unwrap();
    world.clock.advance(91 * 86_400);
    let mut clean_up = CleanUp::default();
    let first = clean_up.pass(&world.app).await.unwrap();
    assert!(first.has_more && first.count < 500, "{first:?}");
    let gone = merchants::revoke_key(&world.app, &name).await;
    assert!(
        matches!(gone, Err(Error::NotFound)),
        "the expired key is found"
    );
    let mut count = first.count;
    loop {
        let pass = clean_up.pass(&world.app).await.unwrap();
        count += pass.count;
        if !pass.has_more {
            break;
        }
    }
    assert_eq!(count, 601);
}
