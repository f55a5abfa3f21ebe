//! What is deleted after its retention period: session changes, deliveries, operations that were
//! never sent, API keys.

use anyhow::ensure;
use oncharge_domain::{
    audit::AuditAction,
    operation::{CancelPurpose, Contradiction, Operation, OperationKind, OperationStatus, Sending},
    psp::RefusalReason,
    refund::RefundStatus,
    session::Session,
    time::Timestamp,
    webhook::DeliveryState,
};
use oncharge_ports::{
    maintenance::ExpiringRows as Rows,
    unit_of_work::{ChangedOperation, KeyWrite},
    webhook_repository::Redelivery,
};

use super::cleaning::delete;
use crate::{
    Store,
    world::{World, answer, fingerprint},
};

/// Deletes all deliveries that have ended: by the store's clock, whatever time it shows.
async fn delete_deliveries(store: &Store) -> anyhow::Result<usize> {
    let late = Timestamp::from_unix_seconds(7_000_000_000).unwrap();
    delete(store, Rows::Deliveries, late).await
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
    let changes = Rows::SessionChanges;
    same!(delete(store, changes, bound).await?, 2, "old changes");
    same!(delete(store, changes, bound).await?, 0, "deleted again");
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
    same!(
        delete(store, Rows::Deliveries, Timestamp::UNIX_EPOCH).await?,
        0,
        "deleted: nothing old"
    );
    same!(delete_deliveries(store).await?, 1, "deleted: one");
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
    same!(delete_deliveries(store).await?, 2, "deleted: the rest");
    Ok(())
}

/// An event whose delivery was deleted is still there and can be delivered again, from its first
/// attempt on; until that has ended, the new delivery stays.
pub async fn an_event_outlives_its_delivery(store: &Store) -> anyhow::Result<()> {
    let world = World::new(store).await?;
    world.endpoint().await?;
    let event = world.told(&world.merchant).await?;
    world.attempt(event, Ok(200)).await?;
    same!(delete_deliveries(store).await?, 1, "deleted");
    let (merchant, now) = (world.merchant.id, world.build.now());
    let found = store.webhooks.event(merchant, event).await?;
    ensure!(found.is_some(), "the event is there");
    let again = store.webhooks.redeliver(merchant, event, now).await?;
    same!(again, Redelivery::Due, "redelivered");
    same!(delete_deliveries(store).await?, 0, "deleted: pending");
    let after = world.attempt(event, Ok(200)).await?;
    same!(after.attempts, 1, "attempts of the new delivery");
    let again = store.webhooks.redeliver(merchant, event, now).await?;
    same!(again, Redelivery::Due, "redelivered while it is there");
    same!(delete_deliveries(store).await?, 0, "deleted: pending again");
    Ok(())
}

/// Keys whose end is before the bound go; active ones, one in its grace period and one that the
/// webhook endpoint names stay.
pub async fn ended_keys_are_deleted(store: &Store) -> anyhow::Result<()> {
    let world = World::new(store).await?;
    let start = world.build.now();
    let named = world.endpoint().await?.key;
    let mut kept = vec![named];
    let mut deleted = Vec::new();
    for end in [Some(10), Some(49), Some(50), None] {
        let (key, hash) = world.build.api_key(&world.merchant);
        let audit = || world.build.audit(AuditAction::KeyCreated);
        store.merchants.add_key(&key, &hash, &audit()).await?;
        if let Some(seconds) = end {
            let end = start.plus_seconds(seconds);
            store.merchants.end_key(key.id, end, &audit()).await?;
        }
        let is_old = end.is_some_and(|seconds| seconds < 50);
        if is_old { &mut deleted } else { &mut kept }.push(key.id);
    }
    let audit = world.build.audit(AuditAction::KeyRevoked);
    store.merchants.end_key(named, start, &audit).await?;
    let bound = start.plus_seconds(50);
    same!(delete(store, Rows::ApiKeys, bound).await?, 2, "deleted");
    for (ids, wanted) in [(&kept, true), (&deleted, false)] {
        for id in ids {
            let found = store.merchants.key_by_id(*id).await?;
            same!(found.is_some(), wanted, "whether a key is there");
        }
    }
    // It is named no more.
    let audit = world.build.audit(AuditAction::EndpointRemoved);
    store
        .webhooks
        .remove_endpoint(world.merchant.id, &audit)
        .await?;
    same!(delete(store, Rows::ApiKeys, bound).await?, 1, "in the end");
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
    let (operations, bound) = (Rows::NeverSentOperations, world.build.now());
    stay.push(ended(&world, attempt, never_sent).await?);
    same!(delete(store, operations, bound).await?, 3, "deleted");
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
    same!(
        delete(store, operations, bound).await?,
        1,
        "deleted once it is answered"
    );
    let later = world.build.now().plus_seconds(1);
    same!(
        delete(store, Rows::IdempotencyRecords, later).await?,
        1,
        "deleted: its key"
    );
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
