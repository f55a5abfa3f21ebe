//! Webhook endpoints: one per merchant, and their failures.

use anyhow::Context;
use oncharge_domain::{
    audit::AuditAction,
    merchant::Merchant,
    time::Timestamp,
    webhook::{
        DeliveryState, DisableReason, DisabledState, EndpointChange, SendError, WebhookEndpoint,
    },
};
use oncharge_ports::webhook_repository::AttemptRecord;
use oncharge_testkit::build::endpoint_url;

use crate::{
    TestedStore,
    fixture::{
        Fixture,
        webhooks::{LONG, lease_of, sorted},
    },
    generate::{self, Draw},
};

const ELSEWHERE: &str = "https://elsewhere.example.com/hook";

pub(super) async fn endpoint_of(
    fixture: &Fixture,
    merchant: &Merchant,
) -> anyhow::Result<Option<WebhookEndpoint>> {
    Ok(fixture.store.webhooks.endpoint(merchant.id).await?)
}

/// An endpoint with other values for everything that can change, in one of two variants.
fn drawn_endpoint(
    fixture: &Fixture,
    draw: &mut Draw,
    is_failing: bool,
    reason: Option<DisableReason>,
) -> WebhookEndpoint {
    let new = fixture.build.endpoint(&fixture.merchant, &fixture.key);
    let secrets = if is_failing {
        new.secrets.clone()
    } else {
        let secret = fixture.build.webhook_secret();
        new.secrets
            .rotated_to(secret, draw.one(generate::instant()))
    };
    WebhookEndpoint {
        secrets,
        disabled: reason.map(|reason| DisabledState {
            reason,
            at: draw.one(generate::instant()),
        }),
        failing_since: is_failing.then(|| draw.one(generate::instant())),
        updated_at: draw.one(generate::instant()),
        ..new
    }
}

/// Endpoints load as they were set, except `created_at`, which keeps its first value.
pub async fn endpoints_load_equal(store: &TestedStore) -> anyhow::Result<()> {
    let (fixture, mut draw) = (Fixture::new(store).await?, Draw::new());
    let (other, other_key) = fixture.other_merchant_with_key().await?;
    ensure_eq!(
        endpoint_of(&fixture, &fixture.merchant).await?,
        None,
        "before the first write"
    );
    let first = WebhookEndpoint {
        created_at: draw.one(generate::instant()),
        ..fixture.build.endpoint(&fixture.merchant, &fixture.key)
    };
    ensure_eq!(fixture.set(&first).await?, first, "the endpoint as written");
    let long = format!("https://shop.example.com/?q={}", "ä".repeat(2020));
    let urls = ["https://a.example.com:8443/'%00\"?x=%26&y=%3D?", &long];
    let disabled = [
        None,
        Some(DisableReason::Gone),
        Some(DisableReason::Failing),
    ];
    for (number, reason) in disabled.into_iter().cycle().take(6).enumerate() {
        fixture.build.advance(1);
        let next = WebhookEndpoint {
            id: first.id,
            version: u32::try_from(number)? + 2,
            url: endpoint_url(urls[number % 2]),
            ..drawn_endpoint(&fixture, &mut draw, number % 2 == 0, reason)
        };
        let wanted = WebhookEndpoint {
            created_at: first.created_at,
            ..next.clone()
        };
        ensure_eq!(fixture.set(&next).await?, wanted, "the endpoint as written");
        ensure_eq!(
            endpoint_of(&fixture, &fixture.merchant).await?,
            Some(wanted),
            "the endpoint as loaded"
        );
        ensure_eq!(
            endpoint_of(&fixture, &other).await?,
            None,
            "another merchant's endpoint"
        );
    }
    let theirs = fixture.endpoint_at(&other, &other_key, ELSEWHERE).await?;
    ensure_eq!(fixture.remove(&fixture.merchant).await?, true, "is removed");
    ensure_eq!(
        fixture.remove(&fixture.merchant).await?,
        false,
        "whether the endpoint was removed a second time"
    );
    ensure_eq!(
        endpoint_of(&fixture, &fixture.merchant).await?,
        None,
        "the removed endpoint"
    );
    ensure_eq!(
        endpoint_of(&fixture, &other).await?,
        Some(theirs),
        "another merchant's endpoint"
    );
    let anew = fixture.endpoint().await?;
    ensure_eq!(
        anew.created_at,
        fixture.build.now(),
        "created_at of an endpoint that was set after a removal"
    );
    Ok(())
}

