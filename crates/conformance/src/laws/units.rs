//! A unit of work is all or nothing, and one can ask whether it was committed.

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

use crate::{Store, world::World};

/// Whatever part of a unit fails, no other part of it is there; mended, all of it is.
pub async fn all_or_nothing(store: &Store) -> anyhow::Result<()> {
    let world = World::new(store).await?;
    let (session, attempt) = world.paying().await?;
    let taken = world.build.scope(&world.merchant, "taken");
    world.commit(world.answering(&taken, "{}")).await?;
    let free = world.build.scope(&world.merchant, "free");

    let key_taken = world.full_unit(&session, &taken);
    fails!(
        world.commit(key_taken.clone()).await,
        CommitError::KeyTaken,
        "a taken key"
    );
    nothing_of(&world, &session, &key_taken).await?;

    let mut no_lease = world.full_unit(&session, &free);
    no_lease.lease = Some(Lease {
        item: LeasedItem::Operation(attempt.id),
        token: world.build.id(),
    });
    fails!(
        world.commit(no_lease.clone()).await,
        CommitError::LeaseLost,
        "no lease"
    );
    nothing_of(&world, &session, &no_lease).await?;

    let mut twice = world.full_unit(&session, &free);
    let sequence = twice.events[0].event.sequence;
    twice.events.push(
        world
            .build
            .event(&session, sequence, EventKind::RefundFailed),
    );
    ensure!(
        world.commit(twice.clone()).await.is_err(),
        "an event's number twice in a unit"
    );
    nothing_of(&world, &session, &twice).await?;

    let mut stale = world.full_unit(&session, &free);
    stale.session.version += 1;
    fails!(
        world.commit(stale.clone()).await,
        CommitError::Conflict,
        "a version left out"
    );
    nothing_of(&world, &session, &stale).await?;

    let mended = world.full_unit(&session, &free);
    world.commit(mended.clone()).await?;
    all_of(&world, &mended).await
}

/// A unit over a version that is not the newest fails as a whole: too old, repeated, or created
/// a second time.
pub async fn a_stale_unit_leaves_nothing(store: &Store) -> anyhow::Result<()> {
    let world = World::new(store).await?;
    let (read, _) = world.paying().await?;
    let scope = world.build.scope(&world.merchant, "k");
    world.commit(world.build.next_unit(&read)).await?;
    let newest = world.load(read.id).await?;

    let stale = world.full_unit(&read, &scope);
    fails!(
        world.commit(stale.clone()).await,
        CommitError::Conflict,
        "an old version"
    );
    nothing_of(&world, &newest, &stale).await?;

    let mut again = world.full_unit(&read, &scope);
    again.session.version = 1;
    fails!(
        world.commit(again.clone()).await,
        CommitError::Conflict,
        "a second creation"
    );
    nothing_of(&world, &newest, &again).await?;

    let mut nobody = world.full_unit(&world.build.session(&world.merchant), &scope);
    nobody.session.version = 7;
    fails!(
        world.commit(nobody.clone()).await,
        CommitError::Conflict,
        "a session not there"
    );
    let found = world.store.checkout.session(nobody.session.id).await?;
    same!(found, None, "a session that never was");
    Ok(())
}

/// A number of an event is used once in a session, and again in every other session.
pub async fn event_numbers_are_unique(store: &Store) -> anyhow::Result<()> {
    let world = World::new(store).await?;
    let (one, other) = (world.session().await?, world.session().await?);
    for session in [&one, &other] {
        let mut unit = world.build.next_unit(session);
        let first = world.build.event(session, 1, EventKind::PaymentRefused);
        let second = world.build.event(session, 2, EventKind::PaymentExpired);
        unit.events = vec![first, second];
        world.commit(unit).await?;
    }
    let before = world.load(one.id).await?;
    let mut unit = world.build.next_unit(&before);
    unit.events = vec![world.build.event(&one, 2, EventKind::PaymentExpired)];
    ensure!(
        world.commit(unit.clone()).await.is_err(),
        "number 2 a second time"
    );
    nothing_of(&world, &before, &unit).await?;
    let numbers = |events: Vec<oncharge_ports::queries::StoredEvent>| {
        let numbers = events.iter().map(|stored| stored.event.sequence);
        numbers.collect::<Vec<u32>>()
    };
    same!(numbers(world.events(&one).await?), [1, 2], "numbers");
    same!(
        numbers(world.events(&other).await?),
        [1, 2],
        "numbers of another session"
    );
    Ok(())
}

/// Units of every shape are found again, also after later units; those that failed never are.
pub async fn committed_tells_the_truth(store: &Store) -> anyhow::Result<()> {
    let world = World::new(store).await?;
    let scope = |text| world.build.scope(&world.merchant, text);
    let created = world.build.unit(world.build.session(&world.merchant));
    let bare = world.build.next_unit(&created.session);
    let full = world.full_unit(&bare.session, &scope("full"));
    let answered = world.answering(&scope("answered"), "{}");
    let reserved = world.reserving(&scope("reserved"));
    let units = [created, bare, full, answered, reserved];
    for unit in &units {
        ensure!(!is_committed(&world, unit).await?, "before the commit");
        world.commit(unit.clone()).await?;
        ensure!(is_committed(&world, unit).await?, "after the commit");
    }
    let [_, bare, full, ..] = &units;
    let loser = world.build.next_unit(&bare.session);
    fails!(
        world.commit(loser.clone()).await,
        CommitError::Conflict,
        "a stale unit"
    );
    ensure!(
        !is_committed(&world, &loser).await?,
        "another unit wrote this version"
    );
    world.commit(world.build.next_unit(&full.session)).await?;
    for unit in &units {
        ensure!(is_committed(&world, unit).await?, "after later units");
    }
    Ok(())
}

