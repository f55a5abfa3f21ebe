//! Deliveries: written with their events, for the endpoint at the time of the commit.

use anyhow::{Context, ensure};
use oncharge_domain::{
    id::EventId,
    session::EventKind,
    webhook::{Delivery, DeliveryState},
};
use oncharge_ports::{CommitError, UnitOfWork, webhook_repository::OutgoingDelivery};

use crate::{
    TestedStore,
    fixture::{Fixture, webhooks::sorted},
};

/// A delivery is created exactly if the merchant has an enabled endpoint at the time of the commit,
/// with that endpoint's values; each event of a unit has its own.
pub async fn an_event_has_a_delivery_where_there_is_an_endpoint(
    store: &TestedStore,
) -> anyhow::Result<()> {
    let fixture = Fixture::new(store).await?;
    let (other, other_key) = fixture.other_merchant_with_key().await?;
    let session = fixture.session().await?;
    let (session, before) = fixture.add_event(&session).await?;
    let endpoint = fixture.endpoint().await?;
    let unit = {
        let mut unit = fixture
            .build
            .unit_with_event(&session, EventKind::PaymentAuthorized);
        let next = fixture.build.event(&session, 3, EventKind::PaymentCaptured);
        unit.session.next_sequence += 1;
        unit.events.push(next);
        unit
    };
    fixture.commit(unit.clone()).await?;
    let elsewhere = fixture.new_event(&other).await?;
    fixture.disabled_endpoint().await?;
    let (session, while_disabled) = fixture.add_event(&unit.session).await?;
    let endpoint_again = fixture.endpoint().await?;
    let (_, after) = fixture.add_event(&session).await?;
    fixture
        .endpoint_at(&other, &other_key, "https://other.example.com/hook")
        .await?;

    for (event, what) in [
        (before, "before an endpoint was set"),
        (elsewhere, "of a merchant without an endpoint"),
        (while_disabled, "while the endpoint was disabled"),
    ] {
        ensure_eq!(fixture.outgoing(event).await?, None, "an event {what}");
    }
    let mut wanted = vec![(unit.events[0].id, 2), (unit.events[1].id, 3), (after, 5)];
    ensure_eq!(
        endpoint.created_at,
        endpoint_again.created_at,
        "the endpoint"
    );
    for (event, sequence) in &wanted {
        let delivery = Delivery {
            event: *event,
            session: session.id,
            merchant: session.merchant,
            sequence: *sequence,
            endpoint: endpoint.id,
            url: endpoint.url.clone(),
            state: DeliveryState::Pending,
            attempts: 0,
            failures: 0,
            round: 0,
        };
        let stored = store.webhooks.event(session.merchant, *event).await?;
        let outgoing = OutgoingDelivery {
            event: stored.context("the event")?,
            delivery,
            endpoint: Some(endpoint_again.clone()),
        };
        ensure_eq!(
            fixture.outgoing(*event).await?,
            Some(outgoing),
            "the delivery of event number {sequence}"
        );
    }
    wanted.push((before, 1));
    let ids: Vec<EventId> = wanted.iter().map(|(event, _)| *event).collect();
    let found = store.webhooks.outgoing(&ids).await?;
    let found = sorted(found.iter().map(|outgoing| outgoing.event.id));
    ensure_eq!(found, sorted(ids[..3].to_vec()), "events found at once");
    Ok(())
}

/// A unit that is not committed creates no delivery.
pub async fn a_failed_unit_creates_no_delivery(store: &TestedStore) -> anyhow::Result<()> {
    let fixture = Fixture::new(store).await?;
    fixture.endpoint().await?;
    let session = fixture.session().await?;
    let stale = fixture
        .build
        .unit_with_event(&session, EventKind::PaymentRefused);
    let scope = fixture.build.scope(&fixture.merchant, "taken");
    fixture
        .commit(fixture.unit_storing_response(&scope, "{}"))
        .await?;
    let (session, good) = fixture.add_event(&session).await?;
    let mut late = fixture
        .build
        .unit_with_event(&session, EventKind::PaymentRefused);
    late.key = fixture.unit_storing_response(&scope, "{}").key;
    let nothing = async |unit: UnitOfWork, what| -> anyhow::Result<()> {
        let event = unit.events[0].id;
        ensure!(fixture.commit(unit).await.is_err(), "{what} was committed");
        ensure_eq!(
            fixture.outgoing(event).await?,
            None,
            "the delivery of an event of {what}"
        );
        Ok(())
    };
    nothing(stale, "a stale unit").await?;
    nothing(late, "a unit without its key").await?;
    ensure_eq!(
        fixture.claimable_events(fixture.build.now()).await?,
        [good],
        "the claimable events"
    );
    Ok(())
}

