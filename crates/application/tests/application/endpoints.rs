//! A merchant's endpoint: set, read, tested, removed.

use oncharge_application::{
    Error,
    webhooks::{
        endpoint::{self, SecretView},
        test,
    },
};
use oncharge_domain::{audit::AuditAction, merchant::ApiKeyHash, webhook::EndpointUrl};
use oncharge_ports::{MerchantRepository, WebhookRepository};
use oncharge_testkit::{Outcome, build::ENDPOINT};

use crate::support::{World, describe};

#[tokio::test(start_paused = true)]
async fn an_endpoint_is_set_read_and_removed() {
    let world = World::new();
    let merchant = world.merchant.id;
    let view = endpoint::get(&world.app, merchant).await.unwrap();
    assert_eq!(view.endpoint.url.as_str(), ENDPOINT);
    assert_eq!(view.secret, SecretView::Hint);
    world.clock.advance(5);
    let set = async |url: &str| {
        let url = EndpointUrl::parse(url, false).unwrap();
        let set = endpoint::set(&world.app, merchant, view.endpoint.key, url).await;
        set.unwrap()
    };
    let moved = set("https://new.example.com/").await;
    assert_eq!(moved.endpoint.created_at, view.endpoint.created_at);
    assert_eq!(moved.endpoint.updated_at, world.now());
    assert_eq!(
        moved.secret,
        SecretView::Whole,
        "the secret after a new URL"
    );
    let (before, after) = (&view.endpoint.secrets, &moved.endpoint.secrets);
    assert_ne!(after.current, before.current);
    let previous = after.previous.as_ref().unwrap();
    assert_eq!(
        previous.secret, before.current,
        "the previous secret, which signs for a day"
    );
    let again = set("https://new.example.com/").await;
    assert_eq!(
        again.secret,
        SecretView::Hint,
        "the secret after the same URL"
    );
    assert_eq!(&again.endpoint.secrets, after);
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
    world.merchant_server.reply(ENDPOINT, Outcome::Status(418));
    let endpoint_key = endpoint::get(&world.app, world.merchant.id)
        .await
        .unwrap()
        .endpoint
        .key;
    let try_it = |key| {
        let post = world.post(key, "/v1/webhook_endpoint/test", "");
        test::test(&world.app, post, endpoint_key)
    };
    assert_eq!(describe(&try_it("k").await), "200 tested Some(418) None");
    assert!(try_it("k").await.unwrap().replayed);
    assert_eq!(world.merchant_server.bodies(ENDPOINT).len(), 1);
    assert!(world.merchant_server.bodies(ENDPOINT)[0].starts_with("endpoint.test evt_"));
    assert_eq!(describe(&try_it("").await), "200 tested Some(200) None");
    endpoint::remove(&world.app, world.merchant.id)
        .await
        .unwrap();
    assert!(matches!(try_it("").await, Err(Error::NotFound)));
}

#[tokio::test(start_paused = true)]
async fn a_merchant_has_one_test_in_progress() {
    let world = World::new();
    world.merchant_server.block(ENDPOINT);
    let view = endpoint::get(&world.app, world.merchant.id).await.unwrap();
    let try_it = || test::test(&world.app, world.post("", "/x", ""), view.endpoint.key);
    let letting_go = async {
        world.merchant_server.wait_for_attempts(1).await;
        let second = try_it().await;
        world.merchant_server.unblock(ENDPOINT);
        second
    };
    let (first, second) = futures_util::future::join(try_it(), letting_go).await;
    assert!(matches!(second, Err(Error::Busy(_))), "{second:?}");
    assert_eq!(describe(&first), "200 tested Some(200) None");
    assert!(
        try_it().await.is_ok(),
        "a second test is refused after the first has ended"
    );
}

#[tokio::test(start_paused = true)]
async fn a_test_that_succeeds_gives_the_endpoint_the_key_of_its_request() {
    let world = World::new();
    let view = endpoint::get(&world.app, world.merchant.id).await.unwrap();
    let other = world.build.id();
    let key = async || {
        let view = endpoint::get(&world.app, world.merchant.id).await.unwrap();
        view.endpoint.key
    };
    world.merchant_server.reply(ENDPOINT, Outcome::Status(500));
    let mut new = world
        .store
        .signing_keys(world.merchant.id, world.now())
        .await
        .unwrap()
        .remove(0);
    new.id = other;
    let audit = world.build.audit(AuditAction::KeyCreated);
    world
        .store
        .add_key(&new, &ApiKeyHash::of("other"), &audit)
        .await
        .unwrap();
    for (expected, why) in [(view.endpoint.key, "it failed"), (other, "it was taken")] {
        test::test(&world.app, world.post("", "/x", ""), other)
            .await
            .unwrap();
        assert_eq!(key().await, expected, "{why}");
    }
}

#[tokio::test(start_paused = true)]
async fn changes_made_during_a_test_are_kept() {
    let new = "https://new.example.com/hook";
    for removes in [true, false] {
        let world = World::new();
        let merchant = world.merchant.id;
        let view = endpoint::get(&world.app, merchant).await.unwrap();
        world.merchant_server.block(ENDPOINT);
        // Signed with another key than the one the endpoint was set with.
        let trying = test::test(&world.app, world.post("", "/x", ""), world.build.id());
        let meanwhile = async {
            world.merchant_server.wait_for_attempts(1).await;
            if removes {
                endpoint::remove(&world.app, merchant).await.unwrap();
            } else {
                let url = EndpointUrl::parse(new, false).unwrap();
                let set = endpoint::set(&world.app, merchant, view.endpoint.key, url);
                set.await.unwrap();
            }
            world.merchant_server.unblock(ENDPOINT);
        };
        let (tested, ()) = futures_util::future::join(trying, meanwhile).await;
        assert_eq!(describe(&tested), "200 tested Some(200) None");
        let present = world.store.endpoint_of(merchant);
        let url = present.as_ref().map(|endpoint| endpoint.url.as_str());
        assert_eq!(url, (!removes).then_some(new));
    }
}
