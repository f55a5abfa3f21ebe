//! A merchant replaces its pair.

use oncharge_application::{Error, api_keys::rotate, authenticate, webhooks::endpoint};
use oncharge_ports::WebhookRepository;

use crate::support::World;

/// Rotates the merchant's oldest key; the new API key.
async fn rotated(world: &World, key: &str, revoke_now: bool) -> Result<(String, bool), Error> {
    let keys = world
        .store
        .signing_keys(world.merchant.id, world.now())
        .await
        .unwrap();
    let old = keys.iter().min_by_key(|key| key.created_at).unwrap().id;
    let post = world.post(key, "/v1/api_keys/rotate", "{}");
    let reply = rotate::rotate(&world.app, post, old, revoke_now).await?;
    let text = String::from_utf8(reply.answer.body).unwrap();
    Ok((text.split(' ').nth(1).unwrap().to_owned(), reply.replayed))
}

async fn active_keys(world: &World) -> usize {
    let keys = world
        .store
        .signing_keys(world.merchant.id, world.now())
        .await;
    keys.unwrap().len()
}

#[tokio::test(start_paused = true)]
async fn the_old_pair_works_fourteen_days_more_and_the_answer_can_be_asked_for_again() {
    let world = World::new();
    world.clock.advance(10);
    // Of a new process each time, which has nothing cached.
    let secret = async || {
        let process = world.restarted();
        let view = endpoint::get(&process.app, world.merchant.id).await;
        view.unwrap().signing_secret
    };
    let before = secret().await;
    let (api_key, replayed) = rotated(&world, "once", false).await.unwrap();
    assert!(!replayed);
    assert_eq!(
        rotated(&world, "once", false).await.unwrap(),
        (api_key.clone(), true)
    );
    assert!(
        authenticate::find(&world.app, &api_key)
            .await
            .unwrap()
            .is_some()
    );
    assert_eq!(active_keys(&world).await, 2);
    assert_eq!(
        secret().await,
        before,
        "the endpoint keeps its key through the grace"
    );
    world.clock.advance(14 * 86_400 - 1);
    assert_eq!(active_keys(&world).await, 2);
    world.clock.advance(1);
    assert_eq!(active_keys(&world).await, 1);
    assert_ne!(secret().await, before);
    let actions = world.store.audit();
    assert!(
        actions
            .iter()
            .any(|entry| entry.action.name() == "key_rotated")
    );
}

#[tokio::test(start_paused = true)]
async fn a_pair_that_is_being_replaced_makes_no_other() {
    let world = World::new();
    world.clock.advance(10);
    rotated(&world, "", false).await.unwrap();
    let again = rotated(&world, "", false).await;
    assert!(matches!(again, Err(Error::KeyIsEnding)), "{again:?}");
    assert_eq!(active_keys(&world).await, 2);
}

#[tokio::test(start_paused = true)]
async fn it_can_end_at_once() {
    let world = World::new();
    world.clock.advance(10);
    rotated(&world, "", true).await.unwrap();
    assert_eq!(active_keys(&world).await, 1);
}

#[tokio::test(start_paused = true)]
async fn sixteen_equal_rotations_make_one_pair() {
    let world = World::new();
    world.clock.advance(10);
    let old = world
        .store
        .signing_keys(world.merchant.id, world.now())
        .await
        .unwrap()[0]
        .id;
    let all = (0..16).map(|_| {
        rotate::rotate(
            &world.app,
            world.post("k", "/v1/api_keys/rotate", "{}"),
            old,
            false,
        )
    });
    let replies = futures_util::future::join_all(all).await;
    let bodies: std::collections::HashSet<_> = replies
        .into_iter()
        .map(|reply| reply.unwrap().answer.body)
        .collect();
    assert_eq!(bodies.len(), 1);
    assert_eq!(active_keys(&world).await, 2);
}
