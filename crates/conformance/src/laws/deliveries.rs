//! Events on their way: written with the event, to the endpoint of that moment.

use anyhow::{Context, ensure};
use oncharge_domain::{
    id::EventId,
    session::EventKind,
    webhook::{Delivery, DeliveryState},
};
use oncharge_ports::{CommitError, UnitOfWork, webhook_repository::Outgoing};

use crate::{
    Store,
    world::{World, webhooks::sorted},
};

/// Exactly where the merchant has an endpoint that is enabled at the moment of the commit, and as
/// it is then; each event of a unit has its own.
pub async fn an_event_has_a_delivery_where_there_is_an_endpoint(
    store: &Store,
) -> anyhow::Result<()> {
    let world = World::new(store).await?;
    let (other, other_key) = world.other_shop().await?;
    let session = world.session().await?;
    let (session, before) = world.tell(&session).await?;
    let endpoint = world.endpoint().await?;
    let unit = {
        let mut unit = world.build.telling(&session, EventKind::PaymentAuthorized);
        let next = world.build.event(&session, 3, EventKind::PaymentCaptured);
        unit.session.next_sequence += 1;
        unit.events.push(next);
        unit
    };
    world.commit(unit.clone()).await?;
    let elsewhere = world.told(&other).await?;
    world.disabled_endpoint().await?;
    let (session, while_disabled) = world.tell(&unit.session).await?;
    let endpoint_again = world.endpoint().await?;
    let (_, after) = world.tell(&session).await?;
    world
        .endpoint_at((&other, &other_key), "https://other.example.com/hook")
        .await?;

    for (event, what) in [
        (before, "before there was an endpoint"),
        (elsewhere, "of a merchant without one"),
        (while_disabled, "while it was disabled"),
    ] {
        same!(world.outgoing(event).await?, None, "an event {what}");
    }
    let mut wanted = vec![(unit.events[0].id, 2), (unit.events[1].id, 3), (after, 5)];
    same!(
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
        let outgoing = Outgoing {
            event: stored.context("the event")?,
            delivery,
            endpoint: Some(endpoint_again.clone()),
        };
        same!(
            world.outgoing(*event).await?,
            Some(outgoing),
            "number {sequence}"
        );
    }
    wanted.push((before, 1));
    let ids: Vec<EventId> = wanted.iter().map(|(event, _)| *event).collect();
    let found = store.webhooks.outgoing(&ids).await?;
    let found = sorted(found.iter().map(|outgoing| outgoing.event.id));
    same!(found, sorted(ids[..3].to_vec()), "many at once");
    Ok(())
}

/// What is not committed is not on its way.
pub async fn a_failed_unit_delivers_nothing(store: &Store) -> anyhow::Result<()> {
    let world = World::new(store).await?;
    world.endpoint().await?;
    let session = world.session().await?;
    let stale = world.build.telling(&session, EventKind::PaymentRefused);
    let scope = world.build.scope(&world.merchant, "taken");
    world.commit(world.answering(&scope, "{}")).await?;
    let (session, good) = world.tell(&session).await?;
    let mut late = world.build.telling(&session, EventKind::PaymentRefused);
    late.key = world.answering(&scope, "{}").key;
    let nothing = async |unit: UnitOfWork, what| -> anyhow::Result<()> {
        let event = unit.events[0].id;
        ensure!(world.commit(unit).await.is_err(), "{what} was committed");
        same!(world.outgoing(event).await?, None, "an event of {what}");
        Ok(())
    };
    nothing(stale, "a stale unit").await?;
    nothing(late, "a unit without its key").await?;
    same!(
        world.deliverable(world.build.now()).await?,
        [good],
        "on its way"
    );
    Ok(())
}

/// A new URL is for what happens from then on.
pub async fn open_deliveries_keep_their_url(store: &Store) -> anyhow::Result<()> {
    let world = World::new(store).await?;
    let old = world.endpoint().await?;
    let first = world.told(&world.merchant).await?;
    let url = "https://new.example.com/hook?a=1&b=%C3%BC";
    let new = world
        .endpoint_at((&world.merchant, &world.key), url)
        .await?;
    let second = world.told(&world.merchant).await?;
    let now = world.build.now();
    same!(
        world.deliverable(now).await?,
        sorted([first, second]),
        "on their way"
    );
    for (event, url) in [(first, &old.url), (second, &new.url)] {
        let outgoing = world.outgoing(event).await?.context("a delivery")?;
        same!(outgoing.delivery.url, *url, "where it goes");
        same!(outgoing.endpoint, Some(new.clone()), "the present endpoint");
    }
    Ok(())
}

/// An event is found by its own merchant alone.
pub async fn events_belong_to_their_merchant(store: &Store) -> anyhow::Result<()> {
    let world = World::new(store).await?;
    let (other, _) = world.other_shop().await?;
    let session = world.session().await?;
    let (session, event) = world.tell(&session).await?;
    let webhooks = &store.webhooks;
    let found = webhooks.event(world.merchant.id, event).await?;
    same!(
        found,
        world.events(&session).await?.into_iter().next(),
        "the event"
    );
    same!(
        webhooks.event(other.id, event).await?,
        None,
        "of another merchant"
    );
    let unknown = world.build.id();
    same!(
        webhooks.event(world.merchant.id, unknown).await?,
        None,
        "an unknown one"
    );
    same!(
        webhooks.attempts(event).await?,
        [],
        "attempts of what has no delivery"
    );
    same!(
        webhooks.outgoing(&[]).await?,
        [],
        "nothing asked, nothing found"
    );
    Ok(())
}

/// Twelve units at once, two for each session: what is committed is on its way, nothing else.
pub async fn racing_units_deliver_what_they_commit(store: &Store) -> anyhow::Result<()> {
    let world = World::new(store).await?;
    world.endpoint().await?;
    let mut units = Vec::new();
    for _ in 0..6 {
        let session = world.session().await?;
        for kind in [EventKind::PaymentRefused, EventKind::PaymentExpired] {
            units.push(world.build.telling(&session, kind));
        }
    }
    let commits = units.iter().map(|unit| world.commit(unit.clone()));
    let results = futures_util::future::join_all(commits).await;
    let mut won = Vec::new();
    for (unit, result) in units.iter().zip(results) {
        match result {
            Ok(()) => won.push(unit.events[0].id),
            Err(CommitError::Conflict) => {
                same!(
                    world.outgoing(unit.events[0].id).await?,
                    None,
                    "a loser's event"
                );
            }
            Err(error) => return Err(error.into()),
        }
    }
    same!(won.len(), 6, "winners");
    same!(
        world.deliverable(world.build.now()).await?,
        sorted(won),
        "on their way"
    );
    Ok(())
}
