//! Merchants, their keys and settings.

use oncharge_application::{
    Error, authenticate,
    merchants::{self, Change, KeySelector, NewMerchant, SettingsChange},
};
use oncharge_domain::{
    branding::{
        Branding,
        accent::{Accent, ColorScheme},
        logo::Logo,
    },
    psp::PspAccount,
    signing::SigningKey,
    text::MerchantName,
};
use oncharge_ports::MerchantRepository;
use oncharge_testkit::build::account;

use crate::support::World;

fn wanted() -> NewMerchant {
    NewMerchant {
        name: MerchantName::parse("Corner Shop").unwrap(),
        account: account(),
        capture_delay_seconds: 60,
        branding: Branding::default(),
    }
}

#[tokio::test]
async fn a_merchant_needs_a_psp_account_that_exists() {
    let world = World::new();
    let new = NewMerchant {
        account: PspAccount::new("simulator", "unknown").unwrap(),
        ..wanted()
    };
    let refused = merchants::create(&world.app, new).await;
    assert!(matches!(refused, Err(Error::UnknownPspAccount)));
}

#[tokio::test]
async fn a_new_merchant_signs_with_the_pair_that_was_shown_once() {
    let world = World::new();
    let (merchant, pair) = merchants::create(&world.app, wanted()).await.unwrap();
    assert!(pair.api_key.starts_with("ock_") && pair.api_secret.starts_with("ocs_"));
    let found = authenticate::find(&world.app, &pair.api_key).await.unwrap();
    let principal = found.expect("the key is active");
    assert_eq!(principal.merchant.id, merchant.id);
    let signing = SigningKey::of_secret(&pair.api_secret);
    assert_eq!(
        principal.key.signing_key.expose_bytes(),
        signing.expose_bytes()
    );
    assert!(
        authenticate::find(&world.app, "ock_unknown")
            .await
            .unwrap()
            .is_none()
    );
    assert!(
        authenticate::find(&world.app, &pair.api_secret)
            .await
            .unwrap()
            .is_none()
    );
}

#[tokio::test]
async fn pairs_are_added_and_revoked_one_by_one() {
    let world = World::new();
    let (merchant, first) = merchants::create(&world.app, wanted()).await.unwrap();
    let second = merchants::add_key(&world.app, merchant.id).await.unwrap();
    assert_ne!(first.api_key, second.api_key);
    let named = KeySelector::Text(&first.api_key);
    merchants::revoke_key(&world.app, &named).await.unwrap();
    // Another process caches keys, for at most a second.
    let elsewhere = world.restarted();
    let find = async |key: &str| authenticate::find(&elsewhere.app, key).await.unwrap();
    assert!(find(&first.api_key).await.is_none());
    assert!(find(&second.api_key).await.is_some());
    for unknown in [
        KeySelector::Text("ock_unknown"),
        KeySelector::Id(world.build.id()),
    ] {
        let revoked = merchants::revoke_key(&world.app, &unknown).await;
        assert!(matches!(revoked, Err(Error::NotFound)), "{revoked:?}");
    }
    let nobody = world.build.merchant().id;
    let nobodys = merchants::add_key(&world.app, nobody).await;
    assert!(matches!(nobodys, Err(Error::NotFound)));
    let actions: Vec<_> = world
        .store
        .audit()
        .iter()
        .map(|e| e.action.name())
        .collect();
    assert_eq!(
        actions,
        [
            "merchant_created",
            "endpoint_set",
            "merchant_created",
            "key_created",
            "key_revoked"
        ]
    );
}

