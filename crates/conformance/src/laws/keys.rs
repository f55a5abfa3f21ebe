//! Idempotency keys: reserved once, released, and stored for 72 hours.

use anyhow::{Context, ensure};
use oncharge_domain::{
    idempotency::{IDEMPOTENCY_RETENTION_SECONDS, RequestFingerprint},
    operation::{Operation, OperationStatus},
};
use oncharge_ports::{
    CommitError,
    unit_of_work::{ChangedOperation, IdempotencyWrite},
};
use tokio::task::JoinSet;

use crate::{
    TestedStore,
    fixture::{Fixture, fingerprint, response},
};

/// A key that is reserved or has a response is taken, for both ways of reserving it.
pub async fn a_key_is_reserved_once(store: &TestedStore) -> anyhow::Result<()> {
    let fixture = Fixture::new(store).await?;
    let reserved = fixture.build.scope(&fixture.merchant, "reserved");
    let answered = fixture.build.scope(&fixture.merchant, "answered");
    fixture
        .commit(fixture.unit_reserving_key(&reserved))
        .await?;
    fixture
        .commit(fixture.unit_storing_response(&answered, "{}"))
        .await?;
    for scope in [&reserved, &answered] {
        for unit in [
            fixture.unit_reserving_key(scope),
            fixture.unit_storing_response(scope, "other"),
        ] {
            let session = unit.session.id;
            ensure_err!(
                fixture.commit(unit).await,
                CommitError::IdempotencyKeyTaken,
                "{scope:?}"
            );
            let found = fixture.store.checkout.session(session).await?;
            ensure_eq!(found, None, "the session of a refused unit");
        }
    }
    let record = fixture
        .store
        .checkout
        .key(&reserved)
        .await?
        .context("reserved")?;
    ensure_eq!(record.fingerprint, fingerprint(), "the fingerprint");
    ensure_eq!(record.response, None, "the response");
    ensure_eq!(record.responded_at, None, "the time of the response");
    let record = fixture
        .store
        .checkout
        .key(&answered)
        .await?
        .context("answered")?;
    ensure_eq!(record.fingerprint, fingerprint(), "the fingerprint");
    ensure_eq!(record.response, Some(response("{}")), "the response");
    ensure_eq!(
        record.responded_at,
        Some(fixture.build.now()),
        "the time of the response"
    );
    Ok(())
}

/// Of sixteen concurrent requests with one key, one succeeds.
pub async fn a_key_is_reserved_once_concurrently(store: &TestedStore) -> anyhow::Result<()> {
    let fixture = Fixture::new(store).await?;
    for round in 0..4 {
        let scope = fixture.build.scope(&fixture.merchant, &format!("k{round}"));
        let mut tasks = JoinSet::new();
        for number in 0..16 {
            let unit = if number % 2 == 0 {
                fixture.unit_reserving_key(&scope)
            } else {
                fixture.unit_storing_response(&scope, "{}")
            };
            let checkout = store.checkout.clone();
            tasks.spawn(async move { checkout.commit(unit).await });
        }
        let results = tasks.join_all().await;
        let won = results.iter().filter(|result| result.is_ok()).count();
        ensure_eq!(won, 1, "units committed in round {round}: {results:?}");
        for result in results.into_iter().filter(Result::is_err) {
            ensure_err!(
                result,
                CommitError::IdempotencyKeyTaken,
                "a failed unit of round {round}"
            );
        }
    }
    Ok(())
}

/// A released key is as if it had never been reserved.
pub async fn a_released_key_can_be_reserved_again(store: &TestedStore) -> anyhow::Result<()> {
    let fixture = Fixture::new(store).await?;
    let scope = fixture.build.scope(&fixture.merchant, "k");
    let unit_reserving_key = fixture.unit_reserving_key(&scope);
    fixture.commit(unit_reserving_key.clone()).await?;
    let mut freeing = fixture.build.next_unit(&unit_reserving_key.session);
    freeing.key = Some(IdempotencyWrite::Release {
        scope: scope.clone(),
    });
    fixture.commit(freeing).await?;
    ensure!(
        fixture.store.checkout.key(&scope).await?.is_none(),
        "the record of a released key is found"
    );
    let waiting = unit_reserving_key.operations[0].operation.id;
    ensure_eq!(
        fixture.store.checkout.reserved_key(waiting).await?,
        None,
        "the released key is found by its operation"
    );
    fixture.commit(fixture.unit_reserving_key(&scope)).await?;
    Ok(())
}

