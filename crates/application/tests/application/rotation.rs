//! A merchant rotates its API key and its endpoint's secret.

use std::sync::Arc;

use futures_util::future::join_all;
use oncharge_application::{
    Error,
    api_keys::{
        list, remove,
        rotate::{self, OldKeyPolicy},
    },
    authenticate::{self, Principal},
    merchants::{self, KeySelector},
    webhooks::{
        endpoint,
        rotate_secret::{self, OldSecretPolicy},
    },
};
use oncharge_domain::{
    merchant::ApiKey,
    webhook::{StandardHeaders, WebhookSecret},
};
use oncharge_ports::WebhookRepository;
use oncharge_testkit::build::ENDPOINT;

use crate::support::World;

const MINUTE: i64 = 60;

/// A merchant with a pair whose key is known.
struct Fixture {
    world: World,
    key: String,
}

impl Fixture {
    async fn new() -> Self {
        let world = World::new();
        world.clock.advance(10);
        let pair = merchants::add_key(&world.app, world.merchant.id).await;
        let key = pair.unwrap().api_key;
        Self { world, key }
    }

    /// The signer with this key, as a process without a cache sees it.
    async fn signer(&self, key: &str) -> Option<Arc<Principal>> {
        let process = self.world.restarted();
        authenticate::find(&process.app, key).await.unwrap()
    }

    /// Rotates this key under this idempotency key; returns the new API key, and whether it is a
    /// replay.
    async fn rotate(&self, key: &str, idempotency: &str) -> Result<(String, bool), Error> {
        let signer = self.signer(key).await.expect("a valid key");
        let (post, app) = (self.post(idempotency), &self.world.app);
        let reply = rotate::rotate(app, post, signer, OldKeyPolicy::Grace).await?;
        let text = String::from_utf8(reply.response.body).unwrap();
        Ok((text.split(' ').nth(1).unwrap().to_owned(), reply.replayed))
    }

    fn post(&self, idempotency: &str) -> oncharge_application::PostContext {
        self.world.post(idempotency, "/v1/api_keys/rotate", "{}")
    }

    async fn keys(&self) -> Vec<ApiKey> {
        let listed = list::list(&self.world.app, self.world.merchant.id).await;
        listed.unwrap()
    }

    async fn active(&self) -> usize {
        let keys = self.keys().await;
        keys.iter().filter(|key| key.is_active()).count()
    }
}

#[tokio::test(start_paused = true)]
async fn the_old_pair_works_for_fourteen_days() {
    let fixture = Fixture::new().await;
    let (new, replayed) = fixture.rotate(&fixture.key, "once").await.unwrap();
    assert!(!replayed);
    assert_eq!((fixture.keys().await.len(), fixture.active().await), (3, 2));
    let old = fixture.signer(&fixture.key).await.unwrap();
    assert!(matches!(old.require_active(), Err(Error::KeyIsEnding)));
    fixture.world.clock.advance(14 * 86_400 - 1);
    assert!(fixture.signer(&fixture.key).await.is_some());
    fixture.world.clock.advance(1);
    assert!(fixture.signer(&fixture.key).await.is_none());
    assert!(fixture.signer(&new).await.is_some());
    let audit = fixture.world.store.audit();
    let entry = audit.iter().find(|one| one.action.name() == "key_rotated");
    let (old, detail) = (old.key.id.to_string(), &entry.unwrap().detail);
    let new = fixture.keys().await[0].id.to_string();
    assert!(detail.contains(&old) && detail.contains(&new), "{detail}");
}

#[tokio::test(start_paused = true)]
async fn a_rotation_is_replayed_to_its_own_key_for_ten_minutes() {
    let fixture = Fixture::new().await;
    let other = merchants::add_key(&fixture.world.app, fixture.world.merchant.id);
    let other = other.await.unwrap().api_key;
    let (new, _) = fixture.rotate(&fixture.key, "once").await.unwrap();
    for stranger in [&other, &new] {
        let reused = fixture.rotate(stranger, "once").await;
        assert!(
            matches!(reused, Err(Error::IdempotencyKeyReused)),
            "{reused:?}"
        );
    }
    fixture.world.clock.advance(10 * MINUTE);
    let again = fixture.rotate(&fixture.key, "once").await.unwrap();
    assert_eq!(again, (new, true));
    fixture.world.clock.advance(1);
    let late = fixture.rotate(&fixture.key, "once").await;
    assert!(matches!(late, Err(Error::KeyIsEnding)), "{late:?}");
    let reused = fixture.rotate(&other, "once").await;
    assert!(
        matches!(reused, Err(Error::IdempotencyKeyReused)),
        "{reused:?}"
    );
    assert_eq!(fixture.keys().await.len(), 4, "the number of keys");
}

