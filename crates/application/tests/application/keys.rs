//! Keys on several nodes: published nodes, refused starts, and a rotation during which banned
//! shoppers stay banned.

use std::time::Duration;

use oncharge_application::{
    App,
    keys::{self, KeyError, membership, reseal::reseal},
};
use oncharge_domain::{blocklist::Identifier, keyring::Keyring, text::Email};
use oncharge_ports::{BlocklistRepository, KeyRegistry};

use crate::support::World;

const K1: &str = "k1:AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=";
const K2: &str = "k2:BQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQU=";
const OTHER_K1: &str = "k1:BgYGBgYGBgYGBgYGBgYGBgYGBgYGBgYGBgYGBgYGBgY=";
const P1: &str = "p1:AwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwM=";
const P2: &str = "p2:AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgI=";

fn email(text: &str) -> Identifier {
    Identifier::email(&Email::parse(text).unwrap())
}

fn process(world: &World, master: &[&str], peppers: &[&str]) -> App {
    let ring = |keys: &[&str]| Keyring::parse(&keys.join(",")).unwrap();
    world.process_with(ring(master), ring(peppers))
}

async fn bans(app: &App, address: &str) -> Result<String, KeyError> {
    let ban = oncharge_application::bans::add(app, &email(address), 365, None).await?;
    Ok(ban.hash.pepper.as_str().to_owned())
}

#[tokio::test(start_paused = true)]
async fn a_start_is_refused_if_a_key_is_missing_or_different() {
    let world = World::new();
    let first = process(&world, &[K1], &[P1]);
    membership::join(&first, "first").await.unwrap();
    bans(&first, "a@example.com").await.unwrap();
    for (master, pepper, says) in [
        (K2, P1, "keys.master lacks the key \"k1\""),
        (
            OTHER_K1,
            P1,
            "keys.master has another key under the id \"k1\"",
        ),
        (K1, P2, "keys.pepper lacks the key \"p1\""),
    ] {
        let app = process(&world, &[master], &[pepper]);
        let error = membership::join(&app, "second").await.unwrap_err();
        assert!(error.to_string().contains(says), "{error}");
    }
    let nodes = world.store.live_nodes().await.unwrap();
    assert_eq!(nodes.len(), 1, "a refused node is withdrawn: {nodes:?}");
    let known = world.store.registered_keys(world.now()).await.unwrap();
    assert_eq!(
        known.master.len(),
        1,
        "a refused node registered a key: {known:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_ban_is_hashed_under_the_first_pepper_that_every_node_has() {
    let world = World::new();
    let old = process(&world, &[K1], &[P1]);
    let new = process(&world, &[K1], &[P2, P1]);
    membership::join(&old, "old").await.unwrap();
    membership::join(&new, "new").await.unwrap();
    assert_eq!(bans(&new, "a@example.com").await.unwrap(), "p1");
    let only = process(&world, &[K1], &[P2]);
    let error = bans(&only, "b@example.com").await.unwrap_err();
    let says = "keys.pepper lacks the key \"p2\" on node old";
    assert!(error.to_string().starts_with(says), "{error}");
    // A ban is not rehashed either while one node could not find it.
    let seen = world.at(new.clone());
    assert!(seen.open_for("a@example.com").await.is_err());
    let hash = world.store.list().await.unwrap().remove(0).hash;
    assert_eq!(hash.pepper.as_str(), "p1");
    world.clock.advance(60);
    membership::join(&new, "new").await.unwrap();
    assert!(seen.open_for("a@example.com").await.is_err());
    let hash = world.store.list().await.unwrap().remove(0).hash;
    assert_eq!(
        hash.pepper.as_str(),
        "p2",
        "the pepper after the old node has ended"
    );
}

#[tokio::test(start_paused = true)]
async fn a_node_that_could_not_renew_does_not_screen() {
    let world = World::new();
    let old = process(&world, &[K1], &[P1]);
    membership::join(&old, "old").await.unwrap();
    let seen = world.at(old);
    assert!(seen.open_for("a@example.com").await.is_ok());
    tokio::time::advance(Duration::from_secs(26)).await;
    let refused = seen.open_for("a@example.com").await.unwrap_err();
    assert!(refused.starts_with("Busy"), "{refused}");
    membership::join(&seen.app, "old").await.unwrap();
    assert!(seen.open_for("a@example.com").await.is_ok());
    // Only the other clock advances, as after a suspension.
    world.clock.advance(26);
    let refused = seen.open_for("a@example.com").await.unwrap_err();
    assert!(refused.starts_with("Busy"), "{refused}");
}

#[tokio::test(start_paused = true)]
async fn a_node_that_lacks_a_pepper_does_not_screen() {
    let world = World::new();
    let old = process(&world, &[K1], &[P1]);
    membership::join(&old, "old").await.unwrap();
    let renewal = membership::Renewal::start(&old);
    // Disconnected until its entry expires, it misses that a pepper came into use.
    world.clock.advance(60);
    let new = process(&world, &[K1], &[P2, P1]);
    assert_eq!(bans(&new, "a@example.com").await.unwrap(), "p2");
    tokio::time::sleep(Duration::from_secs(40)).await;
    let seen = world.at(old.clone());
    let refused = seen.open_for("a@example.com").await.unwrap_err();
    assert!(refused.starts_with("Busy"), "{refused}");
    let ban = world.store.list().await.unwrap().remove(0);
    oncharge_application::bans::revoke(&new, ban.id)
        .await
        .unwrap();
    tokio::time::sleep(Duration::from_secs(11)).await;
    assert!(seen.open_for("a@example.com").await.is_ok());
    renewal.stop(&old).await;
    assert_eq!(world.store.live_nodes().await.unwrap(), []);
}

#[tokio::test(start_paused = true)]
async fn reseal_is_refused_while_a_live_node_lacks_the_first_key() {
    let world = World::new();
    let old = process(&world, &[K1], &[P1]);
    membership::join(&old, "old").await.unwrap();
    let new = process(&world, &[K2, K1], &[P1]);
    let error = reseal(&new).await.unwrap_err();
    let says = "keys.master lacks the key \"k2\" on node old";
    assert!(error.to_string().starts_with(says), "{error}");
    let known = world.store.registered_keys(world.now()).await.unwrap();
    assert_eq!(known.master.len(), 1, "a key was registered: {known:?}");
    let missing = keys::missing_on_nodes(&new).await.unwrap();
    assert_eq!(missing.len(), 1, "{missing:?}");
}

#[tokio::test(start_paused = true)]
async fn a_key_is_retired_once_no_node_seals_under_it() {
    let world = World::new();
    let ids = |done: keys::reseal::ResealReport| {
        let ids = done.still_used.iter().map(|id| id.as_str().to_owned());
        ids.collect::<Vec<_>>()
    };
    let last = process(&world, &[K1, K2], &[P1]);
    membership::join(&last, "last").await.unwrap();
    let new = process(&world, &[K2, K1], &[P1]);
    assert_eq!(
        ids(reseal(&new).await.unwrap()),
        ["k1"],
        "the first key of a live node was retired"
    );
    world.clock.advance(60);
    assert!(ids(reseal(&new).await.unwrap()).is_empty());
    // A node that starts with it as the first key registers it again.
    membership::join(&last, "last").await.unwrap();
    let error = keys::check(&process(&world, &[K2], &[P1]))
        .await
        .unwrap_err();
    assert!(error.to_string().contains("\"k1\""), "{error}");
}