/// A new URL applies only to later events.
pub async fn open_deliveries_keep_their_url(store: &TestedStore) -> anyhow::Result<()> {
    let fixture = Fixture::new(store).await?;
    let old = fixture.endpoint().await?;
    let first = fixture.new_event(&fixture.merchant).await?;
    let url = "https://new.example.com/hook?a=1&b=%C3%BC";
    let new = fixture
        .endpoint_at(&fixture.merchant, &fixture.key, url)
        .await?;
    let second = fixture.new_event(&fixture.merchant).await?;
    let now = fixture.build.now();
    ensure_eq!(
        fixture.claimable_events(now).await?,
        sorted([first, second]),
        "the claimable events"
    );
    for (event, url) in [(first, &old.url), (second, &new.url)] {
        let outgoing = fixture.outgoing(event).await?.context("a delivery")?;
        ensure_eq!(outgoing.delivery.url, *url, "the URL of the delivery");
        ensure_eq!(outgoing.endpoint, Some(new.clone()), "the current endpoint");
    }
    Ok(())
}

/// An event is found only by its own merchant.
pub async fn events_belong_to_their_merchant(store: &TestedStore) -> anyhow::Result<()> {
    let fixture = Fixture::new(store).await?;
    let (other, _) = fixture.other_merchant_with_key().await?;
    let session = fixture.session().await?;
    let (session, event) = fixture.add_event(&session).await?;
    let webhooks = &store.webhooks;
    let found = webhooks.event(fixture.merchant.id, event).await?;
    ensure_eq!(
        found,
        fixture.events(&session).await?.into_iter().next(),
        "the event"
    );
    ensure_eq!(
        webhooks.event(other.id, event).await?,
        None,
        "the event as seen by another merchant"
    );
    let unknown = fixture.build.id();
    ensure_eq!(
        webhooks.event(fixture.merchant.id, unknown).await?,
        None,
        "an unknown event"
    );
    ensure_eq!(
        webhooks.attempts(event).await?,
        [],
        "the attempts of an event without a delivery"
    );
    ensure_eq!(
        webhooks.outgoing(&[]).await?,
        [],
        "the deliveries of no event"
    );
    Ok(())
}

/// Twelve concurrent units, two per session: exactly the committed events have deliveries.
pub async fn concurrent_units_create_their_deliveries(store: &TestedStore) -> anyhow::Result<()> {
    let fixture = Fixture::new(store).await?;
    fixture.endpoint().await?;
    let mut units = Vec::new();
    for _ in 0..6 {
        let session = fixture.session().await?;
        for kind in [EventKind::PaymentRefused, EventKind::PaymentExpired] {
            units.push(fixture.build.unit_with_event(&session, kind));
        }
    }
    let commits = units.iter().map(|unit| fixture.commit(unit.clone()));
    let results = futures_util::future::join_all(commits).await;
    let mut won = Vec::new();
    for (unit, result) in units.iter().zip(results) {
        match result {
            Ok(()) => won.push(unit.events[0].id),
            Err(CommitError::Conflict) => {
                ensure_eq!(
                    fixture.outgoing(unit.events[0].id).await?,
                    None,
                    "the delivery of an event of a failed unit"
                );
            }
            Err(error) => return Err(error.into()),
        }
    }
    ensure_eq!(won.len(), 6, "the number of committed units");
    ensure_eq!(
        fixture.claimable_events(fixture.build.now()).await?,
        sorted(won),
        "the claimable events"
    );
    Ok(())
}