#[tokio::test(start_paused = true)]
async fn concurrent_rotations_of_one_key_have_one_winner() {
    let fixture = Fixture::new().await;
    let texts: Vec<String> = (0..16).map(|number| format!("k{number}")).collect();
    let all = texts.iter().map(|text| fixture.rotate(&fixture.key, text));
    let results = join_all(all).await;
    let refused = results.iter();
    let refused = refused.filter(|one| matches!(one, Err(Error::KeyIsEnding)));
    assert_eq!(refused.count(), 15, "{results:?}");
    assert_eq!((fixture.keys().await.len(), fixture.active().await), (3, 2));
}

#[tokio::test(start_paused = true)]
async fn equal_rotations_create_one_pair() {
    let fixture = Fixture::new().await;
    let all = (0..16).map(|_| fixture.rotate(&fixture.key, "k"));
    let mut keys: Vec<String> = join_all(all)
        .await
        .into_iter()
        .map(|reply| reply.unwrap().0)
        .collect();
    keys.dedup();
    assert_eq!(keys.len(), 1);
    assert_eq!((fixture.keys().await.len(), fixture.active().await), (3, 2));
}

/// A process that has the key in its cache does not see its end yet.
#[tokio::test(start_paused = true)]
async fn a_revoked_key_is_not_rotated() {
    let fixture = Fixture::new().await;
    let cached = fixture.signer(&fixture.key).await.unwrap();
    let name = KeySelector::Text(&fixture.key);
    merchants::revoke_key(&fixture.world.app, &name)
        .await
        .unwrap();
    let rotated = rotate::rotate(
        &fixture.world.app,
        fixture.post(""),
        cached,
        OldKeyPolicy::Grace,
    )
    .await;
    assert!(matches!(rotated, Err(Error::KeyIsEnding)), "{rotated:?}");
    assert_eq!(
        fixture.keys().await.len(),
        1,
        "only the merchant's first key is left"
    );
}

#[tokio::test(start_paused = true)]
async fn the_old_pair_can_end_at_once() {
    let fixture = Fixture::new().await;
    let signer = fixture.signer(&fixture.key).await.unwrap();
    let rotated = rotate::rotate(
        &fixture.world.app,
        fixture.post(""),
        signer,
        OldKeyPolicy::Revoked,
    )
    .await;
    rotated.unwrap();
    assert!(fixture.signer(&fixture.key).await.is_none());
    assert_eq!((fixture.keys().await.len(), fixture.active().await), (2, 2));
}

#[tokio::test(start_paused = true)]
async fn a_merchant_ends_any_key_but_its_last_one() {
    let fixture = Fixture::new().await;
    let app = &fixture.world.app;
    let (new, _) = fixture.rotate(&fixture.key, "").await.unwrap();
    let ending = fixture.signer(&fixture.key).await.unwrap();
    let new = fixture.signer(&new).await.unwrap();
    let id = |key: &ApiKey| key.id.to_string();
    let foreign = remove::remove(app, ending.clone(), &id(&new.key)).await;
    assert!(matches!(foreign, Err(Error::KeyIsEnding)), "{foreign:?}");
    remove::remove(app, ending.clone(), &id(&ending.key))
        .await
        .unwrap();
    assert!(fixture.signer(&fixture.key).await.is_none());
    for unknown in [id(&ending.key), "key_1".to_owned(), String::new()] {
        let gone = remove::remove(app, new.clone(), &unknown).await;
        assert!(matches!(gone, Err(Error::NotFound)), "{unknown}: {gone:?}");
    }
    let first = id(&fixture.keys().await[1]);
    remove::remove(app, new.clone(), &first).await.unwrap();
    let last = remove::remove(app, new.clone(), &id(&new.key)).await;
    assert!(matches!(last, Err(Error::LastActiveKey)), "{last:?}");
    assert_eq!(fixture.active().await, 1);
}

#[tokio::test(start_paused = true)]
async fn a_merchant_has_five_active_pairs() {
    let fixture = Fixture::new().await;
    let merchant = fixture.world.merchant.id;
    for _ in 0..3 {
        merchants::add_key(&fixture.world.app, merchant)
            .await
            .unwrap();
    }
    let sixth = merchants::add_key(&fixture.world.app, merchant).await;
    assert!(matches!(sixth, Err(Error::TooManyKeys)));
    fixture.rotate(&fixture.key, "").await.unwrap();
    assert_eq!((fixture.keys().await.len(), fixture.active().await), (6, 5));
}

