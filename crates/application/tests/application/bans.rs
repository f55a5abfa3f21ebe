//! The shared blocklist: at creation, at payment, and the operator's actions.

use oncharge_application::bans;
use oncharge_domain::{
    blocklist::{Identifier, Peppers},
    id::Id,
    keyring::Keyring,
    session::{NextAction, StatusName},
    text::{Email, Phone},
};
use oncharge_ports::BlocklistRepository;
use oncharge_testkit::build::eur;

use crate::support::{Order, World, default_checkout, describe};

fn email(text: &str) -> Identifier {
    Identifier::email(&Email::parse(text).unwrap())
}

impl World {
    pub(crate) async fn open_for(&self, address: &str) -> Result<Order, String> {
        let mut new = default_checkout();
        new.contact.email = Some(Email::parse(address).unwrap());
        let response = self.create("", new).await;
        match &response {
            Ok(reply) => Ok(Order::of(reply)),
            Err(_) => Err(describe(&response)),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_ban_applies_to_every_merchant_and_spelling() {
    let world = World::new();
    bans::add(&world.app, &email("joe.bloggs@gmail.com"), 365, None)
        .await
        .unwrap();
    let other = world.of_another_merchant();
    for address in ["joe.bloggs@gmail.com", "JoeBloggs+shop@googlemail.com"] {
        assert_eq!(world.open_for(address).await.unwrap_err(), "GlobalBan");
        assert_eq!(other.open_for(address).await.unwrap_err(), "GlobalBan");
    }
    assert!(world.open_for("jane@gmail.com").await.is_ok());
    let mut by_phone = default_checkout();
    by_phone.contact.phone = Some(Phone::parse("+15551234567").unwrap());
    let phone = Identifier::phone_from_input("001 555 123-4567").unwrap();
    bans::add(&world.app, &phone, 1, None).await.unwrap();
    let response = world.create("k", by_phone).await;
    assert_eq!(describe(&response), "GlobalBan");
}

#[tokio::test(start_paused = true)]
async fn a_ban_ends_when_it_expires_or_is_revoked() {
    let world = World::new();
    let brief = bans::add(&world.app, &email("a@example.com"), 2, Some("test".into()))
        .await
        .unwrap();
    let revoked = bans::add(&world.app, &email("b@example.com"), 365, None)
        .await
        .unwrap();
    assert_eq!(brief.expires_at, world.now().plus_seconds(2 * 86_400));
    bans::revoke(&world.app, revoked.id).await.unwrap();
    assert!(world.open_for("b@example.com").await.is_ok());
    for unknown in [revoked.id, Id::from_parts(world.now(), [9; 10])] {
        let again = bans::revoke(&world.app, unknown).await;
        assert_eq!(format!("{again:?}"), "Err(NotFound)");
    }
    assert!(world.open_for("a@example.com").await.is_err());
    world.clock.advance(2 * 86_400);
    assert!(world.open_for("a@example.com").await.is_ok());
    let listed = bans::list(&world.app).await.unwrap();
    assert_eq!(listed.len(), 2, "the listed bans, including ended ones");
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
            "ban_added",
            "ban_added",
            "ban_revoked"
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn after_the_hourly_limit_bans_are_not_disclosed_at_creation() {
    let world = World::with(|_, settings| settings.ban_answers_per_hour = Some(2));
    let who = "who@example.com";
    bans::add(&world.app, &email(who), 365, None).await.unwrap();
    for expected in [false, false, true, true] {
        assert_eq!(world.open_for(who).await.is_ok(), expected);
    }
    let other = world.of_another_merchant();
    assert!(
        other.open_for(who).await.is_err(),
        "the limit of another merchant"
    );
    let order = world.open_for(who).await.unwrap();
    let state = world.pay(&order, "tok_1").await.unwrap();
    assert_eq!(
        (state.status, state.next),
        (StatusName::Refused, NextAction::None)
    );
    world.clock.advance(3600);
    assert!(
        world.open_for(who).await.is_err(),
        "the limit of the next hour"
    );
}

#[tokio::test(start_paused = true)]
async fn a_shopper_banned_before_paying_is_refused_without_a_psp_call() {
    let world = World::new();
    let order = world.open_for("late@example.com").await.unwrap();
    bans::add(&world.app, &email("late@example.com"), 365, None)
        .await
        .unwrap();
    let state = world.pay(&order, "tok_1").await.unwrap();
    assert_eq!(
        (state.status, state.next),
        (StatusName::Refused, NextAction::None)
    );
    assert_eq!(world.failure(&order).await, "global_ban");
    assert_eq!(world.psp.calls(), 0);
    assert_eq!(world.operations(&order), Vec::new());
    assert_eq!(world.events(&order), ["refused"]);
    let events = world.store.events_of(order.id);
    assert_eq!(events[0].event.retry_until, None, "final");
    assert_eq!(events[0].event.amount, eur(10_000));
}

#[tokio::test(start_paused = true)]
async fn a_hit_under_an_old_pepper_is_rewritten_under_the_first() {
    let world = World::new();
    let old = "p1:AwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwM=";
    let old = Peppers::new(&Keyring::parse(old).unwrap());
    let mut ban = world.build.ban([0; 32]);
    ban.hash = old.hashes(&email("old@example.com")).remove(0);
    let audit = world
        .build
        .audit(oncharge_domain::audit::AuditAction::BanAdded);
    let added = world.store.add(&ban, &old.fingerprints()[0], &audit);
    assert!(added.await.unwrap());
    assert!(world.open_for("old@example.com").await.is_err());
    let now = world.store.list().await.unwrap().remove(0).hash;
    assert_eq!(now.pepper.as_str(), "p2");
    assert!(
        world.open_for("old@example.com").await.is_err(),
        "the rehashed ban"
    );
}
