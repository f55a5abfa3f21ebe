//! What is deleted after its retention period: session changes, deliveries, operations that were
//! never sent.

use anyhow::ensure;
use oncharge_domain::{
    operation::{CancelPurpose, Contradiction, Operation, OperationKind, OperationStatus, Sending},
    psp::RefusalReason,
    refund::RefundStatus,
    session::Session,
    time::Timestamp,
    webhook::DeliveryState,
};
use oncharge_ports::{
    maintenance::Old,
    unit_of_work::{ChangedOperation, KeyWrite},
    webhook_repository::Redelivery,
};

use super::cleaning::nothing;
use crate::{
    Store,
    world::{World, answer, fingerprint},
};

/// Deliveries end by the store's clock, whatever time it shows.
fn deliveries_before(bound: Timestamp) -> Old {
    Old {
        deliveries_ended_before: bound,
        ..nothing()
    }
}

fn all_deliveries() -> Old {
    deliveries_before(Timestamp::from_unix_seconds(7_000_000_000).unwrap())
}

async fn clean(store: &Store, old: &Old) -> anyhow::Result<u64> {
    Ok(store.maintenance.clean_up(old, 100).await?)
}

/// Changes of units before the bound go, others stay; the session goes on as before.
pub async fn old_session_changes_are_deleted(store: &Store) -> anyhow::Result<()> {
    let world = World::new(store).await?;
    let session = world.session().await?;
    let first = world.build.next_unit(&session);
    world.commit(first.clone()).await?;
    let second = world.build.next_unit(&first.session);
    world.commit(second.clone()).await?;
    world.build.advance(100);
    let bound = world.build.now();
    let young = world.build.next_unit(&second.session);
    world.commit(young.clone()).await?;
    let old = Old {
        units_before: bound,
        ..nothing()
    };
    same!(clean(store, &old).await?, 2, "deleted: old changes");
    same!(clean(store, &old).await?, 0, "deleted again");
    let committed = store.checkout.committed(&young).await?;
    ensure!(committed, "a young unit is known");
    world.commit(world.build.next_unit(&young.session)).await?;
    Ok(())
}

/// What was delivered or given up goes with its attempts; what is pending stays, however old.
pub async fn ended_deliveries_are_deleted_with_their_attempts(store: &Store) -> anyhow::Result<()> {
    let world = World::new(store).await?;
    world.endpoint().await?;
    let [delivered, failing, gone] = [
        world.told(&world.merchant).await?,
        world.told(&world.merchant).await?,
        world.told(&world.merchant).await?,
    ];
    // Claims take everything that is due, so each event has a time of its own.
    let claimed = world
        .take_deliveries(world.build.now(), crate::world::webhooks::LONG)
        .await?;
    let lease = |event| crate::world::webhooks::lease_in(&claimed, event);
    world.record(delivered, lease(delivered)?, Ok(200)).await?;
    world.record(failing, lease(failing)?, Ok(500)).await?;
    same!(clean(store, &nothing()).await?, 0, "deleted: nothing old");
    same!(clean(store, &all_deliveries()).await?, 1, "deleted: one");
    same!(
        world.outgoing(delivered).await?,
        None,
        "the delivery that ended"
    );
    let attempts = store.webhooks.attempts(delivered).await?;
    same!(attempts, Vec::new(), "its attempts");
    same!(
        store.webhooks.attempts(failing).await?.len(),
        1,
        "attempts of what is pending"
    );
    // The endpoint ends, and with it what is on the way.
    world.record(gone, lease(gone)?, Ok(410)).await?;
    same!(
        world.delivery(failing).await?.state,
        DeliveryState::Dead,
        "a delivery to an endpoint that is gone"
    );
    same!(
        clean(store, &all_deliveries()).await?,
        2,
        "deleted: the rest"
    );
    Ok(())
}

/// An event whose delivery was deleted is still there and can be delivered again, from its first
/// attempt on; until that has ended, the new delivery stays.
pub async fn an_event_outlives_its_delivery(store: &Store) -> anyhow::Result<()> {
    let world = World::new(store).await?;
    world.endpoint().await?;
    let event = world.told(&world.merchant).await?;
    world.attempt(event, Ok(200)).await?;
    same!(clean(store, &all_deliveries()).await?, 1, "deleted");
    let (merchant, now) = (world.merchant.id, world.build.now());
    let found = store.webhooks.event(merchant, event).await?;
    ensure!(found.is_some(), "the event is there");
    let again = store.webhooks.redeliver(merchant, event, now).await?;
    same!(again, Redelivery::Due, "redelivered");
    same!(
        clean(store, &all_deliveries()).await?,
        0,
        "deleted: pending"
    );
    let after = world.attempt(event, Ok(200)).await?;
    same!(after.attempts, 1, "attempts of the new delivery");
    let again = store.webhooks.redeliver(merchant, event, now).await?;
    same!(again, Redelivery::Due, "redelivered while it is there");
    same!(
        clean(store, &all_deliveries()).await?,
        0,
        "deleted: pending again"
    );
    Ok(())
}

