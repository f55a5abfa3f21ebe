//! Delivery attempts and redelivery of events.

use anyhow::{Context, ensure};
use oncharge_domain::{
    id::EventId,
    merchant::Merchant,
    webhook::{DeliveryAttempt, DeliveryOutcome, DeliveryState, EndpointChange, SendError},
};
use oncharge_ports::{
    CommitError,
    unit_of_work::{Lease, LeasedItem},
    webhook_repository::{AttemptRecord, Redelivery},
};

use crate::{
    TestedStore,
    fixture::{
        Fixture,
        webhooks::{EXPIRED, LONG},
    },
    generate::{self, Draw},
};

/// Attempts load as they were recorded, in order, and only those of their own event.
pub async fn attempts_load_equal(store: &TestedStore) -> anyhow::Result<()> {
    let (fixture, mut draw) = (Fixture::new(store).await?, Draw::new());
    fixture.endpoint().await?;
    let event = fixture.new_event(&fixture.merchant).await?;
    let errors = SendError::ALL.iter().map(|error| Err(*error));
    let statuses = [100, 301, 404, 429, 599, 999].map(Ok);
    let mut attempts = Vec::new();
    for response in errors.chain(statuses) {
        let lease = fixture
            .claim_delivery(event, fixture.build.now(), LONG)
            .await?;
        let delivery = fixture.delivery(event).await?;
        let attempt = DeliveryAttempt {
            at: draw.one(generate::instant()),
            latency_ms: [0, 10_000, i32::MAX.unsigned_abs()][attempts.len() % 3],
            response: draw.one(generate::text(255)),
            ..fixture.build.delivery_attempt(&delivery, response)
        };
        let mut after = delivery.clone();
        after.attempts = attempt.number;
        after.failures = attempt.number.min(9);
        let attempt_record = AttemptRecord {
            lease,
            attempt: Some(attempt.clone()),
            after: DeliveryOutcome {
                delivery: after.clone(),
                next_try_at: Some(fixture.build.now()),
                endpoint: EndpointChange::None,
            },
            failing_since: None,
            at: fixture.build.now(),
            audit: None,
        };
        store.webhooks.record(&attempt_record).await?;
        attempts.push(attempt);
        ensure_eq!(fixture.delivery(event).await?, after, "the delivery");
        ensure_eq!(
            store.webhooks.attempts(event).await?,
            attempts,
            "the attempts"
        );
    }
    let done = fixture.attempt(event, Ok(200)).await?;
    ensure_eq!(
        done.state,
        DeliveryState::Delivered,
        "the state after the last attempt"
    );
    let other = fixture.new_event(&fixture.merchant).await?;
    ensure_eq!(
        store.webhooks.attempts(other).await?,
        [],
        "the attempts of another event"
    );
    Ok(())
}

/// Under a lease that has expired, belongs to another worker, was released or never existed,
/// nothing is written: neither the attempt nor its consequences. An attempt is recorded only once.
pub async fn a_lost_lease_cannot_record(store: &TestedStore) -> anyhow::Result<()> {
    let fixture = Fixture::new(store).await?;
    fixture.endpoint().await?;
    let event = fixture.new_event(&fixture.merchant).await?;
    let (now, webhooks) = (fixture.build.now(), &store.webhooks);
    let over = fixture.claim_delivery(event, now, EXPIRED).await?;
    refused(&fixture, event, over).await?;
    let held = fixture.claim_delivery(event, now, LONG).await?;
    refused(&fixture, event, over).await?;
    let unknown_lease = Lease {
        item: LeasedItem::Delivery(event),
        token: fixture.build.id(),
    };
    refused(&fixture, event, unknown_lease).await?;
    store.queue.release(held, now).await?;
    refused(&fixture, event, held).await?;

    let held = fixture.claim_delivery(event, now, LONG).await?;
    let delivery = fixture.delivery(event).await?;
    let attempt_record = fixture.build.attempt_record(held, &delivery, Ok(500), None);
    webhooks.record(&attempt_record).await?;
    ensure_err!(
        webhooks.record(&attempt_record).await,
        CommitError::LeaseLost,
        "a second record under the same lease"
    );
    ensure_eq!(
        webhooks.attempts(event).await?.len(),
        1,
        "the number of attempts"
    );
    let endpoint = webhooks
        .endpoint(fixture.merchant.id)
        .await?
        .context("the endpoint")?;
    ensure_eq!(
        endpoint.failing_since,
        Some(now),
        "failing_since after one failure"
    );
    Ok(())
}

