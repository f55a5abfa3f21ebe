//! Sealed values: old keys can be replaced, and a missing key is named.

use std::time::Duration;

use anyhow::{Context, ensure};
use oncharge_domain::text::{Contact, Email, Phone};
use oncharge_ports::unit_of_work::IdempotencyWrite;
use oncharge_testkit::Builder;

use crate::{
    Reopen, TestedStore,
    fixture::{Fixture, fingerprint, response},
    keyring,
};

/// An open store responds to a ping.
pub async fn ping_succeeds(store: &TestedStore) -> anyhow::Result<()> {
    store.maintenance.ping().await?;
    Ok(())
}

/// After resealing the old key can be removed: every value opens with the new key alone.
pub async fn resealed_values_open_under_the_new_key(store: &TestedStore) -> anyhow::Result<()> {
    let Some(reopen) = &store.reopen else {
        return Ok(());
    };
    let fixture = Fixture::new(store).await?;
    let mut session = fixture.build.session(&fixture.merchant);
    session.contact = Contact {
        email: Email::parse("shopper@example.com").ok(),
        phone: Phone::parse("+15551234567").ok(),
    };
    let attempt = fixture.build.attempt(&session, "tok_1");
    let scope = fixture.build.scope(&fixture.merchant, "k");
    let mut unit = fixture.build.unit(session.clone());
    unit.operations = vec![fixture.build.intent(attempt.clone())];
    unit.key = Some(IdempotencyWrite::ReserveAndComplete {
        scope: scope.clone(),
        fingerprint: fingerprint(),
        response: response("a secret"),
        at: fixture.build.now(),
    });
    fixture.commit(unit).await?;
    let request = fixture.store.checkout.request(attempt.id).await?;
    ensure!(request.is_some(), "the request was not stored");

    let notification = fixture.receive_notification("k").await?;
    let unverified = fixture
        .build
        .notification_of(&fixture.merchant.account, None);
    ensure!(
        store.inbox.receive(&unverified).await?,
        "an unverified notification was not stored"
    );

    let mut endpoint = fixture.build.endpoint(&fixture.merchant, &fixture.key);
    let secret = fixture.build.webhook_secret();
    endpoint.secrets = endpoint.secrets.rotated_to(secret, fixture.build.now());
    fixture.set(&endpoint).await?;

    let both = open(reopen, &[("b", 2), ("a", 1)]).await?;
    let resealed = both.maintenance.reseal().await?;
    // A signing key, two webhook secrets, an e-mail address, a phone number, a request, a response,
    // two notifications.
    ensure!(resealed >= 9, "only {resealed} values were resealed");
    ensure_eq!(
        both.maintenance.reseal().await?,
        0,
        "the number of values resealed by a second run"
    );

    let new = open(reopen, &[("b", 2)]).await?;
    ensure_eq!(
        new.checkout.session(session.id).await?,
        Some(session),
        "the session"
    );
    ensure_eq!(
        new.checkout.request(attempt.id).await?,
        request,
        "the request"
    );
    let record = new.checkout.key(&scope).await?.context("the key")?;
    ensure_eq!(record.response, Some(response("a secret")), "the response");
    let found = new.webhooks.endpoint(fixture.merchant.id).await?;
    ensure_eq!(found, Some(endpoint), "the endpoint");
    for kept in [notification, unverified] {
        let found = new.inbox.notification(kept.id).await?;
        ensure_eq!(found.map(|found| found.new), Some(kept), "the notification");
    }
    Ok(())
}

/// Resealing fails with the id of a key that a value needs and that is not configured.
pub async fn a_missing_key_is_named(store: &TestedStore) -> anyhow::Result<()> {
    let Some(reopen) = &store.reopen else {
        return Ok(());
    };
    Fixture::new(store).await?;
    let other = open(reopen, &[("b", 2)]).await?;
    let error = other.maintenance.reseal().await.unwrap_err();
    let cause = std::error::Error::source(&error).map(ToString::to_string);
    let cause = cause.unwrap_or_default();
    ensure!(cause.contains("\"a\""), "{error}: {cause}");
    Ok(())
}

/// More than one page holds.
const NOTIFICATIONS: u64 = 1100;

/// A reseal that is dropped midway leaves each value under one of the two keys; the next one
/// completes it.
pub async fn resealing_restarts_after_an_interruption(store: &TestedStore) -> anyhow::Result<()> {
    let Some(reopen) = &store.reopen else {
        return Ok(());
    };
    let build = Builder::new(1);
    let mut first = None;
    for number in 0..NOTIFICATIONS {
        let new = build.notification(&format!("k{number}"));
        ensure!(
            store.inbox.receive(&new).await?,
            "the notification was not stored"
        );
        first.get_or_insert(new);
    }
    let first = first.context("a notification")?;
    let both = open(reopen, &[("b", 2), ("a", 1)]).await?;
    // This may be anywhere, even at the end.
    let cut = Duration::from_millis(5);
    let cut = tokio::time::timeout(cut, both.maintenance.reseal()).await;
    let mut resealed = cut.unwrap_or(Ok(0))?;
    let found = both.inbox.notification(first.id).await?;
    ensure_eq!(
        found.map(|found| found.new),
        Some(first.clone()),
        "the notification with both keys"
    );
    resealed += both.maintenance.reseal().await?;
    ensure!(
        resealed <= NOTIFICATIONS,
        "{resealed} values resealed in one run"
    );
    ensure_eq!(
        both.maintenance.reseal().await?,
        0,
        "the number of values resealed by a second run"
    );
    drop(both);
    let new = open(reopen, &[("b", 2)]).await?;
    let found = new.inbox.notification(first.id).await?;
    ensure_eq!(
        found.map(|found| found.new),
        Some(first),
        "the notification under the new key"
    );
    Ok(())
}

async fn open(reopen: &Reopen, keys: &[(&str, u8)]) -> anyhow::Result<TestedStore> {
    reopen(keyring(keys)).await
}
