//! Deletion after the retention period: session changes, deliveries, operations that were never
//! sent, API keys.

use anyhow::ensure;
use oncharge_domain::{
    audit::AuditAction,
    operation::{
        CancelPurpose, Contradiction, Operation, OperationKind, OperationStatus, SendState,
    },
    psp::RefusalReason,
    refund::RefundStatus,
    session::Session,
    time::Timestamp,
    webhook::DeliveryState,
};
use oncharge_ports::{
    maintenance::ExpiringRows as Rows,
    unit_of_work::{ChangedOperation, IdempotencyWrite},
    webhook_repository::Redelivery,
};

use super::clean_up::delete;
use crate::{
    TestedStore,
    fixture::{Fixture, fingerprint, response},
};

/// Deletes all deliveries that ended before the store's current time.
async fn delete_deliveries(store: &TestedStore) -> anyhow::Result<usize> {
    let late = Timestamp::from_unix_seconds(7_000_000_000).unwrap();
    delete(store, Rows::Deliveries, late).await
}

/// Changes by units before the bound are deleted, others are kept; the session is not affected.
pub async fn old_session_changes_are_deleted(store: &TestedStore) -> anyhow::Result<()> {
    let fixture = Fixture::new(store).await?;
    let session = fixture.session().await?;
    let first = fixture.build.next_unit(&session);
    fixture.commit(first.clone()).await?;
    let second = fixture.build.next_unit(&first.session);
    fixture.commit(second.clone()).await?;
    fixture.build.advance(100);
    let bound = fixture.build.now();
    let young = fixture.build.next_unit(&second.session);
    fixture.commit(young.clone()).await?;
    let changes = Rows::SessionChanges;
    ensure_eq!(
        delete(store, changes, bound).await?,
        2,
        "the number of deleted changes"
    );
    ensure_eq!(
        delete(store, changes, bound).await?,
        0,
        "the number of changes deleted by a second run"
    );
    let is_committed = store.checkout.is_committed(&young).await?;
    ensure!(is_committed, "the change of a young unit was deleted");
    fixture
        .commit(fixture.build.next_unit(&young.session))
        .await?;
    Ok(())
}

/// Delivered and dead deliveries are deleted with their attempts; pending ones are kept at any age.
pub async fn ended_deliveries_are_deleted_with_their_attempts(
    store: &TestedStore,
) -> anyhow::Result<()> {
    let fixture = Fixture::new(store).await?;
    fixture.endpoint().await?;
    let [delivered, failing, gone] = [
        fixture.new_event(&fixture.merchant).await?,
        fixture.new_event(&fixture.merchant).await?,
        fixture.new_event(&fixture.merchant).await?,
    ];
    // Claims take everything that is due, so each event has its own due time.
    let claimed = fixture
        .claim_deliveries(fixture.build.now(), crate::fixture::webhooks::LONG)
        .await?;
    let lease = |event| crate::fixture::webhooks::lease_of(&claimed, event);
    fixture
        .record(delivered, lease(delivered)?, Ok(200))
        .await?;
    fixture.record(failing, lease(failing)?, Ok(500)).await?;
    ensure_eq!(
        delete(store, Rows::Deliveries, Timestamp::UNIX_EPOCH).await?,
        0,
        "the number of deliveries deleted at the epoch"
    );
    ensure_eq!(
        delete_deliveries(store).await?,
        1,
        "the number of deleted deliveries while one is pending"
    );
    ensure_eq!(
        fixture.outgoing(delivered).await?,
        None,
        "the delivery that ended"
    );
    let attempts = store.webhooks.attempts(delivered).await?;
    ensure_eq!(attempts, Vec::new(), "the attempts of the deleted delivery");
    ensure_eq!(
        store.webhooks.attempts(failing).await?.len(),
        1,
        "the number of attempts of the pending delivery"
    );
    // The endpoint is disabled, and its open deliveries end.
    fixture.record(gone, lease(gone)?, Ok(410)).await?;
    ensure_eq!(
        fixture.delivery(failing).await?.state,
        DeliveryState::Dead,
        "the state of a delivery to a disabled endpoint"
    );
    ensure_eq!(
        delete_deliveries(store).await?,
        2,
        "the number of deliveries deleted after the endpoint was disabled"
    );
    Ok(())
}