/// Under this lease, even an attempt that disables the endpoint writes nothing.
async fn refused(fixture: &Fixture, event: EventId, lease: Lease) -> anyhow::Result<()> {
    let before = fixture.outgoing(event).await?.context("a delivery")?;
    let webhooks = &fixture.store.webhooks;
    for response in [Ok(200), Ok(410), Err(SendError::Tls)] {
        let attempt_record = fixture
            .build
            .attempt_record(lease, &before.delivery, response, None);
        ensure_err!(
            webhooks.record(&attempt_record).await,
            CommitError::LeaseLost,
            "{response:?} {lease:?}"
        );
        let given_up = webhooks
            .record(
                &fixture
                    .build
                    .record_without_attempt(lease, &before.delivery),
            )
            .await;
        ensure_err!(
            given_up,
            CommitError::LeaseLost,
            "a record without an attempt, {lease:?}"
        );
        ensure_eq!(
            fixture.outgoing(event).await?,
            Some(before.clone()),
            "the delivery after records under a lost lease"
        );
        ensure_eq!(
            webhooks.attempts(event).await?,
            [],
            "attempts under a lost lease"
        );
    }
    Ok(())
}

async fn redeliver(
    fixture: &Fixture,
    merchant: &Merchant,
    event: EventId,
) -> anyhow::Result<Redelivery> {
    let now = fixture.build.now();
    Ok(fixture
        .store
        .webhooks
        .redeliver(merchant.id, event, now)
        .await?)
}

/// Records ten failures, each when it is due; other deliveries that become due stay leased.
async fn fail_until_dead(fixture: &Fixture, event: EventId) -> anyhow::Result<()> {
    for number in 1..=10 {
        let after = fixture.attempt(event, Ok(503)).await?;
        ensure_eq!(
            (after.attempts, after.failures),
            (number, number),
            "failures"
        );
        // Longer than any retry delay.
        fixture.build.advance(13 * 3600);
    }
    let state = fixture.delivery(event).await?.state;
    ensure_eq!(state, DeliveryState::Dead, "after ten failures");
    Ok(())
}

/// A delivery that was delivered, is dead, is being retried or never existed is sent to the current
/// endpoint at once; earlier attempts are kept, and all retries are available again.
pub async fn a_redelivered_event_is_sent_again(store: &TestedStore) -> anyhow::Result<()> {
    let fixture = Fixture::new(store).await?;
    let undelivered = fixture.new_event(&fixture.merchant).await?;
    fixture.endpoint().await?;
    let (taken, retried) = (
        fixture.new_event(&fixture.merchant).await?,
        fixture.new_event(&fixture.merchant).await?,
    );
    let claimed = fixture.claim_deliveries(fixture.build.now(), LONG).await?;
    let lease = |event| crate::fixture::webhooks::lease_of(&claimed, event);
    fixture.record(taken, lease(taken)?, Ok(200)).await?;
    fixture.record(retried, lease(retried)?, Ok(500)).await?;
    let dead = fixture.new_event(&fixture.merchant).await?;
    fail_until_dead(&fixture, dead).await?;
    let url = "https://new.example.com/hook";
    let endpoint = fixture
        .endpoint_at(&fixture.merchant, &fixture.key, url)
        .await?;
    fixture.build.advance(1000);
    for (event, attempts) in [(taken, 1), (dead, 10), (undelivered, 0)] {
        ensure_eq!(
            redeliver(&fixture, &fixture.merchant, event).await?,
            Redelivery::Due,
            "the redelivery of {event}"
        );
        let delivery = fixture.delivery(event).await?;
        ensure_eq!(delivery.state, DeliveryState::Pending, "the state");
        ensure_eq!(
            (delivery.attempts, delivery.failures),
            (attempts, 0),
            "the attempts and failures of {event}"
        );
        let round = u32::from(event != undelivered);
        ensure_eq!(delivery.round, round, "the round of {event}");
        ensure_eq!(delivery.url, endpoint.url, "the URL of {event}");
        ensure_eq!(delivery.sequence, 1, "the sequence number of {event}");
        let micro = time::Duration::microseconds(-1);
        let early = fixture
            .claimable_events(fixture.build.now().plus(micro))
            .await?;
        ensure!(!early.contains(&event), "claimable before: {event}");
        let after = fixture.attempt(event, Ok(200)).await?;
        ensure_eq!(
            (after.state, after.attempts),
            (DeliveryState::Delivered, attempts + 1),
            "the delivery of {event}"
        );
        ensure_eq!(
            store.webhooks.attempts(event).await?.len(),
            after.attempts as usize,
            "the number of stored attempts of {event}"
        );
    }
    ensure_eq!(
        redeliver(&fixture, &fixture.merchant, retried).await?,
        Redelivery::Due,
        "the redelivery of a delivery that is being retried"
    );
    let delivery = fixture.delivery(retried).await?;
    ensure_eq!(
        (delivery.failures, delivery.url),
        (0, endpoint.url),
        "the failures and URL of the delivery that was being retried"
    );
    Ok(())
}

