//! Webhook endpoints: one for each merchant, with its troubles.

use anyhow::Context;
use oncharge_domain::{
    audit::AuditAction,
    merchant::Merchant,
    time::Timestamp,
    webhook::{
        DeliveryState, Disabled, DisabledBecause, EndpointChange, SendError, WebhookEndpoint,
    },
};
use oncharge_ports::webhook_repository::Recorded;
use oncharge_testkit::build::endpoint_url;

use crate::{
    Store,
    generate::{self, Draw},
    world::{
        World,
        webhooks::{LONG, lease_in, sorted},
    },
};

const ELSEWHERE: &str = "https://elsewhere.example.com/hook";

pub(super) async fn endpoint_of(
    world: &World,
    merchant: &Merchant,
) -> anyhow::Result<Option<WebhookEndpoint>> {
    Ok(world.store.webhooks.endpoint(merchant.id).await?)
}

/// An endpoint with other values for all that changes over time, in one of two shapes.
fn drawn_endpoint(
    world: &World,
    draw: &mut Draw,
    is_failing: bool,
    because: Option<DisabledBecause>,
) -> WebhookEndpoint {
    let new = world.build.endpoint(&world.merchant, &world.key);
    let secrets = if is_failing {
        new.secrets.clone()
    } else {
        let secret = world.build.webhook_secret();
        new.secrets
            .replaced_by(secret, draw.one(generate::instant()))
    };
    WebhookEndpoint {
        secrets,
        disabled: because.map(|because| Disabled {
            because,
            at: draw.one(generate::instant()),
        }),
        failing_since: is_failing.then(|| draw.one(generate::instant())),
        updated_at: draw.one(generate::instant()),
        ..new
    }
}

/// As they were set, but for `created_at`, which stays from the first time.
pub async fn endpoints_load_equal(store: &Store) -> anyhow::Result<()> {
    let (world, mut draw) = (World::new(store).await?, Draw::new());
    let (other, other_key) = world.other_shop().await?;
    same!(
        endpoint_of(&world, &world.merchant).await?,
        None,
        "at first"
    );
    let first = WebhookEndpoint {
        created_at: draw.one(generate::instant()),
        ..world.build.endpoint(&world.merchant, &world.key)
    };
    same!(world.set(&first).await?, first, "what was set");
    let long = format!("https://shop.example.com/?q={}", "ä".repeat(2020));
    let urls = ["https://a.example.com:8443/'%00\"?x=%26&y=%3D?", &long];
    let disabled = [
        None,
        Some(DisabledBecause::Gone),
        Some(DisabledBecause::Failing),
    ];
    for (number, because) in disabled.into_iter().cycle().take(6).enumerate() {
        world.build.advance(1);
        let next = WebhookEndpoint {
            id: first.id,
            version: u32::try_from(number)? + 2,
            url: endpoint_url(urls[number % 2]),
            ..drawn_endpoint(&world, &mut draw, number % 2 == 0, because)
        };
        let wanted = WebhookEndpoint {
            created_at: first.created_at,
            ..next.clone()
        };
        same!(world.set(&next).await?, wanted, "what was set");
        same!(
            endpoint_of(&world, &world.merchant).await?,
            Some(wanted),
            "what is found"
        );
        same!(
            endpoint_of(&world, &other).await?,
            None,
            "another merchant's"
        );
    }
    let theirs = world.endpoint_at((&other, &other_key), ELSEWHERE).await?;
    same!(world.remove(&world.merchant).await?, true, "removed");
    same!(world.remove(&world.merchant).await?, false, "removed again");
    same!(
        endpoint_of(&world, &world.merchant).await?,
        None,
        "what was removed"
    );
    same!(
        endpoint_of(&world, &other).await?,
        Some(theirs),
        "another merchant's"
    );
    let anew = world.endpoint().await?;
    same!(
        anew.created_at,
        world.build.now(),
        "set anew, it is a new one"
    );
    Ok(())
}

