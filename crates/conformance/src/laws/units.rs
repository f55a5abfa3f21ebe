//! A unit of work is all or nothing, and whether it was committed can be queried.

use anyhow::ensure;
use oncharge_domain::{
    id::OperationId,
    operation::{CancelPurpose, Operation, OperationKind},
    session::{EventKind, Session},
};
use oncharge_ports::{
    CommitError, UnitOfWork,
    unit_of_work::{ChangedOperation, Lease, LeasedItem},
};
use oncharge_testkit::build::reference;

use crate::{TestedStore, fixture::Fixture};

/// If any part of a unit fails, no other part is stored; once corrected, all of it is.
pub async fn a_unit_is_all_or_nothing(store: &TestedStore) -> anyhow::Result<()> {
    let fixture = Fixture::new(store).await?;
    let (session, attempt) = fixture.session_with_attempt().await?;
    let taken = fixture.build.scope(&fixture.merchant, "taken");
    fixture
        .commit(fixture.unit_storing_response(&taken, "{}"))
        .await?;
    let free = fixture.build.scope(&fixture.merchant, "free");

    let key_taken = fixture.full_unit(&session, &taken);
    ensure_err!(
        fixture.commit(key_taken.clone()).await,
        CommitError::IdempotencyKeyTaken,
        "a unit with a taken key"
    );
    nothing_of(&fixture, &session, &key_taken).await?;

    let mut no_lease = fixture.full_unit(&session, &free);
    no_lease.lease = Some(Lease {
        item: LeasedItem::Operation(attempt.id),
        token: fixture.build.id(),
    });
    ensure_err!(
        fixture.commit(no_lease.clone()).await,
        CommitError::LeaseLost,
        "a unit without its lease"
    );
    nothing_of(&fixture, &session, &no_lease).await?;

    let mut twice = fixture.full_unit(&session, &free);
    let sequence = twice.events[0].event.sequence;
    twice.events.push(
        fixture
            .build
            .event(&session, sequence, EventKind::RefundFailed),
    );
    ensure!(
        fixture.commit(twice.clone()).await.is_err(),
        "a unit with two events of one number"
    );
    nothing_of(&fixture, &session, &twice).await?;

    let mut stale = fixture.full_unit(&session, &free);
    stale.session.version += 1;
    ensure_err!(
        fixture.commit(stale.clone()).await,
        CommitError::Conflict,
        "a unit that skips a version"
    );
    nothing_of(&fixture, &session, &stale).await?;

    let mended = fixture.full_unit(&session, &free);
    fixture.commit(mended.clone()).await?;
    all_of(&fixture, &mended).await
}

/// A unit based on a version that is not the newest fails as a whole: too old, repeated, or created
/// a second time.
pub async fn a_stale_unit_writes_nothing(store: &TestedStore) -> anyhow::Result<()> {
    let fixture = Fixture::new(store).await?;
    let (read, _) = fixture.session_with_attempt().await?;
    let scope = fixture.build.scope(&fixture.merchant, "k");
    fixture.commit(fixture.build.next_unit(&read)).await?;
    let newest = fixture.load(read.id).await?;

    let stale = fixture.full_unit(&read, &scope);
    ensure_err!(
        fixture.commit(stale.clone()).await,
        CommitError::Conflict,
        "a unit based on an old version"
    );
    nothing_of(&fixture, &newest, &stale).await?;

    let mut again = fixture.full_unit(&read, &scope);
    again.session.version = 1;
    ensure_err!(
        fixture.commit(again.clone()).await,
        CommitError::Conflict,
        "a second creation"
    );
    nothing_of(&fixture, &newest, &again).await?;

    let mut nobody = fixture.full_unit(&fixture.build.session(&fixture.merchant), &scope);
    nobody.session.version = 7;
    ensure_err!(
        fixture.commit(nobody.clone()).await,
        CommitError::Conflict,
        "a unit for an unknown session"
    );
    let found = fixture.store.checkout.session(nobody.session.id).await?;
    ensure_eq!(found, None, "an unknown session");
    Ok(())
}