/// The response stored first is kept, byte for byte; a later release has no effect.
pub async fn a_stored_response_is_not_overwritten(store: &TestedStore) -> anyhow::Result<()> {
    let fixture = Fixture::new(store).await?;
    let scope = fixture.build.scope(&fixture.merchant, "k\"'%_~");
    let unit_reserving_key = fixture.unit_reserving_key(&scope);
    fixture.commit(unit_reserving_key.clone()).await?;
    let mut session = unit_reserving_key.session;
    let mut first = response("");
    first.status = 503;
    "application/problem+json; charset=utf-8".clone_into(&mut first.content_type);
    first.body = (0..=255).cycle().take(20_000).collect();
    let at = fixture.build.now();
    let remember = |response| IdempotencyWrite::Complete {
        scope: scope.clone(),
        response,
        at,
    };
    let free = IdempotencyWrite::Release {
        scope: scope.clone(),
    };
    for write in [remember(first.clone()), remember(response("second")), free] {
        let mut unit = fixture.build.next_unit(&session);
        unit.key = Some(write);
        session = unit.session.clone();
        fixture.commit(unit).await?;
        let record = fixture
            .store
            .checkout
            .key(&scope)
            .await?
            .context("the key")?;
        ensure_eq!(record.response, Some(first.clone()), "the response");
        ensure_eq!(record.responded_at, Some(at), "the time of the response");
    }
    Ok(())
}

/// A response is stored for 72 hours, then the key is free; a key without a response never expires.
pub async fn a_key_expires_after_72_hours(store: &TestedStore) -> anyhow::Result<()> {
    let fixture = Fixture::new(store).await?;
    let answered = fixture.build.scope(&fixture.merchant, "answered");
    let reserved = fixture.build.scope(&fixture.merchant, "reserved");
    fixture
        .commit(fixture.unit_storing_response(&answered, "first"))
        .await?;
    fixture
        .commit(fixture.unit_reserving_key(&reserved))
        .await?;
    fixture.build.advance(IDEMPOTENCY_RETENTION_SECONDS);
    let early = fixture.unit_storing_response(&answered, "second");
    ensure_err!(
        fixture.commit(early).await,
        CommitError::IdempotencyKeyTaken,
        "a unit after exactly 72 hours"
    );
    fixture.build.advance(1);
    let late = fixture.unit_reserving_key(&reserved);
    ensure_err!(
        fixture.commit(late).await,
        CommitError::IdempotencyKeyTaken,
        "a unit for a key without a response"
    );
    let other = RequestFingerprint::of("POST", "/other", b"");
    let mut taking = fixture.unit_reserving_key(&answered);
    if let Some(IdempotencyWrite::Reserve { fingerprint, .. }) = &mut taking.key {
        *fingerprint = other;
    }
    fixture.commit(taking.clone()).await?;
    let record = fixture
        .store
        .checkout
        .key(&answered)
        .await?
        .context("the key")?;
    ensure_eq!(
        record.fingerprint,
        other,
        "the fingerprint of the new request"
    );
    ensure_eq!(record.response, None, "the response to the new request");
    let waiting = taking.operations[0].operation.id;
    let scope = fixture.store.checkout.reserved_key(waiting).await?;
    ensure_eq!(
        scope,
        Some(answered.clone()),
        "the key that is reserved for the new request"
    );
    let again = fixture.unit_storing_response(&answered, "third");
    ensure_err!(
        fixture.commit(again).await,
        CommitError::IdempotencyKeyTaken,
        "a second unit after 72 hours"
    );
    Ok(())
}

/// A key with a response is free after 72 hours only if the operation that its request started has
/// ended.
pub async fn a_key_of_an_open_operation_is_never_free(store: &TestedStore) -> anyhow::Result<()> {
    let fixture = Fixture::new(store).await?;
    let scope = fixture.build.scope(&fixture.merchant, "open");
    let unit_reserving_key = fixture.unit_reserving_key(&scope);
    let operation = unit_reserving_key.operations[0].operation.clone();
    fixture.commit(unit_reserving_key.clone()).await?;
    let mut unit = fixture.build.next_unit(&unit_reserving_key.session);
    unit.key = Some(IdempotencyWrite::Complete {
        scope: scope.clone(),
        response: response("accepted"),
        at: fixture.build.now(),
    });
    let session = unit.session.clone();
    fixture.commit(unit).await?;
    fixture.build.advance(IDEMPOTENCY_RETENTION_SECONDS + 1);
    let record = store.checkout.key(&scope).await?.context("the key")?;
    ensure_eq!(
        record.operation,
        Some(operation.id),
        "the operation of the record"
    );
    ensure_err!(
        fixture
            .commit(fixture.unit_storing_response(&scope, "second"))
            .await,
        CommitError::IdempotencyKeyTaken,
        "a unit while the operation is open"
    );
    let mut unit = fixture.build.next_unit(&session);
    unit.changed_operations = vec![ChangedOperation {
        operation: Operation {
            status: OperationStatus::Succeeded,
            ..operation
        },
        next_try_at: None,
    }];
    fixture.commit(unit).await?;
    fixture
        .commit(fixture.unit_storing_response(&scope, "third"))
        .await?;
    Ok(())
}