/// An event whose delivery was deleted is kept and can be delivered again, starting with a first
/// attempt; until that has ended, the new delivery is kept.
pub async fn an_event_is_kept_after_its_delivery(store: &TestedStore) -> anyhow::Result<()> {
    let fixture = Fixture::new(store).await?;
    fixture.endpoint().await?;
    let event = fixture.new_event(&fixture.merchant).await?;
    fixture.attempt(event, Ok(200)).await?;
    ensure_eq!(
        delete_deliveries(store).await?,
        1,
        "the number of deleted deliveries"
    );
    let (merchant, now) = (fixture.merchant.id, fixture.build.now());
    let found = store.webhooks.event(merchant, event).await?;
    ensure!(found.is_some(), "the event was deleted");
    let again = store.webhooks.redeliver(merchant, event, now).await?;
    ensure_eq!(again, Redelivery::Due, "the redelivery after the deletion");
    ensure_eq!(
        delete_deliveries(store).await?,
        0,
        "the number of pending deliveries deleted"
    );
    let after = fixture.attempt(event, Ok(200)).await?;
    ensure_eq!(
        after.attempts,
        1,
        "the number of attempts of the new delivery"
    );
    let again = store.webhooks.redeliver(merchant, event, now).await?;
    ensure_eq!(
        again,
        Redelivery::Due,
        "the redelivery of an existing delivery"
    );
    ensure_eq!(
        delete_deliveries(store).await?,
        0,
        "the number of pending deliveries deleted"
    );
    Ok(())
}

/// Keys that ended before the bound are deleted, also the one that set the webhook endpoint; active
/// ones and one in its grace period are kept.
pub async fn ended_keys_are_deleted(store: &TestedStore) -> anyhow::Result<()> {
    let fixture = Fixture::new(store).await?;
    let start = fixture.build.now();
    let named = fixture.endpoint().await?.key;
    let (mut kept, mut deleted) = (Vec::new(), vec![named]);
    for end in [Some(10), Some(49), Some(50), None] {
        let (key, hash) = fixture.build.api_key(&fixture.merchant);
        let audit = || fixture.build.audit(AuditAction::KeyCreated);
        store.merchants.add_key(&key, &hash, &audit()).await?;
        if let Some(seconds) = end {
            let end = start.plus_seconds(seconds);
            store.merchants.end_key(key.id, end, &audit()).await?;
        }
        let is_old = end.is_some_and(|seconds| seconds < 50);
        if is_old { &mut deleted } else { &mut kept }.push(key.id);
    }
    let audit = fixture.build.audit(AuditAction::KeyRevoked);
    store.merchants.end_key(named, start, &audit).await?;
    let bound = start.plus_seconds(50);
    ensure_eq!(
        delete(store, Rows::ApiKeys, bound).await?,
        3,
        "the number of deleted keys"
    );
    for (ids, wanted) in [(&kept, true), (&deleted, false)] {
        for id in ids {
            let found = store.merchants.key_with_id(*id).await?;
            ensure_eq!(found.is_some(), wanted, "whether the key exists");
        }
    }
    Ok(())
}

fn never_sent(operation: &Operation) -> Operation {
    Operation {
        status: OperationStatus::Failed,
        sending: SendState::NotSent,
        failure: Some(RefusalReason::NeverSent),
        ..operation.clone()
    }
}

/// Creates an operation, in its own session, that failed in this way.
async fn ended(
    fixture: &Fixture,
    kind: impl FnOnce(&Session) -> Operation,
    end: impl FnOnce(&Operation) -> Operation,
) -> anyhow::Result<Operation> {
    let session = fixture.session().await?;
    let operation = kind(&session);
    let session = fixture.start(&session, operation.clone()).await?;
    let operation = end(&operation);
    fixture.change(&session, operation.clone()).await?;
    Ok(operation)
}