/// All that this merchant has on the way dies with its endpoint, and nobody else's; it is handed
/// out no more.
pub async fn a_removed_endpoint_takes_its_deliveries(store: &Store) -> anyhow::Result<()> {
    let world = World::new(store).await?;
    let (other, other_key) = world.other_shop().await?;
    world
        .endpoint_at((&world.merchant, &world.key), ELSEWHERE)
        .await?;
    let to_old_url = world.told(&world.merchant).await?;
    let done = world.told(&world.merchant).await?;
    world.attempt(done, Ok(204)).await?;
    let endpoint = world.endpoint().await?;
    let open = world.told(&world.merchant).await?;
    world
        .endpoint_at((&other, &other_key), endpoint.url.as_str())
        .await?;
    let theirs = world.told(&other).await?;
    let now = world.build.now();
    same!(world.remove(&other).await?, true, "the other's is removed");
    same!(
        world.delivery(open).await?.state,
        DeliveryState::Pending,
        "ours"
    );
    same!(
        world.delivery(theirs).await?.state,
        DeliveryState::Dead,
        "the other's"
    );

    same!(
        world.remove(&world.merchant).await?,
        true,
        "ours is removed"
    );
    for (event, state) in [
        (open, DeliveryState::Dead),
        (to_old_url, DeliveryState::Dead),
        (done, DeliveryState::Delivered),
    ] {
        let outgoing = world.outgoing(event).await?.context("a delivery")?;
        same!(
            (outgoing.delivery.state, outgoing.endpoint),
            (state, None),
            "ours"
        );
    }
    let later = now.plus_seconds(1_000_000);
    same!(world.deliverable(later).await?, [], "nothing is on its way");
    Ok(())
}

/// 410, or five days of failures: the endpoint is disabled and what is on the way to it is dead.
/// What goes elsewhere goes on, also to the same URL for another merchant.
pub async fn a_disabled_endpoint_takes_its_deliveries(store: &Store) -> anyhow::Result<()> {
    let world = World::new(store).await?;
    let (other, other_key) = world.other_shop().await?;
    world
        .endpoint_at((&world.merchant, &world.key), ELSEWHERE)
        .await?;
    let to_old_url = world.told(&world.merchant).await?;
    let endpoint = world.endpoint().await?;
    let (gone, open) = (
        world.told(&world.merchant).await?,
        world.told(&world.merchant).await?,
    );
    let done = world.told(&world.merchant).await?;
    world
        .endpoint_at((&other, &other_key), endpoint.url.as_str())
        .await?;
    let theirs = world.told(&other).await?;
    let now = world.build.now();
    let claimed = world.take_deliveries(now, LONG).await?;
    let lease = |event| lease_in(&claimed, event);
    world.record(done, lease(done)?, Ok(200)).await?;
    let delivery = world.delivery(gone).await?;
    let recorded = Recorded {
        audit: Some(world.build.audit(AuditAction::EndpointDisabled)),
        ..world
            .build
            .recorded((lease(gone)?, &delivery), Ok(410), None)
    };
    store.webhooks.record(&recorded).await?;

    let disabled = WebhookEndpoint {
        disabled: Some(world.gone()),
        ..endpoint.clone()
    };
    let found = endpoint_of(&world, &world.merchant).await?;
    same!(found, Some(disabled), "why and when");
    for (event, state) in [
        (gone, DeliveryState::Dead),
        (open, DeliveryState::Dead),
        (done, DeliveryState::Delivered),
        (to_old_url, DeliveryState::Pending),
        (theirs, DeliveryState::Pending),
    ] {
        same!(world.delivery(event).await?.state, state, "{event}");
    }
    same!(
        store.webhooks.attempts(gone).await?.len(),
        1,
        "the attempt itself"
    );
    for event in [open, to_old_url, theirs] {
        same!(
            store.queue.renew(lease(event)?, LONG).await?,
            true,
            "the lease of the attempt under way"
        );
    }
    let theirs = endpoint_of(&world, &other).await?.context("the other's")?;
    same!(theirs.disabled, None, "the other's");
    Ok(())
}

