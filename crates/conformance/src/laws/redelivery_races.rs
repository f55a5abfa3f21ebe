//! An attempt in progress does not undo concurrent changes by the merchant or another attempt.

use anyhow::{Context, ensure};
use oncharge_domain::{
    audit::AuditAction,
    id::EventId,
    time::Timestamp,
    webhook::{Delivery, DeliveryState, DisableReason, EndpointChange, WebhookEndpoint},
};
use oncharge_ports::{
    unit_of_work::Lease,
    webhook_repository::{AttemptRecord, Redelivery},
};

use crate::{
    TestedStore,
    fixture::{
        Fixture,
        webhooks::{EXPIRED, LONG, any, lease_of},
    },
};

const ELSEWHERE: &str = "https://elsewhere.example.com/hook";
const FIVE_DAYS: i64 = 5 * 86_400;

async fn redeliver(fixture: &Fixture, event: EventId) -> anyhow::Result<()> {
    let (merchant, now) = (fixture.merchant.id, fixture.build.now());
    let done = fixture
        .store
        .webhooks
        .redeliver(merchant, event, now)
        .await?;
    ensure_eq!(done, Redelivery::Due, "a redelivery of {event}");
    Ok(())
}

/// Claims the delivery, and reads it as a worker does.
async fn begin(fixture: &Fixture, event: EventId) -> anyhow::Result<(Lease, Delivery)> {
    let lease = fixture
        .claim_delivery(event, fixture.build.now(), LONG)
        .await?;
    Ok((lease, fixture.delivery(event).await?))
}

/// The delivery waits for the first attempt of its second round, and can be claimed at once.
async fn ensure_pending_again(
    fixture: &Fixture,
    event: EventId,
    attempts: u32,
) -> anyhow::Result<()> {
    let delivery = fixture.delivery(event).await?;
    ensure_eq!(
        (delivery.state, delivery.attempts, delivery.failures),
        (DeliveryState::Pending, attempts, 0),
        "the delivery after its redelivery"
    );
    let claimable_events = fixture.claimable_events(fixture.build.now()).await?;
    ensure!(
        claimable_events.contains(&event),
        "a redelivered event is not claimable"
    );
    Ok(())
}

/// Whatever the result of the attempt in progress, it is recorded, and the event is sent again:
/// also if it was the tenth failure, a success, or not made because the endpoint was gone.
pub async fn a_redelivery_survives_the_running_attempt(store: &TestedStore) -> anyhow::Result<()> {
    let fixture = Fixture::new(store).await?;
    fixture.endpoint().await?;
    let last = fixture.new_event(&fixture.merchant).await?;
    for _ in 0..9 {
        fixture.attempt(last, Ok(500)).await?;
        // Longer than any retry delay.
        fixture.build.advance(13 * 3600);
    }
    let (lease, before) = begin(&fixture, last).await?;
    redeliver(&fixture, last).await?;
    let tenth = fixture.build.attempt_record(lease, &before, Ok(500), None);
    ensure_eq!(
        tenth.after.delivery.state,
        DeliveryState::Dead,
        "the state after the tenth failure"
    );
    store.webhooks.record(&tenth).await?;
    ensure_pending_again(&fixture, last, 10).await?;
    let kept = store.webhooks.attempts(last).await?;
    ensure_eq!(kept.len(), 10, "the number of stored attempts");
    let after = fixture.attempt(last, Ok(200)).await?;
    ensure_eq!(
        (after.state, after.attempts),
        (DeliveryState::Delivered, 11),
        "the delivery after its new attempt"
    );

    let taken = fixture.new_event(&fixture.merchant).await?;
    let (lease, before) = begin(&fixture, taken).await?;
    redeliver(&fixture, taken).await?;
    let attempt_record = fixture.build.attempt_record(lease, &before, Ok(200), None);
    store.webhooks.record(&attempt_record).await?;
    ensure_pending_again(&fixture, taken, 1).await?;
    fixture.attempt(taken, Ok(200)).await?;

    let given_up = fixture.new_event(&fixture.merchant).await?;
    let (lease, before) = begin(&fixture, given_up).await?;
    redeliver(&fixture, given_up).await?;
    store
        .webhooks
        .record(&fixture.build.record_without_attempt(lease, &before))
        .await?;
    ensure_pending_again(&fixture, given_up, 0).await
}