/// Nothing is redelivered without an enabled endpoint, nor for another merchant.
pub async fn a_redelivery_needs_its_event_and_an_endpoint(
    store: &TestedStore,
) -> anyhow::Result<()> {
    let fixture = Fixture::new(store).await?;
    let (other, other_key) = fixture.other_merchant_with_key().await?;
    fixture
        .endpoint_at(&other, &other_key, "https://other.example.com/hook")
        .await?;
    let undelivered = fixture.new_event(&fixture.merchant).await?;
    let unknown = fixture.build.id();
    let mine = &fixture.merchant;
    ensure_eq!(
        redeliver(&fixture, mine, undelivered).await?,
        Redelivery::NoEndpoint,
        "a redelivery without an endpoint"
    );
    fixture.endpoint().await?;
    let taken = fixture.new_event(mine).await?;
    fixture.attempt(taken, Ok(200)).await?;
    ensure_eq!(
        redeliver(&fixture, mine, unknown).await?,
        Redelivery::NotFound,
        "an unknown event"
    );
    for event in [undelivered, taken] {
        ensure_eq!(
            redeliver(&fixture, &other, event).await?,
            Redelivery::NotFound,
            "a redelivery of another merchant's event"
        );
    }
    fixture.disabled_endpoint().await?;
    ensure_eq!(
        redeliver(&fixture, mine, taken).await?,
        Redelivery::NoEndpoint,
        "a redelivery to a disabled endpoint"
    );
    ensure_eq!(
        fixture.delivery(taken).await?.state,
        DeliveryState::Delivered,
        "the state of a delivered delivery"
    );
    ensure_eq!(
        fixture.outgoing(undelivered).await?,
        None,
        "the delivery of an event without an endpoint"
    );
    ensure_eq!(
        fixture.claimable_events(fixture.build.now()).await?,
        [],
        "the claimable events"
    );
    Ok(())
}

/// An attempt in progress continues, keeps its lease, and is recorded.
pub async fn a_redelivery_keeps_the_running_attempt(store: &TestedStore) -> anyhow::Result<()> {
    let fixture = Fixture::new(store).await?;
    fixture.endpoint().await?;
    let now = fixture.build.now();
    for response in [Ok(200), Ok(500)] {
        let event = fixture.new_event(&fixture.merchant).await?;
        let lease = fixture.claim_delivery(event, now, LONG).await?;
        let before = fixture.delivery(event).await?;
        ensure_eq!(
            redeliver(&fixture, &fixture.merchant, event).await?,
            Redelivery::Due,
            "{event}"
        );
        let again = fixture.claimable_events(now).await?;
        ensure!(
            !again.contains(&event),
            "a delivery with an attempt in progress is claimed"
        );
        ensure_eq!(
            store.queue.renew(lease, LONG).await?,
            true,
            "the renewal of the lease of the attempt in progress"
        );
        let attempt_record = fixture.build.attempt_record(lease, &before, response, None);
        store.webhooks.record(&attempt_record).await?;
        ensure_eq!(
            fixture.delivery(event).await?.attempts,
            1,
            "the number of attempts after {response:?}"
        );
        ensure_eq!(
            Some(store.webhooks.attempts(event).await?),
            attempt_record.attempt.map(|attempt| vec![attempt]),
            "the attempt"
        );
    }
    Ok(())
}