/// All open deliveries of this merchant end with its endpoint, and no other merchant's; they are
/// not claimed any more.
pub async fn removing_an_endpoint_ends_its_deliveries(store: &TestedStore) -> anyhow::Result<()> {
    let fixture = Fixture::new(store).await?;
    let (other, other_key) = fixture.other_merchant_with_key().await?;
    fixture
        .endpoint_at(&fixture.merchant, &fixture.key, ELSEWHERE)
        .await?;
    let to_old_url = fixture.new_event(&fixture.merchant).await?;
    let done = fixture.new_event(&fixture.merchant).await?;
    fixture.attempt(done, Ok(204)).await?;
    let endpoint = fixture.endpoint().await?;
    let open = fixture.new_event(&fixture.merchant).await?;
    fixture
        .endpoint_at(&other, &other_key, endpoint.url.as_str())
        .await?;
    let theirs = fixture.new_event(&other).await?;
    let now = fixture.build.now();
    ensure_eq!(
        fixture.remove(&other).await?,
        true,
        "whether the other merchant's endpoint was removed"
    );
    ensure_eq!(
        fixture.delivery(open).await?.state,
        DeliveryState::Pending,
        "the state of the merchant's own delivery"
    );
    ensure_eq!(
        fixture.delivery(theirs).await?.state,
        DeliveryState::Dead,
        "the state of the other merchant's delivery"
    );

    ensure_eq!(
        fixture.remove(&fixture.merchant).await?,
        true,
        "whether the merchant's own endpoint was removed"
    );
    for (event, state) in [
        (open, DeliveryState::Dead),
        (to_old_url, DeliveryState::Dead),
        (done, DeliveryState::Delivered),
    ] {
        let outgoing = fixture.outgoing(event).await?.context("a delivery")?;
        ensure_eq!(
            (outgoing.delivery.state, outgoing.endpoint),
            (state, None),
            "the state and endpoint of the merchant's own delivery"
        );
    }
    let later = now.plus_seconds(1_000_000);
    ensure_eq!(
        fixture.claimable_events(later).await?,
        [],
        "the claimable events"
    );
    Ok(())
}

/// After a 410, or five days of failures, the endpoint is disabled and its open deliveries are
/// dead. Deliveries to other URLs continue, also to the same URL for another merchant.
pub async fn disabling_an_endpoint_ends_its_deliveries(store: &TestedStore) -> anyhow::Result<()> {
    let fixture = Fixture::new(store).await?;
    let (other, other_key) = fixture.other_merchant_with_key().await?;
    fixture
        .endpoint_at(&fixture.merchant, &fixture.key, ELSEWHERE)
        .await?;
    let to_old_url = fixture.new_event(&fixture.merchant).await?;
    let endpoint = fixture.endpoint().await?;
    let (gone, open) = (
        fixture.new_event(&fixture.merchant).await?,
        fixture.new_event(&fixture.merchant).await?,
    );
    let done = fixture.new_event(&fixture.merchant).await?;
    fixture
        .endpoint_at(&other, &other_key, endpoint.url.as_str())
        .await?;
    let theirs = fixture.new_event(&other).await?;
    let now = fixture.build.now();
    let claimed = fixture.claim_deliveries(now, LONG).await?;
    let lease = |event| lease_of(&claimed, event);
    fixture.record(done, lease(done)?, Ok(200)).await?;
    let delivery = fixture.delivery(gone).await?;
    let attempt_record = AttemptRecord {
        audit: Some(fixture.build.audit(AuditAction::EndpointDisabled)),
        ..fixture
            .build
            .attempt_record(lease(gone)?, &delivery, Ok(410), None)
    };
    store.webhooks.record(&attempt_record).await?;

    let disabled = WebhookEndpoint {
        disabled: Some(fixture.gone()),
        ..endpoint.clone()
    };
    let found = endpoint_of(&fixture, &fixture.merchant).await?;
    ensure_eq!(found, Some(disabled), "the disabled state of the endpoint");
    for (event, state) in [
        (gone, DeliveryState::Dead),
        (open, DeliveryState::Dead),
        (done, DeliveryState::Delivered),
        (to_old_url, DeliveryState::Pending),
        (theirs, DeliveryState::Pending),
    ] {
        ensure_eq!(
            fixture.delivery(event).await?.state,
            state,
            "the state of the delivery of {event}"
        );
    }
    ensure_eq!(
        store.webhooks.attempts(gone).await?.len(),
        1,
        "the number of attempts of the event that disabled the endpoint"
    );
    for event in [open, to_old_url, theirs] {
        ensure_eq!(
            store.queue.renew(lease(event)?, LONG).await?,
            true,
            "the renewal of the lease of the attempt in progress"
        );
    }
    let theirs = endpoint_of(&fixture, &other)
        .await?
        .context("the other's")?;
    ensure_eq!(
        theirs.disabled,
        None,
        "the disabled state of the other merchant's endpoint"
    );
    Ok(())
}

