//! What need not be kept is deleted, and nothing else.

use oncharge_application::workers::clean_up;

use crate::support::World;

#[tokio::test(start_paused = true)]
async fn answers_are_forgotten_after_72_hours_and_not_before() {
    let world = World::new();
    let first = world.try_open("k").await.unwrap();
    world.clock.advance(72 * 3600);
    assert_eq!(clean_up::run_once(&world.app).await.unwrap(), 0);
    assert_eq!(world.try_open("k").await.unwrap(), first, "still replayed");
    world.clock.advance(3601);
    assert_eq!(clean_up::run_once(&world.app).await.unwrap(), 1);
    assert_ne!(world.try_open("k").await.unwrap(), first);
}