fn never_sent(operation: &Operation) -> Operation {
    Operation {
        status: OperationStatus::Failed,
        sending: Sending::NotSent,
        failure: Some(RefusalReason::NeverSent),
        ..operation.clone()
    }
}

/// An operation of a session of its own that failed in this way.
async fn ended(
    world: &World,
    kind: impl FnOnce(&Session) -> Operation,
    end: impl FnOnce(&Operation) -> Operation,
) -> anyhow::Result<Operation> {
    let session = world.session().await?;
    let operation = kind(&session);
    let session = world.start(&session, operation.clone()).await?;
    let operation = end(&operation);
    world.change(&session, operation.clone()).await?;
    Ok(operation)
}

/// Authorizations, captures and cancels that were surely never sent go; what was sent, what is young
/// and what other rows name stays.
pub async fn operations_that_were_never_sent_are_deleted(store: &Store) -> anyhow::Result<()> {
    let world = World::new(store).await?;
    let attempt = |session: &Session| world.build.attempt(session, "tok_1");
    let capture = |session: &Session| {
        let kind = OperationKind::Capture { automatic: true };
        world.build.operation(session, kind)
    };
    let cancel = |session: &Session| {
        let kind = OperationKind::Cancel(CancelPurpose::Merchant);
        world.build.operation(session, kind)
    };
    let mut go = vec![
        ended(&world, attempt, never_sent).await?,
        ended(&world, capture, never_sent).await?,
        ended(&world, cancel, never_sent).await?,
    ];
    let compensated = |operation: &Operation| Operation {
        compensated: true,
        ..never_sent(operation)
    };
    let contradicted = |operation: &Operation| Operation {
        contradiction: Some(Contradiction::Listed),
        ..never_sent(operation)
    };
    let mut stay = vec![
        ended(&world, attempt, contradicted).await?,
        ended(&world, attempt, crate::world::failed).await?,
        ended(&world, attempt, compensated).await?,
        refunding(&world).await?,
    ];
    let (waited_for, session) = waited_for(&world).await?;
    stay.push(waited_for.clone());
    world.build.advance(100);
    let old = Old {
        never_sent_before: world.build.now(),
        ..nothing()
    };
    stay.push(ended(&world, attempt, never_sent).await?);
    same!(clean(store, &old).await?, 3, "deleted");
    for operation in &go {
        let found = store.checkout.operation(operation.id).await?;
        same!(found, None, "an operation that was never sent");
    }
    for operation in &stay {
        let found = store.checkout.operation(operation.id).await?;
        same!(found.as_ref(), Some(operation), "an operation that stays");
    }
    // Once its key is answered, nothing names it.
    let mut answering = world.build.next_unit(&session);
    answering.key = Some(KeyWrite::Remember {
        scope: world.build.scope(&world.merchant, "waits"),
        answer: answer("503"),
        at: world.build.now(),
    });
    world.commit(answering).await?;
    go.push(waited_for);
    same!(clean(store, &old).await?, 1, "deleted once it is answered");
    let keys = Old {
        keys_answered_before: world.build.now().plus_seconds(1),
        ..nothing()
    };
    same!(clean(store, &keys).await?, 1, "deleted: its key");
    Ok(())
}

/// The operation of a refund that was given up.
async fn refunding(world: &World) -> anyhow::Result<Operation> {
    let session = world.session().await?;
    let (mut refund, operation) = world.build.refund(&session, 100);
    let mut unit = world.build.next_unit(&session);
    unit.operations = vec![world.build.intent(operation.clone())];
    unit.refund = Some(refund.clone());
    let mut giving_up = world.build.next_unit(&unit.session);
    world.commit(unit).await?;
    let operation = never_sent(&operation);
    refund.status = RefundStatus::Failed(RefusalReason::NeverSent);
    giving_up.changed_refunds = vec![refund];
    giving_up.changed_operations = vec![ChangedOperation {
        operation: operation.clone(),
        next_try_at: None,
    }];
    world.commit(giving_up).await?;
    Ok(operation)
}

/// An operation that was never sent and that the key `waits` still waits for, with its session.
async fn waited_for(world: &World) -> anyhow::Result<(Operation, Session)> {
    let session = world.session().await?;
    let operation = world.build.attempt(&session, "tok_1");
    let mut unit = world.build.next_unit(&session);
    unit.operations = vec![world.build.intent(operation.clone())];
    unit.key = Some(KeyWrite::Reserve {
        scope: world.build.scope(&world.merchant, "waits"),
        fingerprint: fingerprint(),
        operation: operation.id,
        at: world.build.now(),
    });
    let session = unit.session.clone();
    world.commit(unit).await?;
    let operation = never_sent(&operation);
    let session = world.change(&session, operation.clone()).await?;
    Ok((operation, session))
}