/// Failing and working again are said of the URL that an attempt went to: an endpoint that has
/// another by now is untouched. Since when it fails is the first failure's time.
pub async fn an_endpoints_troubles_are_its_urls(store: &Store) -> anyhow::Result<()> {
    let world = World::new(store).await?;
    world.endpoint().await?;
    let start = world.build.now();
    let failing = async || -> anyhow::Result<Option<Timestamp>> {
        let found = endpoint_of(&world, &world.merchant).await?;
        Ok(found.context("the endpoint")?.failing_since)
    };
    let events = [
        world.told(&world.merchant).await?,
        world.told(&world.merchant).await?,
        world.told(&world.merchant).await?,
    ];
    let claimed = world.take_deliveries(start, LONG).await?;
    same!(claimed.len(), 3, "claims");
    let record = async |index: usize, answer, known: Option<Timestamp>| -> anyhow::Result<()> {
        let lease = lease_in(&claimed, events[index])?;
        let delivery = world.delivery(events[index]).await?;
        let recorded = world.build.recorded((lease, &delivery), answer, known);
        Ok(store.webhooks.record(&recorded).await?)
    };
    record(0, Ok(500), None).await?;
    same!(failing().await?, Some(start), "the first failure");
    world.build.advance(5);
    // It does not know of the first one: both were under way at once.
    record(1, Err(SendError::Timeout), None).await?;
    same!(failing().await?, Some(start), "a second failure");
    world
        .endpoint_at((&world.merchant, &world.key), ELSEWHERE)
        .await?;
    same!(failing().await?, None, "a new URL");
    world.build.advance(60);
    let again = world.take_deliveries(world.build.now(), LONG).await?;
    let lease = lease_in(&again, events[0])?;
    let late = world.record(events[0], lease, Ok(500)).await?;
    same!(
        (late.attempts, late.failures),
        (2, 2),
        "a failure at the old URL"
    );
    same!(failing().await?, None, "fails at the old URL");
    let endpoint = WebhookEndpoint {
        failing_since: Some(start),
        url: endpoint_url(ELSEWHERE),
        ..world.build.endpoint(&world.merchant, &world.key)
    };
    world.set(&endpoint).await?;
    record(2, Ok(200), Some(start)).await?;
    same!(failing().await?, Some(start), "works at the old URL");
    let gone = lease_in(&again, events[1])?;
    let delivery = world.delivery(events[1]).await?;
    let recorded = world.build.recorded((gone, &delivery), Ok(410), None);
    let disables = EndpointChange::Disabled(DisabledBecause::Gone);
    same!(recorded.after.endpoint, disables, "what 410 means");
    store.webhooks.record(&recorded).await?;
    let found = endpoint_of(&world, &world.merchant).await?;
    same!(
        found.and_then(|found| found.disabled),
        None,
        "gone from the old URL"
    );

    let here = world.told(&world.merchant).await?;
    world.attempt(here, Ok(299)).await?;
    same!(failing().await?, None, "works at its own URL");
    Ok(())
}

/// The deliveries of a merchant whose endpoint was removed and set again are what is told from
/// then on; the dead stay dead.
pub async fn a_new_endpoint_wakes_no_dead(store: &Store) -> anyhow::Result<()> {
    let world = World::new(store).await?;
    world.endpoint().await?;
    let dead = world.told(&world.merchant).await?;
    world.remove(&world.merchant).await?;
    let untold = world.told(&world.merchant).await?;
    world.endpoint().await?;
    let fresh = world.told(&world.merchant).await?;
    let later = world.build.now().plus_seconds(1000);
    same!(
        world.deliverable(later).await?,
        sorted([fresh]),
        "on its way"
    );
    same!(
        world.delivery(dead).await?.state,
        DeliveryState::Dead,
        "the dead"
    );
    same!(world.outgoing(untold).await?, None, "without an endpoint");
    Ok(())
}