#[tokio::test]
async fn keys_are_listed_and_revoked_by_id_or_all_at_once() {
    let world = World::new();
    let (merchant, first) = merchants::create(&world.app, wanted()).await.unwrap();
    merchants::add_key(&world.app, merchant.id).await.unwrap();
    let list = async || merchants::list_keys(&world.app, merchant.id).await.unwrap();
    let keys = list().await;
    assert_eq!(keys.len(), 2);
    let hint = &first.api_key[first.api_key.len() - 4..];
    let named = keys.iter().find(|key| key.hint == hint).unwrap();
    let revoked = merchants::revoke_key(&world.app, &KeySelector::Id(named.id)).await;
    assert_eq!(revoked.unwrap().id, named.id);
    assert_eq!(list().await.len(), 1);
    merchants::add_key(&world.app, merchant.id).await.unwrap();
    let all = merchants::revoke_all_keys(&world.app, merchant.id).await;
    assert_eq!(all.unwrap(), 2);
    assert_eq!(list().await.len(), 0);
    assert_eq!(
        merchants::list_keys(&world.app, world.merchant.id)
            .await
            .unwrap()
            .len(),
        1,
        "another merchant's"
    );
    let nobody = world.build.merchant().id;
    let refused = merchants::revoke_all_keys(&world.app, nobody).await;
    assert!(matches!(refused, Err(Error::NotFound)));
    let refused = merchants::list_keys(&world.app, nobody).await;
    assert!(matches!(refused, Err(Error::NotFound)));
}

#[tokio::test]
async fn a_cached_key_ends_on_time() {
    let world = World::new();
    let (key, hash) = {
        let (mut key, _) = world.build.api_key(&world.merchant);
        key.ends_at = Some(world.now().plus_seconds(10));
        (key, oncharge_domain::merchant::ApiKeyHash::of("ock_grace"))
    };
    let audit = world
        .build
        .audit(oncharge_domain::audit::AuditAction::KeyCreated);
    world.store.add_key(&key, &hash, &audit).await.unwrap();
    let find = async || authenticate::find(&world.app, "ock_grace").await.unwrap();
    assert!(find().await.is_some());
    world.clock.advance(10);
    assert!(find().await.is_none());
}

#[tokio::test]
async fn settings_are_changed_one_by_one_and_apply_to_new_sessions() {
    let world = World::new();
    let id = world.merchant.id;
    let change = SettingsChange {
        capture_delay_seconds: Some(5),
        ..SettingsChange::default()
    };
    let changed = merchants::change(&world.app, id, change).await.unwrap();
    assert_eq!(
        (changed.automatic_capture, changed.capture_delay_seconds),
        (false, 5)
    );
    let change = SettingsChange {
        automatic_capture: Some(true),
        ..SettingsChange::default()
    };
    let changed = merchants::change(&world.app, id, change).await.unwrap();
    assert_eq!(
        (changed.automatic_capture, changed.capture_delay_seconds),
        (true, 5)
    );
    assert_eq!(world.store.merchant(id).await.unwrap(), Some(changed));
    let nobody = world.build.merchant().id;
    let nobodys = merchants::change(&world.app, nobody, SettingsChange::default()).await;
    assert!(matches!(nobodys, Err(Error::NotFound)));
}

#[tokio::test]
async fn branding_is_changed_part_by_part() {
    let world = World::new();
    let id = world.merchant.id;
    let change = async |change| {
        let changed = merchants::change(&world.app, id, change).await.unwrap();
        assert_eq!(
            world.store.merchant(id).await.unwrap(),
            Some(changed.clone())
        );
        changed.branding
    };
    let logo = Logo::new(b"<svg xmlns='http://www.w3.org/2000/svg'/>".to_vec()).unwrap();
    let light = Accent::parse("#c2185b", ColorScheme::Light).unwrap();
    let dark = Accent::parse("#ff80ab", ColorScheme::Dark).unwrap();
    let full = Branding {
        accent: Some(light),
        accent_dark: Some(dark),
        logo: Some(logo.clone()),
    };
    let given = SettingsChange {
        accent: Change::Set(light),
        accent_dark: Change::Set(dark),
        logo: Change::Set(logo),
        ..SettingsChange::default()
    };
    assert_eq!(change(given).await, full);
    let nothing = SettingsChange::default();
    assert_eq!(change(nothing).await, full, "an empty change");
    let removed = SettingsChange {
        accent: Change::Remove,
        ..SettingsChange::default()
    };
    let without = Branding {
        accent: None,
        ..full
    };
    assert_eq!(change(removed).await, without);
    let last = world.store.audit().pop().unwrap();
    assert_eq!(last.action.name(), "settings_changed");
    assert_eq!(last.merchant, Some(id));
}
