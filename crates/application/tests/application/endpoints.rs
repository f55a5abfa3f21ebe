//! A merchant's endpoint: set, read, tried, removed.

use oncharge_application::{
    Error,
    webhooks::{endpoint, test},
};
use oncharge_domain::webhook::EndpointUrl;
use oncharge_testkit::{Outcome, build::ENDPOINT};

use crate::support::{World, told};

#[tokio::test(start_paused = true)]
async fn it_is_set_read_and_removed() {
    let world = World::new();
    let merchant = world.merchant.id;
    let view = endpoint::get(&world.app, merchant).await.unwrap();
    assert_eq!(view.endpoint.url.as_str(), ENDPOINT);
    assert!(view.signing_secret.starts_with("whsec_"));
    world.clock.advance(5);
    let url = EndpointUrl::parse("https://new.example.com/", false).unwrap();
    let set = endpoint::set(&world.app, merchant, view.endpoint.key, url)
        .await
        .unwrap();
    assert_eq!(set.endpoint.created_at, view.endpoint.created_at);
    assert_eq!(set.endpoint.updated_at, world.now());
    assert_eq!(set.signing_secret, view.signing_secret);
    endpoint::remove(&world.app, merchant).await.unwrap();
    for gone in [
        endpoint::get(&world.app, merchant).await.map(|_| ()),
        endpoint::remove(&world.app, merchant).await,
    ] {
        assert!(matches!(gone, Err(Error::NotFound)));
    }
}

#[tokio::test(start_paused = true)]
async fn a_test_is_sent_once_and_is_no_event() {
    let world = World::new();
    world.shop.reply(ENDPOINT, Outcome::Status(418));
    let try_it = |key| test::test(&world.app, world.post(key, "/v1/webhook_endpoint/test", ""));
    assert_eq!(told(&try_it("k").await), "200 tested Some(418) None");
    assert!(try_it("k").await.unwrap().replayed);
    assert_eq!(world.shop.bodies(ENDPOINT).len(), 1);
    assert!(world.shop.bodies(ENDPOINT)[0].starts_with("endpoint.test evt_"));
    assert_eq!(told(&try_it("").await), "200 tested Some(200) None");
    endpoint::remove(&world.app, world.merchant.id)
        .await
        .unwrap();
    assert!(matches!(try_it("").await, Err(Error::NotFound)));
}