/// A 410 from the old URL does not affect the new one: the redelivery is sent there. If the URL is
/// unchanged, the redelivery ends with the endpoint.
pub async fn a_redelivery_survives_a_url_change(store: &TestedStore) -> anyhow::Result<()> {
    let fixture = Fixture::new(store).await?;
    fixture.endpoint().await?;
    let event = fixture.new_event(&fixture.merchant).await?;
    let (lease, before) = begin(&fixture, event).await?;
    let moved = fixture
        .endpoint_at(&fixture.merchant, &fixture.key, ELSEWHERE)
        .await?;
    redeliver(&fixture, event).await?;
    let gone = fixture.build.attempt_record(lease, &before, Ok(410), None);
    store.webhooks.record(&gone).await?;
    ensure_pending_again(&fixture, event, 1).await?;
    ensure_eq!(
        fixture.delivery(event).await?.url,
        moved.url,
        "the URL of the delivery"
    );
    let endpoint = store.webhooks.endpoint(fixture.merchant.id).await?;
    ensure_eq!(
        endpoint,
        Some(moved),
        "the endpoint after the 410 response of the old URL"
    );

    let (lease, before) = begin(&fixture, event).await?;
    redeliver(&fixture, event).await?;
    let gone = fixture.build.attempt_record(lease, &before, Ok(410), None);
    store.webhooks.record(&gone).await?;
    let state = fixture.delivery(event).await?.state;
    ensure_eq!(
        state,
        DeliveryState::Dead,
        "the state after a 410 response of its own URL"
    );
    ensure_eq!(
        store.webhooks.attempts(event).await?.len(),
        2,
        "the number of stored attempts"
    );
    Ok(())
}

/// A redelivery concurrent with the record of an attempt, many times: whichever comes first, the
/// attempt is recorded and the event is sent again.
pub async fn a_redelivery_survives_a_concurrent_record(store: &TestedStore) -> anyhow::Result<()> {
    let fixture = Fixture::new(store).await?;
    fixture.endpoint().await?;
    let mut events = Vec::new();
    for _ in 0..24 {
        events.push(fixture.new_event(&fixture.merchant).await?);
    }
    let now = fixture.build.now();
    let claimed = store.queue.claim_deliveries(now, &any(), LONG).await?;
    let mut tasks = tokio::task::JoinSet::new();
    for (number, event) in events.iter().copied().enumerate() {
        let response = Ok([200, 500][number / 2 % 2]);
        let attempt_record = fixture.build.attempt_record(
            lease_of(&claimed, event)?,
            &fixture.delivery(event).await?,
            response,
            None,
        );
        let (recording, redelivering) = (store.webhooks.clone(), store.webhooks.clone());
        let merchant = fixture.merchant.id;
        let record = async move { anyhow::Ok(recording.record(&attempt_record).await?) };
        let redeliver = async move {
            redelivering.redeliver(merchant, event, now).await?;
            Ok(())
        };
        // Each is spawned first in turn, also for a runtime that runs tasks one by one.
        if number % 2 == 0 {
            tasks.spawn(record);
            tasks.spawn(redeliver);
        } else {
            tasks.spawn(redeliver);
            tasks.spawn(record);
        }
    }
    for done in tasks.join_all().await {
        done?;
    }
    for event in events {
        ensure_pending_again(&fixture, event, 1).await?;
        ensure_eq!(
            store.webhooks.attempts(event).await?.len(),
            1,
            "the number of stored attempts of {event}"
        );
    }
    Ok(())
}