/// An event number is unique in its session, and can be used in every other session.
pub async fn event_numbers_are_unique(store: &TestedStore) -> anyhow::Result<()> {
    let fixture = Fixture::new(store).await?;
    let (one, other) = (fixture.session().await?, fixture.session().await?);
    for session in [&one, &other] {
        let mut unit = fixture.build.next_unit(session);
        let first = fixture.build.event(session, 1, EventKind::PaymentRefused);
        let second = fixture.build.event(session, 2, EventKind::PaymentExpired);
        unit.events = vec![first, second];
        fixture.commit(unit).await?;
    }
    let before = fixture.load(one.id).await?;
    let mut unit = fixture.build.next_unit(&before);
    unit.events = vec![fixture.build.event(&one, 2, EventKind::PaymentExpired)];
    ensure!(
        fixture.commit(unit.clone()).await.is_err(),
        "an event number was used twice"
    );
    nothing_of(&fixture, &before, &unit).await?;
    let numbers = |events: Vec<oncharge_ports::queries::StoredEvent>| {
        let numbers = events.iter().map(|stored| stored.event.sequence);
        numbers.collect::<Vec<u32>>()
    };
    ensure_eq!(
        numbers(fixture.events(&one).await?),
        [1, 2],
        "the event numbers"
    );
    ensure_eq!(
        numbers(fixture.events(&other).await?),
        [1, 2],
        "the event numbers of another session"
    );
    Ok(())
}

/// Committed units of every shape are found, also after later units; failed ones never are.
pub async fn is_committed_reports_the_outcome(store: &TestedStore) -> anyhow::Result<()> {
    let fixture = Fixture::new(store).await?;
    let scope = |text| fixture.build.scope(&fixture.merchant, text);
    let created = fixture.build.unit(fixture.build.session(&fixture.merchant));
    let bare = fixture.build.next_unit(&created.session);
    let full = fixture.full_unit(&bare.session, &scope("full"));
    let answered = fixture.unit_storing_response(&scope("answered"), "{}");
    let reserved = fixture.unit_reserving_key(&scope("reserved"));
    let units = [created, bare, full, answered, reserved];
    for unit in &units {
        ensure!(
            !is_committed(&fixture, unit).await?,
            "the unit counts as committed before its commit"
        );
        fixture.commit(unit.clone()).await?;
        ensure!(
            is_committed(&fixture, unit).await?,
            "the unit does not count as committed"
        );
    }
    let [_, bare, full, ..] = &units;
    let loser = fixture.build.next_unit(&bare.session);
    ensure_err!(
        fixture.commit(loser.clone()).await,
        CommitError::Conflict,
        "a stale unit"
    );
    ensure!(
        !is_committed(&fixture, &loser).await?,
        "a unit counts as committed although another one wrote its version"
    );
    fixture
        .commit(fixture.build.next_unit(&full.session))
        .await?;
    for unit in &units {
        ensure!(
            is_committed(&fixture, unit).await?,
            "the unit does not count as committed after later units"
        );
    }
    Ok(())
}

/// Valid units queued together with an invalid one are committed: even if a store writes several
/// together, each is all or nothing by itself.
pub async fn a_failing_unit_affects_no_other(store: &TestedStore) -> anyhow::Result<()> {
    let fixture = Fixture::new(store).await?;
    let session = fixture.session().await?;
    let taken = fixture.build.scope(&fixture.merchant, "taken");
    fixture
        .commit(fixture.unit_storing_response(&taken, "{}"))
        .await?;
    let mut units = Vec::new();
    for number in 0..24 {
        let mut unit = fixture.unit_storing_response(
            &fixture
                .build
                .scope(&fixture.merchant, &format!("k{number}")),
            "",
        );
        if number % 6 == 1 {
            unit = fixture.unit_storing_response(&taken, "{}");
        }
        if number % 6 == 3 {
            unit.session = Session {
                version: 9,
                ..session.clone()
            };
        }
        units.push(unit);
    }
    let commits = units.iter().map(|unit| fixture.commit(unit.clone()));
    let results = futures_util::future::join_all(commits).await;
    for ((number, unit), result) in units.iter().enumerate().zip(results) {
        match number % 6 {
            1 => ensure_err!(result, CommitError::IdempotencyKeyTaken, "unit {number}"),
            3 => ensure_err!(result, CommitError::Conflict, "unit {number}"),
            _ => ensure!(result.is_ok(), "unit {number}: {result:?}"),
        }
        let there = is_committed(&fixture, unit).await?;
        ensure_eq!(
            there,
            !matches!(number % 6, 1 | 3),
            "whether unit {number} is committed"
        );
    }
    Ok(())
}