/// Failure and recovery apply to the URL that an attempt was sent to: an endpoint that has another
/// URL by now is not changed. `failing_since` is the time of the first failure.
pub async fn endpoint_failures_are_tracked_per_url(store: &TestedStore) -> anyhow::Result<()> {
    let fixture = Fixture::new(store).await?;
    fixture.endpoint().await?;
    let start = fixture.build.now();
    let failing = async || -> anyhow::Result<Option<Timestamp>> {
        let found = endpoint_of(&fixture, &fixture.merchant).await?;
        Ok(found.context("the endpoint")?.failing_since)
    };
    let events = [
        fixture.new_event(&fixture.merchant).await?,
        fixture.new_event(&fixture.merchant).await?,
        fixture.new_event(&fixture.merchant).await?,
    ];
    let claimed = fixture.claim_deliveries(start, LONG).await?;
    ensure_eq!(claimed.len(), 3, "the number of claims");
    let record = async |index: usize, response, known: Option<Timestamp>| -> anyhow::Result<()> {
        let lease = lease_of(&claimed, events[index])?;
        let delivery = fixture.delivery(events[index]).await?;
        let attempt_record = fixture
            .build
            .attempt_record(lease, &delivery, response, known);
        Ok(store.webhooks.record(&attempt_record).await?)
    };
    record(0, Ok(500), None).await?;
    ensure_eq!(failing().await?, Some(start), "the first failure");
    fixture.build.advance(5);
    // This attempt was read before the first failure was recorded: both were in progress at once.
    record(1, Err(SendError::Timeout), None).await?;
    ensure_eq!(failing().await?, Some(start), "a second failure");
    fixture
        .endpoint_at(&fixture.merchant, &fixture.key, ELSEWHERE)
        .await?;
    ensure_eq!(failing().await?, None, "a new URL");
    fixture.build.advance(60);
    let again = fixture.claim_deliveries(fixture.build.now(), LONG).await?;
    let lease = lease_of(&again, events[0])?;
    let late = fixture.record(events[0], lease, Ok(500)).await?;
    ensure_eq!(
        (late.attempts, late.failures),
        (2, 2),
        "the attempts and failures after a failure at the old URL"
    );
    ensure_eq!(failing().await?, None, "after a failure at the old URL");
    let endpoint = WebhookEndpoint {
        failing_since: Some(start),
        url: endpoint_url(ELSEWHERE),
        ..fixture.build.endpoint(&fixture.merchant, &fixture.key)
    };
    fixture.set(&endpoint).await?;
    record(2, Ok(200), Some(start)).await?;
    ensure_eq!(failing().await?, Some(start), "success at the old URL");
    let gone = lease_of(&again, events[1])?;
    let delivery = fixture.delivery(events[1]).await?;
    let attempt_record = fixture.build.attempt_record(gone, &delivery, Ok(410), None);
    let disables = EndpointChange::Disabled(DisableReason::Gone);
    ensure_eq!(attempt_record.after.endpoint, disables, "effect of 410");
    store.webhooks.record(&attempt_record).await?;
    let found = endpoint_of(&fixture, &fixture.merchant).await?;
    ensure_eq!(
        found.and_then(|found| found.disabled),
        None,
        "the disabled state after a 410 response from the old URL"
    );

    let here = fixture.new_event(&fixture.merchant).await?;
    fixture.attempt(here, Ok(299)).await?;
    ensure_eq!(failing().await?, None, "success at its own URL");
    Ok(())
}

/// After an endpoint is removed and set again, only later events are delivered; dead deliveries
/// stay dead.
pub async fn a_new_endpoint_revives_no_dead_delivery(store: &TestedStore) -> anyhow::Result<()> {
    let fixture = Fixture::new(store).await?;
    fixture.endpoint().await?;
    let dead = fixture.new_event(&fixture.merchant).await?;
    fixture.remove(&fixture.merchant).await?;
    let undelivered = fixture.new_event(&fixture.merchant).await?;
    fixture.endpoint().await?;
    let fresh = fixture.new_event(&fixture.merchant).await?;
    let later = fixture.build.now().plus_seconds(1000);
    ensure_eq!(
        fixture.claimable_events(later).await?,
        sorted([fresh]),
        "the claimable events"
    );
    ensure_eq!(
        fixture.delivery(dead).await?.state,
        DeliveryState::Dead,
        "the state of the dead delivery"
    );
    ensure_eq!(
        fixture.outgoing(undelivered).await?,
        None,
        "the delivery of an event without an endpoint"
    );
    Ok(())
}