/// Removing or disabling an endpoint ends its open deliveries, but not the attempts in progress:
/// those keep their leases and are recorded, and dead deliveries stay dead.
pub async fn an_attempt_is_recorded_after_its_delivery_ends(
    store: &TestedStore,
) -> anyhow::Result<()> {
    let fixture = Fixture::new(store).await?;
    let later = fixture.build.now().plus_seconds(1_000_000);
    for removed in [true, false] {
        fixture.endpoint().await?;
        let mut begun = Vec::new();
        for response in [Ok(200), Ok(500)] {
            let event = fixture.new_event(&fixture.merchant).await?;
            begun.push((event, begin(&fixture, event).await?, response));
        }
        if removed {
            ensure_eq!(
                fixture.remove(&fixture.merchant).await?,
                true,
                "whether the endpoint was removed"
            );
        } else {
            let gone = fixture.new_event(&fixture.merchant).await?;
            fixture.attempt(gone, Ok(410)).await?;
        }
        for (event, (lease, before), response) in begun {
            ensure_eq!(
                store.queue.renew(lease, LONG).await?,
                true,
                "the renewal of the lease of the attempt in progress"
            );
            let attempt_record = fixture.build.attempt_record(lease, &before, response, None);
            store.webhooks.record(&attempt_record).await?;
            let after = fixture.delivery(event).await?;
            ensure_eq!(
                (after.state, after.attempts, after.failures),
                (DeliveryState::Dead, 1, 0),
                "the delivery after {response:?}"
            );
            let kept = store.webhooks.attempts(event).await?;
            ensure_eq!(
                Some(kept),
                attempt_record.attempt.map(|one| vec![one]),
                "the stored attempts"
            );
            ensure_eq!(
                store.queue.renew(lease, LONG).await?,
                false,
                "the renewal of a released lease"
            );
        }
        ensure_eq!(
            fixture.claimable_events(later).await?,
            [],
            "the claimable events"
        );
    }
    // A dead delivery with a lease is claimed again once it is redelivered and the lease has ended.
    fixture.endpoint().await?;
    let event = fixture.new_event(&fixture.merchant).await?;
    let (lease, before) = begin(&fixture, event).await?;
    fixture.remove(&fixture.merchant).await?;
    fixture.endpoint().await?;
    redeliver(&fixture, event).await?;
    ensure_eq!(
        fixture.claimable_events(later).await?,
        [],
        "the claimable events while the lease is held"
    );
    let attempt_record = fixture.build.attempt_record(lease, &before, Ok(500), None);
    store.webhooks.record(&attempt_record).await?;
    ensure_pending_again(&fixture, event, 1).await
}

/// An attempt disables the endpoint only if `failing_since` is still as it was read: not if the
/// endpoint was set or has recovered meanwhile, even if it has failed again since.
pub async fn a_recovered_endpoint_is_not_disabled(store: &TestedStore) -> anyhow::Result<()> {
    let fixture = Fixture::new(store).await?;
    let start = fixture.build.now();
    fixture.build.advance(FIVE_DAYS);
    let since_then = Some(fixture.build.now().plus_seconds(-1));
    for (present, is_given_up) in [(None, false), (since_then, false), (Some(start), true)] {
        let failing = |failing_since| WebhookEndpoint {
            failing_since,
            ..fixture.build.endpoint(&fixture.merchant, &fixture.key)
        };
        fixture.set(&failing(Some(start))).await?;
        let (event, other) = (
            fixture.new_event(&fixture.merchant).await?,
            fixture.new_event(&fixture.merchant).await?,
        );
        let (lease, before) = begin(&fixture, event).await?;
        fixture.set(&failing(present)).await?;
        let attempt_record = giving_up(&fixture, lease, &before, start)?;
        store.webhooks.record(&attempt_record).await?;
        let (disabled, state) = if is_given_up {
            (Some(DisableReason::Failing), DeliveryState::Dead)
        } else {
            (None, DeliveryState::Pending)
        };
        let found = store.webhooks.endpoint(fixture.merchant.id).await?;
        let found = found.context("the endpoint")?;
        ensure_eq!(
            (
                found.disabled.map(|disabled| disabled.reason),
                found.failing_since
            ),
            (disabled, present),
            "the endpoint, failing since {present:?}"
        );
        let after = fixture.delivery(event).await?;
        ensure_eq!(
            (after.state, after.failures),
            (state, 1),
            "the delivery of the recorded attempt"
        );
        ensure_eq!(
            fixture.delivery(other).await?.state,
            state,
            "the state of another delivery"
        );
        let next = fixture.build.now().plus_seconds(60);
        let mut early = store.queue.claim_deliveries(next, &any(), EXPIRED).await?;
        early.retain(|claim| claim.event == event);
        ensure_eq!(
            early.len(),
            usize::from(!is_given_up),
            "the number of claimable retries"
        );
    }
    Ok(())
}

/// The record of a failure that disables the endpoint, by the `failing_since` that was read before
/// it.
fn giving_up(
    fixture: &Fixture,
    lease: Lease,
    delivery: &Delivery,
    failing_since: Timestamp,
) -> anyhow::Result<AttemptRecord> {
    let attempt_record = AttemptRecord {
        audit: Some(fixture.build.audit(AuditAction::EndpointDisabled)),
        ..fixture
            .build
            .attempt_record(lease, delivery, Ok(500), Some(failing_since))
    };
    let disables = EndpointChange::Disabled(DisableReason::Failing);
    ensure_eq!(
        attempt_record.after.endpoint,
        disables,
        "the effect of failures over five days on the endpoint"
    );
    Ok(attempt_record)
}