async fn is_committed(fixture: &Fixture, unit: &UnitOfWork) -> anyhow::Result<bool> {
    Ok(fixture.store.checkout.is_committed(unit).await?)
}

fn operations(unit: &UnitOfWork) -> impl Iterator<Item = OperationId> {
    unit.operations.iter().map(|new| new.operation.id)
}

/// Checks that the session is unchanged, and no part of the unit is stored.
async fn nothing_of(fixture: &Fixture, before: &Session, unit: &UnitOfWork) -> anyhow::Result<()> {
    let checkout = &fixture.store.checkout;
    ensure_eq!(fixture.load(before.id).await?, *before, "the session");
    for id in operations(unit) {
        ensure_eq!(
            checkout.operation(id).await?,
            None,
            "an operation of a failed unit"
        );
        ensure_eq!(
            checkout.reserved_key(id).await?,
            None,
            "a key of a failed unit"
        );
    }
    if let Some(refund) = &unit.refund {
        ensure_eq!(
            checkout.refund(refund.id).await?,
            None,
            "a refund of a failed unit"
        );
    }
    let events = fixture.events(before).await?;
    let of_unit = |id| unit.events.iter().any(|new| new.id == id);
    ensure!(
        !events.iter().any(|stored| of_unit(stored.id)),
        "an event of a failed unit is stored"
    );
    ensure!(
        !is_committed(fixture, unit).await?,
        "a failed unit counts as committed"
    );
    Ok(())
}

/// Checks that every part of the unit is stored.
async fn all_of(fixture: &Fixture, unit: &UnitOfWork) -> anyhow::Result<()> {
    let checkout = &fixture.store.checkout;
    ensure_eq!(
        fixture.load(unit.session.id).await?,
        unit.session,
        "the session"
    );
    for new in &unit.operations {
        let id = new.operation.id;
        ensure_eq!(
            checkout.operation(id).await?,
            Some(new.operation.clone()),
            "the operation"
        );
        ensure!(
            checkout.reserved_key(id).await?.is_some(),
            "the key of the unit is not reserved"
        );
    }
    if let Some(refund) = &unit.refund {
        ensure_eq!(
            checkout.refund(refund.id).await?,
            Some(refund.clone()),
            "the refund"
        );
    }
    let events = fixture.events(&unit.session).await?;
    ensure_eq!(events.len(), unit.events.len(), "the events");
    ensure!(
        is_committed(fixture, unit).await?,
        "the unit does not count as committed"
    );
    Ok(())
}

/// Only one operation can be in flight; when one fails, the same unit can start the next.
pub async fn a_failed_operation_is_replaced_in_one_unit(store: &TestedStore) -> anyhow::Result<()> {
    let fixture = Fixture::new(store).await?;
    let (session, attempt) = fixture.session_with_attempt().await?;
    let next = Operation {
        payment: Some(reference("psp_payment")),
        ..fixture
            .build
            .operation(&session, OperationKind::Cancel(CancelPurpose::Merchant))
    };
    let mut unit = fixture.build.next_unit(&session);
    unit.changed_operations = vec![ChangedOperation {
        operation: crate::fixture::failed(&attempt),
        next_try_at: None,
    }];
    unit.operations = vec![fixture.build.intent(next.clone())];
    fixture.commit(unit).await?;
    let loaded = store.checkout.operation(next.id).await?;
    ensure_eq!(loaded, Some(next), "the next operation");
    Ok(())
}