#[tokio::test(start_paused = true)]
async fn five_pairs_can_be_in_their_grace_period() {
    let fixture = Fixture::new().await;
    let mut key = fixture.key.clone();
    for _ in 0..5 {
        (key, _) = fixture.rotate(&key, "").await.unwrap();
    }
    let sixth = fixture.rotate(&key, "k").await;
    assert!(matches!(sixth, Err(Error::TooManyEndingKeys)), "{sixth:?}");
    let signer = fixture.signer(&key).await.unwrap();
    let listed = fixture.keys().await;
    let ending = listed.iter().find(|key| !key.is_active()).unwrap();
    let id = ending.id.to_string();
    remove::remove(&fixture.world.app, signer, &id)
        .await
        .unwrap();
    (key, _) = fixture.rotate(&key, "k").await.unwrap();
    let (post, signer) = (fixture.post("at_once"), fixture.signer(&key).await.unwrap());
    let at_once = rotate::rotate(&fixture.world.app, post, signer, OldKeyPolicy::Revoked).await;
    assert!(at_once.is_ok(), "{at_once:?}");
}

#[tokio::test(start_paused = true)]
async fn the_last_use_is_recorded_in_the_background_once_an_hour() {
    let fixture = Fixture::new().await;
    let used = async || {
        let signer = fixture.signer(&fixture.key).await.unwrap();
        let app = &fixture.world.app;
        for _ in 0..3 {
            authenticate::record_use(app, &signer);
        }
        app.drain().await;
        let signer = fixture.signer(&fixture.key).await.unwrap();
        signer.key.last_used_at.unwrap()
    };
    let first = used().await;
    assert_eq!(first, fixture.world.now());
    fixture.world.clock.advance(3599);
    assert_eq!(used().await, first);
    fixture.world.clock.advance(1);
    assert_eq!(used().await, fixture.world.now());
}

/// The secrets that verify the newest delivery.
fn verification_results(world: &World, secrets: &[&WebhookSecret]) -> Vec<bool> {
    let sent = world.merchant_server.sent_to(ENDPOINT).pop().unwrap();
    let header = |name: &str| {
        let found = sent.headers.iter().find(|(known, _)| *known == name);
        found.unwrap().1.as_str()
    };
    let headers = StandardHeaders {
        id: header("webhook-id"),
        timestamp: header("webhook-timestamp"),
        signature: header("webhook-signature"),
    };
    let verify = |secret: &&WebhookSecret| secret.verify(&headers, &sent.body, world.now()).is_ok();
    secrets.iter().map(verify).collect()
}

#[tokio::test(start_paused = true)]
async fn both_secrets_sign_for_a_day_or_the_old_one_ends_at_once() {
    let world = World::new();
    let secret = async || {
        let endpoint = world.store.endpoint(world.merchant.id).await.unwrap();
        endpoint.unwrap().secrets.current
    };
    let rotate = async |idempotency: &str, old| {
        let post = world.post(idempotency, "/v1/webhook_endpoint/rotate_secret", "{}");
        rotate_secret::rotate_secret(&world.app, post, old).await
    };
    let first = secret().await;
    let reply = rotate("k", OldSecretPolicy::Overlaps).await.unwrap();
    let second = secret().await;
    let shown = String::from_utf8(reply.response.body.clone()).unwrap();
    assert_eq!(shown, format!("secret {}", *second.text()));
    let again = rotate("k", OldSecretPolicy::Overlaps).await.unwrap();
    assert_eq!((again.replayed, again.response), (true, reply.response));
    world.authorized().await;
    world.run_until_idle().await;
    assert_eq!(
        verification_results(&world, &[&first, &second]),
        [true, true]
    );
    world.clock.advance(86_400);
    world.authorized().await;
    world.run_until_idle().await;
    assert_eq!(
        verification_results(&world, &[&first, &second]),
        [false, true]
    );
    rotate("", OldSecretPolicy::Revoked).await.unwrap();
    let third = secret().await;
    world.authorized().await;
    world.run_until_idle().await;
    assert_eq!(
        verification_results(&world, &[&second, &third]),
        [false, true]
    );
    endpoint::remove(&world.app, world.merchant.id)
        .await
        .unwrap();
    let none = rotate("", OldSecretPolicy::Overlaps).await;
    assert!(matches!(none, Err(Error::NotFound)), "{none:?}");
}

#[tokio::test(start_paused = true)]
async fn concurrent_secret_rotations_all_succeed() {
    let world = World::new();
    let one = |text: String| {
        let post = world.post(&text, "/v1/webhook_endpoint/rotate_secret", "{}");
        rotate_secret::rotate_secret(&world.app, post, OldSecretPolicy::Overlaps)
    };
    let replies = join_all((0..8).map(|number| one(format!("k{number}")))).await;
    assert!(replies.iter().all(Result::is_ok), "{replies:?}");
    let endpoint = world.store.endpoint(world.merchant.id).await.unwrap();
    assert_eq!(endpoint.unwrap().version, 9);
}