/// Authorizations, captures and cancels that were definitely never sent are deleted; those that
/// were sent, are young or are referenced by other rows are kept.
pub async fn operations_that_were_never_sent_are_deleted(
    store: &TestedStore,
) -> anyhow::Result<()> {
    let fixture = Fixture::new(store).await?;
    let attempt = |session: &Session| fixture.build.attempt(session, "tok_1");
    let capture = |session: &Session| {
        let kind = OperationKind::Capture { automatic: true };
        fixture.build.operation(session, kind)
    };
    let cancel = |session: &Session| {
        let kind = OperationKind::Cancel(CancelPurpose::Merchant);
        fixture.build.operation(session, kind)
    };
    let mut go = vec![
        ended(&fixture, attempt, never_sent).await?,
        ended(&fixture, capture, never_sent).await?,
        ended(&fixture, cancel, never_sent).await?,
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
        ended(&fixture, attempt, contradicted).await?,
        ended(&fixture, attempt, crate::fixture::failed).await?,
        ended(&fixture, attempt, compensated).await?,
        refunding(&fixture).await?,
    ];
    let (waited_for, session) = waited_for(&fixture).await?;
    stay.push(waited_for.clone());
    fixture.build.advance(100);
    let (operations, bound) = (Rows::NeverSentOperations, fixture.build.now());
    stay.push(ended(&fixture, attempt, never_sent).await?);
    ensure_eq!(
        delete(store, operations, bound).await?,
        3,
        "deleted operations"
    );
    for operation in &go {
        let found = store.checkout.operation(operation.id).await?;
        ensure_eq!(found, None, "an operation that was never sent");
    }
    for operation in &stay {
        let found = store.checkout.operation(operation.id).await?;
        ensure_eq!(found.as_ref(), Some(operation), "a kept operation");
    }
    // Once its key has a response, nothing references it.
    let mut unit_storing_response = fixture.build.next_unit(&session);
    unit_storing_response.key = Some(IdempotencyWrite::Complete {
        scope: fixture.build.scope(&fixture.merchant, "waits"),
        response: response("503"),
        at: fixture.build.now(),
    });
    fixture.commit(unit_storing_response).await?;
    go.push(waited_for);
    ensure_eq!(
        delete(store, operations, bound).await?,
        1,
        "the number of operations deleted once the key has a response"
    );
    let later = fixture.build.now().plus_seconds(1);
    ensure_eq!(
        delete(store, Rows::IdempotencyRecords, later).await?,
        1,
        "the number of deleted idempotency records"
    );
    Ok(())
}

/// The operation of a refund that was not sent and failed.
async fn refunding(fixture: &Fixture) -> anyhow::Result<Operation> {
    let session = fixture.session().await?;
    let (mut refund, operation) = fixture.build.refund(&session, 100);
    let mut unit = fixture.build.next_unit(&session);
    unit.operations = vec![fixture.build.intent(operation.clone())];
    unit.refund = Some(refund.clone());
    let mut giving_up = fixture.build.next_unit(&unit.session);
    fixture.commit(unit).await?;
    let operation = never_sent(&operation);
    refund.status = RefundStatus::Failed(RefusalReason::NeverSent);
    giving_up.changed_refunds = vec![refund];
    giving_up.changed_operations = vec![ChangedOperation {
        operation: operation.clone(),
        next_try_at: None,
    }];
    fixture.commit(giving_up).await?;
    Ok(operation)
}

/// An operation that was never sent and for which the key `waits` is still reserved, with its
/// session.
async fn waited_for(fixture: &Fixture) -> anyhow::Result<(Operation, Session)> {
    let session = fixture.session().await?;
    let operation = fixture.build.attempt(&session, "tok_1");
    let mut unit = fixture.build.next_unit(&session);
    unit.operations = vec![fixture.build.intent(operation.clone())];
    unit.key = Some(IdempotencyWrite::Reserve {
        scope: fixture.build.scope(&fixture.merchant, "waits"),
        fingerprint: fingerprint(),
        operation: operation.id,
        at: fixture.build.now(),
    });
    let session = unit.session.clone();
    fixture.commit(unit).await?;
    let operation = never_sent(&operation);
    let session = fixture.change(&session, operation.clone()).await?;
    Ok((operation, session))
}
