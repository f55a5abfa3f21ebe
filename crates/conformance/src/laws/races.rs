//! Concurrent commits, and commits whose caller stops waiting.

use std::{sync::Arc, time::Duration};

use anyhow::ensure;
use oncharge_domain::session::EventKind;
use oncharge_ports::{CommitError, UnitOfWork};
use tokio::task::JoinSet;

use crate::{TestedStore, fixture::Fixture};

/// Of eight concurrent units over one version, one is committed; the others leave nothing.
pub async fn one_of_many_concurrent_commits_succeeds(store: &TestedStore) -> anyhow::Result<()> {
    let fixture = Fixture::new(store).await?;
    let mut session = fixture.session().await?;
    for round in 0..12 {
        let unit = || {
            let mut unit = fixture.build.next_unit(&session);
            let (refund, operation) = fixture.build.refund(&session, 1);
            unit.session.next_sequence += 1;
            let sequence = session.next_sequence;
            unit.events = vec![
                fixture
                    .build
                    .event(&session, sequence, EventKind::RefundRequested),
            ];
            unit.operations = vec![fixture.build.intent(operation)];
            unit.refund = Some(refund);
            unit
        };
        let units: Vec<UnitOfWork> = (0..8).map(|_| unit()).collect();
        let results = commit_concurrently(store, &units).await?;
        let mut winner = None;
        for (unit, result) in units.iter().zip(results) {
            match result {
                Ok(()) => {
                    ensure!(
                        winner.is_none(),
                        "two units were committed in round {round}"
                    );
                    winner = Some(unit);
                }
                Err(CommitError::Conflict) => {
                    let id = unit.operations[0].operation.id;
                    ensure_eq!(
                        fixture.store.checkout.operation(id).await?,
                        None,
                        "the operation of a failed unit"
                    );
                }
                Err(other) => anyhow::bail!("round {round}: {other:?}"),
            }
        }
        let winner =
            winner.ok_or_else(|| anyhow::anyhow!("no unit was committed in round {round}"))?;
        session = fixture.load(session.id).await?;
        ensure_eq!(session, winner.session, "the session after round {round}");
    }
    ensure_eq!(
        fixture.events(&session).await?.len(),
        12,
        "the number of events after twelve rounds"
    );
    Ok(())
}

/// A hundred sessions created concurrently are all stored.
pub async fn concurrent_units_commit(store: &TestedStore) -> anyhow::Result<()> {
    let fixture = Fixture::new(store).await?;
    let unit = |number: u32| {
        let scope = fixture
            .build
            .scope(&fixture.merchant, &format!("k{number}"));
        fixture.unit_reserving_key(&scope)
    };
    let units: Vec<UnitOfWork> = (0..100).map(unit).collect();
    for result in commit_concurrently(store, &units).await? {
        result?;
    }
    for unit in &units {
        ensure_eq!(
            fixture.load(unit.session.id).await?,
            unit.session,
            "the session of the unit"
        );
        let id = unit.operations[0].operation.id;
        ensure!(
            fixture.store.checkout.reserved_key(id).await?.is_some(),
            "the key of a unit is not reserved"
        );
    }
    Ok(())
}

/// Commits dropped at many points: each is stored completely or not at all, and the store stays
/// usable.
pub async fn a_dropped_commit_leaves_all_or_nothing(store: &TestedStore) -> anyhow::Result<()> {
    let fixture = Fixture::new(store).await?;
    let (mut session, _) = fixture.session_with_attempt().await?;
    let mut units = Vec::new();
    for number in 0..40_u64 {
        let scope = fixture
            .build
            .scope(&fixture.merchant, &format!("k{number}"));
        let unit = fixture.full_unit(&session, &scope);
        let commit = store.checkout.commit(unit.clone());
        // Polled at least once, then dropped wherever it is.
        let limit = Duration::from_micros(number * number * 3);
        let finished = tokio::time::timeout(limit, commit).await;
        if let Ok(result) = finished {
            result?;
        }
        // The next unit is based on what is stored; a late write of the dropped one would make it
        // fail, so it is retried until one of them is committed.
        session = write_after_dropped(&fixture, &unit).await?;
        units.push(unit);
    }
    for unit in &units {
        ensure_all_or_nothing(&fixture, unit).await?;
    }
    Ok(())
}

/// Writes the session's next version, after whatever the dropped unit still writes.
async fn write_after_dropped(
    fixture: &Fixture,
    dropped: &UnitOfWork,
) -> anyhow::Result<oncharge_domain::session::Session> {
    for _ in 0..100 {
        let now = fixture.load(dropped.session.id).await?;
        let unit = fixture.build.next_unit(&now);
        let written = unit.session.clone();
        match fixture.commit(unit).await {
            Ok(()) => return Ok(written),
            Err(CommitError::Conflict) => tokio::task::yield_now().await,
            Err(other) => return Err(other.into()),
        }
    }
    anyhow::bail!("the store was not usable after a dropped commit")
}

async fn ensure_all_or_nothing(fixture: &Fixture, unit: &UnitOfWork) -> anyhow::Result<()> {
    let checkout = &fixture.store.checkout;
    let there = checkout.is_committed(unit).await?;
    let id = unit.operations[0].operation.id;
    ensure_eq!(
        checkout.operation(id).await?.is_some(),
        there,
        "whether the operation exists"
    );
    ensure_eq!(
        checkout.request(id).await?.is_some(),
        there,
        "whether the request exists"
    );
    ensure_eq!(
        checkout.reserved_key(id).await?.is_some(),
        there,
        "whether the key exists"
    );
    let refund = unit.refund.as_ref().map(|refund| refund.id);
    let refund = checkout
        .refund(refund.unwrap_or(fixture.build.id()))
        .await?;
    ensure_eq!(refund.is_some(), there, "whether the refund exists");
    let events = fixture.events(&unit.session).await?;
    let event = events.iter().any(|stored| stored.id == unit.events[0].id);
    ensure_eq!(event, there, "whether the event exists");
    Ok(())
}

/// Commits all units concurrently, each in its own task; returns the results in the units' order.
async fn commit_concurrently(
    store: &TestedStore,
    units: &[UnitOfWork],
) -> anyhow::Result<Vec<Result<(), CommitError>>> {
    let start = Arc::new(tokio::sync::Barrier::new(units.len()));
    let mut tasks = JoinSet::new();
    for (number, unit) in units.iter().cloned().enumerate() {
        let (checkout, start) = (store.checkout.clone(), start.clone());
        tasks.spawn(async move {
            start.wait().await;
            (number, checkout.commit(unit).await)
        });
    }
    let mut results = tasks.join_all().await;
    results.sort_by_key(|(number, _)| *number);
    Ok(results.into_iter().map(|(_, result)| result).collect())
}