/// Two merchants can use the same key; keys are case-sensitive.
pub async fn keys_belong_to_their_merchant(store: &TestedStore) -> anyhow::Result<()> {
    let fixture = Fixture::new(store).await?;
    let other = fixture.other_merchant().await?;
    let scopes = [
        fixture.build.scope(&fixture.merchant, "k"),
        fixture.build.scope(&fixture.merchant, "K"),
        fixture.build.scope(&other, "k"),
    ];
    for (number, scope) in scopes.iter().enumerate() {
        let unit = fixture.unit_storing_response(scope, &number.to_string());
        fixture.commit(unit).await?;
    }
    for (number, scope) in scopes.iter().enumerate() {
        let record = fixture
            .store
            .checkout
            .key(scope)
            .await?
            .context("the key")?;
        ensure_eq!(
            record.response,
            Some(response(&number.to_string())),
            "{scope:?}"
        );
    }
    Ok(())
}

/// The key of a reserved request is found by its operation until its response is stored.
pub async fn the_reserved_key_has_no_response(store: &TestedStore) -> anyhow::Result<()> {
    let fixture = Fixture::new(store).await?;
    // Quotes inside a key are part of it: the second key differs from the first.
    let (one, two) = (
        fixture.build.scope(&fixture.merchant, "one"),
        fixture.build.scope(&fixture.merchant, "\"\"one\"\""),
    );
    let (first, second) = (
        fixture.unit_reserving_key(&one),
        fixture.unit_reserving_key(&two),
    );
    fixture.commit(first.clone()).await?;
    fixture.commit(second.clone()).await?;
    let waiting = |unit: &oncharge_ports::UnitOfWork| {
        let id = unit.operations[0].operation.id;
        fixture.store.checkout.reserved_key(id)
    };
    ensure_eq!(
        waiting(&first).await?,
        Some(one.clone()),
        "the key of the first operation"
    );
    ensure_eq!(
        waiting(&second).await?,
        Some(two.clone()),
        "the key of the second operation"
    );
    let mut unit_storing_response = fixture.build.next_unit(&first.session);
    unit_storing_response.key = Some(IdempotencyWrite::Complete {
        scope: one,
        response: response("{}"),
        at: fixture.build.now(),
    });
    fixture.commit(unit_storing_response).await?;
    ensure_eq!(
        waiting(&first).await?,
        None,
        "the key of the first operation after its response was stored"
    );
    ensure_eq!(
        waiting(&second).await?,
        Some(two),
        "the key of the second operation after the first one's response was stored"
    );
    Ok(())
}

/// A record that guards no change of a session is written without a unit, under the same rules.
pub async fn a_key_is_written_without_a_unit(store: &TestedStore) -> anyhow::Result<()> {
    let fixture = Fixture::new(store).await?;
    let scope = fixture.build.scope(&fixture.merchant, "k");
    let write = |body: &str| IdempotencyWrite::ReserveAndComplete {
        scope: scope.clone(),
        fingerprint: fingerprint(),
        response: response(body),
        at: fixture.build.now(),
    };
    let checkout = &store.checkout;
    checkout.write_idempotency_record(write("first")).await?;
    let again = checkout.write_idempotency_record(write("second")).await;
    ensure_err!(
        again,
        CommitError::IdempotencyKeyTaken,
        "a second write without a unit"
    );
    let unit = fixture.unit_reserving_key(&scope);
    ensure_err!(
        fixture.commit(unit).await,
        CommitError::IdempotencyKeyTaken,
        "a unit after a write without a unit"
    );
    let record = checkout.key(&scope).await?.context("the key")?;
    ensure_eq!(record.response, Some(response("first")), "the response");
    ensure_eq!(
        record.responded_at,
        Some(fixture.build.now()),
        "the time of the response"
    );
    ensure_eq!(record.fingerprint, fingerprint(), "the fingerprint");

    let of_unit = fixture.build.scope(&fixture.merchant, "of_a_unit");
    fixture.commit(fixture.unit_reserving_key(&of_unit)).await?;
    let taken = checkout.write_idempotency_record(IdempotencyWrite::ReserveAndComplete {
        scope: of_unit,
        fingerprint: fingerprint(),
        response: response(""),
        at: fixture.build.now(),
    });
    ensure_err!(
        taken.await,
        CommitError::IdempotencyKeyTaken,
        "a write without a unit after a unit"
    );
    fixture.build.advance(IDEMPOTENCY_RETENTION_SECONDS + 1);
    checkout.write_idempotency_record(write("later")).await?;
    let record = checkout.key(&scope).await?.context("the key")?;
    ensure_eq!(
        record.response,
        Some(response("later")),
        "the response after 72 hours"
    );
    Ok(())
}
