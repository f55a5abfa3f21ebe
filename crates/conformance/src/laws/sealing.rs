//! Keys at rest: the wrong ones are noticed, old ones can be replaced.

use anyhow::{Context, ensure};
use oncharge_domain::text::{Contact, Email, Phone};
use oncharge_ports::{Maintenance, unit_of_work::KeyWrite};
use oncharge_testkit::Builder;

use crate::{
    Reopen, Store, keyring,
    world::{World, answer, fingerprint},
};

/// A store that is open answers.
pub async fn the_store_answers(store: &Store) -> anyhow::Result<()> {
    store.maintenance.ping().await?;
    Ok(())
}

/// Any keys fit an empty store; once something is sealed, only those that open it.
pub async fn other_keys_do_not_fit(store: &Store) -> anyhow::Result<()> {
    let Some(reopen) = &store.reopen else {
        return Ok(());
    };
    ensure!(
        fits(&*store.maintenance).await?,
        "the keys of an empty store"
    );
    let other = reopen(keyring(&[("b", 2)])).await?;
    ensure!(
        fits(&*other.maintenance).await?,
        "other keys, nothing sealed yet"
    );
    drop(other);
    World::new(store).await?;
    ensure!(fits(&*store.maintenance).await?, "the keys that sealed it");
    let cases: [(&[(&str, u8)], bool); 4] = [
        (&[("b", 2), ("a", 1)], true),
        (&[("b", 2)], false),
        (&[("a", 2)], false),
        (&[("b", 1)], false),
    ];
    for (keys, wanted) in cases {
        let reopened = reopen(keyring(keys)).await?;
        same!(fits(&*reopened.maintenance).await?, wanted, "{keys:?}");
    }
    Ok(())
}

/// After resealing the old key can be thrown away: everything opens under the new one alone.
pub async fn resealed_values_open_under_the_new_key(store: &Store) -> anyhow::Result<()> {
    let Some(reopen) = &store.reopen else {
        return Ok(());
    };
    let world = World::new(store).await?;
    let mut session = world.build.session(&world.merchant);
    session.contact = Contact {
        email: Email::parse("shopper@example.com").ok(),
        phone: Phone::parse("+15551234567").ok(),
    };
    let attempt = world.build.attempt(&session, "tok_1");
    let scope = world.build.scope(&world.merchant, "k");
    let mut unit = world.build.unit(session.clone());
    unit.operations = vec![world.build.intent(attempt.clone())];
    unit.key = Some(KeyWrite::Answer {
        scope: scope.clone(),
        fingerprint: fingerprint(),
        answer: answer("a secret"),
        at: world.build.now(),
    });
    world.commit(unit).await?;
    let request = world.store.checkout.request(attempt.id).await?;
    ensure!(request.is_some(), "the request");

    let notification = world.notified("k").await?;
    let unverified = world.build.notification_of(&world.merchant.account, None);
    ensure!(store.inbox.receive(&unverified).await?, "an unverified one");

    let both = open(reopen, &[("b", 2), ("a", 1)]).await?;
    let resealed = both.maintenance.reseal().await?;
    // A signing key, an address, a number, a request, an answer, two notifications.
    ensure!(resealed >= 7, "{resealed} values were sealed anew");
    same!(both.maintenance.reseal().await?, 0, "nothing is left to do");

    let new = open(reopen, &[("b", 2)]).await?;
    ensure!(fits(&*new.maintenance).await?, "the new key alone");
    same!(
        new.checkout.session(session.id).await?,
        Some(session),
        "the session"
    );
    same!(
        new.checkout.request(attempt.id).await?,
        request,
        "the request"
    );
    let record = new.checkout.key(&scope).await?.context("the key")?;
    same!(record.answer, Some(answer("a secret")), "the answer");
    for kept in [notification, unverified] {
        let found = new.inbox.notification(kept.id).await?;
        same!(found.map(|found| found.new), Some(kept), "the notification");
    }
    ensure!(
        !fits(&*open(reopen, &[("a", 1)]).await?.maintenance).await?,
        "the old key"
    );
    Ok(())
}

/// A notification is sealed, too: where it is all that there is, its key is the one that must fit,
/// and the old key can be thrown away after it was resealed.
pub async fn a_notification_alone_needs_its_key(store: &Store) -> anyhow::Result<()> {
    let Some(reopen) = &store.reopen else {
        return Ok(());
    };
    let new = Builder::new(1).notification("k");
    ensure!(store.inbox.receive(&new).await?, "a new one");
    ensure!(fits(&*store.maintenance).await?, "the keys that sealed it");
    let other = open(reopen, &[("b", 2)]).await?;
    ensure!(!fits(&*other.maintenance).await?, "other keys");
    drop(other);
    let both = open(reopen, &[("b", 2), ("a", 1)]).await?;
    same!(both.maintenance.reseal().await?, 1, "resealed");
    drop(both);
    let other = open(reopen, &[("b", 2)]).await?;
    ensure!(fits(&*other.maintenance).await?, "the new key alone");
    let found = other.inbox.notification(new.id).await?;
    same!(found.map(|found| found.new), Some(new), "the notification");
    Ok(())
}

async fn open(reopen: &Reopen, keys: &[(&str, u8)]) -> anyhow::Result<Store> {
    reopen(keyring(keys)).await
}

async fn fits(maintenance: &dyn Maintenance) -> anyhow::Result<bool> {
    Ok(maintenance.keys_fit().await?)
}