/// Good units that wait beside a bad one are committed: where a store writes many together, each
/// is still all or nothing by itself.
pub async fn a_bad_unit_fails_alone(store: &Store) -> anyhow::Result<()> {
    let world = World::new(store).await?;
    let session = world.session().await?;
    let taken = world.build.scope(&world.merchant, "taken");
    world.commit(world.answering(&taken, "{}")).await?;
    let mut units = Vec::new();
    for number in 0..24 {
        let mut unit = world.answering(
            &world.build.scope(&world.merchant, &format!("k{number}")),
            "",
        );
        if number % 6 == 1 {
            unit = world.answering(&taken, "{}");
        }
        if number % 6 == 3 {
            unit.session = Session {
                version: 9,
                ..session.clone()
            };
        }
        units.push(unit);
    }
    let commits = units.iter().map(|unit| world.commit(unit.clone()));
    let results = futures_util::future::join_all(commits).await;
    for ((number, unit), result) in units.iter().enumerate().zip(results) {
        match number % 6 {
            1 => fails!(result, CommitError::KeyTaken, "unit {number}"),
            3 => fails!(result, CommitError::Conflict, "unit {number}"),
            _ => ensure!(result.is_ok(), "unit {number}: {result:?}"),
        }
        let there = is_committed(&world, unit).await?;
        same!(
            there,
            !matches!(number % 6, 1 | 3),
            "unit {number} is committed"
        );
    }
    Ok(())
}

async fn is_committed(world: &World, unit: &UnitOfWork) -> anyhow::Result<bool> {
    Ok(world.store.checkout.committed(unit).await?)
}

fn operations(unit: &UnitOfWork) -> impl Iterator<Item = OperationId> {
    unit.operations.iter().map(|new| new.operation.id)
}

/// The session is as it was, and no part of the unit is there.
async fn nothing_of(world: &World, before: &Session, unit: &UnitOfWork) -> anyhow::Result<()> {
    let checkout = &world.store.checkout;
    same!(world.load(before.id).await?, *before, "the session");
    for id in operations(unit) {
        same!(
            checkout.operation(id).await?,
            None,
            "an operation of a failed unit"
        );
        same!(
            checkout.waiting_key(id).await?,
            None,
            "a key of a failed unit"
        );
    }
    if let Some(refund) = &unit.refund {
        same!(
            checkout.refund(refund.id).await?,
            None,
            "a refund of a failed unit"
        );
    }
    let events = world.events(before).await?;
    let of_unit = |id| unit.events.iter().any(|new| new.id == id);
    ensure!(
        !events.iter().any(|stored| of_unit(stored.id)),
        "an event of a failed unit"
    );
    ensure!(
        !is_committed(world, unit).await?,
        "a failed unit counts as committed"
    );
    Ok(())
}

/// Every part of the unit is there.
async fn all_of(world: &World, unit: &UnitOfWork) -> anyhow::Result<()> {
    let checkout = &world.store.checkout;
    same!(
        world.load(unit.session.id).await?,
        unit.session,
        "the session"
    );
    for new in &unit.operations {
        let id = new.operation.id;
        same!(
            checkout.operation(id).await?,
            Some(new.operation.clone()),
            "the operation"
        );
        ensure!(checkout.waiting_key(id).await?.is_some(), "the key");
    }
    if let Some(refund) = &unit.refund {
        same!(
            checkout.refund(refund.id).await?,
            Some(refund.clone()),
            "the refund"
        );
    }
    let events = world.events(&unit.session).await?;
    same!(events.len(), unit.events.len(), "the events");
    ensure!(is_committed(world, unit).await?, "the unit");
    Ok(())
}

/// Only one operation can be in flight; one that fails makes room for the next in the same unit.
pub async fn an_operation_that_fails_makes_room_in_its_unit(store: &Store) -> anyhow::Result<()> {
    let world = World::new(store).await?;
    let (session, attempt) = world.paying().await?;
    let next = Operation {
        payment: Some(reference("psp_payment")),
        ..world
            .build
            .operation(&session, OperationKind::Cancel(CancelPurpose::Merchant))
    };
    let mut unit = world.build.next_unit(&session);
    unit.changed_operations = vec![ChangedOperation {
        operation: crate::world::failed(&attempt),
        next_try_at: None,
    }];
    unit.operations = vec![world.build.intent(next.clone())];
    world.commit(unit).await?;
    let loaded = store.checkout.operation(next.id).await?;
    same!(loaded, Some(next), "the next operation");
    Ok(())
}
