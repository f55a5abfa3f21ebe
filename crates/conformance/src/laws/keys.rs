//! Idempotency keys: reserved once, freed, remembered for 72 hours.

use anyhow::{Context, ensure};
use oncharge_domain::{
    idempotency::{REMEMBERED_SECONDS, RequestFingerprint},
    operation::{Operation, OperationStatus},
};
use oncharge_ports::{
    CommitError,
    unit_of_work::{ChangedOperation, KeyWrite},
};
use tokio::task::JoinSet;

use crate::{
    Store,
    world::{World, answer, fingerprint},
};

/// A key that is reserved or answered is taken, for either way of taking it.
pub async fn a_key_is_reserved_once(store: &Store) -> anyhow::Result<()> {
    let world = World::new(store).await?;
    let reserved = world.build.scope(&world.merchant, "reserved");
    let answered = world.build.scope(&world.merchant, "answered");
    world.commit(world.reserving(&reserved)).await?;
    world.commit(world.answering(&answered, "{}")).await?;
    for scope in [&reserved, &answered] {
        for unit in [world.reserving(scope), world.answering(scope, "other")] {
            let session = unit.session.id;
            fails!(world.commit(unit).await, CommitError::KeyTaken, "{scope:?}");
            let found = world.store.checkout.session(session).await?;
            same!(found, None, "the session of a refused unit");
        }
    }
    let record = world
        .store
        .checkout
        .key(&reserved)
        .await?
        .context("reserved")?;
    same!(record.fingerprint, fingerprint(), "the fingerprint");
    same!(record.answer, None, "the answer");
    same!(record.answered_at, None, "when");
    let record = world
        .store
        .checkout
        .key(&answered)
        .await?
        .context("answered")?;
    same!(record.fingerprint, fingerprint(), "the fingerprint");
    same!(record.answer, Some(answer("{}")), "the answer");
    same!(record.answered_at, Some(world.build.now()), "when");
    Ok(())
}

/// Sixteen requests with one key at once: one goes through.
pub async fn a_key_is_reserved_once_by_racers(store: &Store) -> anyhow::Result<()> {
    let world = World::new(store).await?;
    for round in 0..4 {
        let scope = world.build.scope(&world.merchant, &format!("k{round}"));
        let mut tasks = JoinSet::new();
        for number in 0..16 {
            let unit = if number % 2 == 0 {
                world.reserving(&scope)
            } else {
                world.answering(&scope, "{}")
            };
            let checkout = store.checkout.clone();
            tasks.spawn(async move { checkout.commit(unit).await });
        }
        let results = tasks.join_all().await;
        let won = results.iter().filter(|result| result.is_ok()).count();
        same!(won, 1, "winners of round {round}: {results:?}");
        for result in results.into_iter().filter(Result::is_err) {
            fails!(result, CommitError::KeyTaken, "a loser of round {round}");
        }
    }
    Ok(())
}

/// A freed key is as if it had never been there.
pub async fn a_freed_key_can_be_taken_again(store: &Store) -> anyhow::Result<()> {
    let world = World::new(store).await?;
    let scope = world.build.scope(&world.merchant, "k");
    let reserving = world.reserving(&scope);
    world.commit(reserving.clone()).await?;
    let mut freeing = world.build.next_unit(&reserving.session);
    freeing.key = Some(KeyWrite::Free {
        scope: scope.clone(),
    });
    world.commit(freeing).await?;
    ensure!(
        world.store.checkout.key(&scope).await?.is_none(),
        "a freed key is found"
    );
    let waiting = reserving.operations[0].operation.id;
    same!(
        world.store.checkout.waiting_key(waiting).await?,
        None,
        "a freed key waits"
    );
    world.commit(world.reserving(&scope)).await?;
    Ok(())
}

/// What is remembered first stays, byte for byte; freeing comes too late for it.
pub async fn a_remembered_answer_stays(store: &Store) -> anyhow::Result<()> {
    let world = World::new(store).await?;
    let scope = world.build.scope(&world.merchant, "k\"'%_~");
    let reserving = world.reserving(&scope);
    world.commit(reserving.clone()).await?;
    let mut session = reserving.session;
    let mut first = answer("");
    first.status = 503;
    "application/problem+json; charset=utf-8".clone_into(&mut first.content_type);
    first.body = (0..=255).cycle().take(20_000).collect();
    let at = world.build.now();
    let remember = |answer| KeyWrite::Remember {
        scope: scope.clone(),
        answer,
        at,
    };
    let free = KeyWrite::Free {
        scope: scope.clone(),
    };
    for write in [remember(first.clone()), remember(answer("second")), free] {
        let mut unit = world.build.next_unit(&session);
        unit.key = Some(write);
        session = unit.session.clone();
        world.commit(unit).await?;
        let record = world.store.checkout.key(&scope).await?.context("the key")?;
        same!(record.answer, Some(first.clone()), "the answer");
        same!(record.answered_at, Some(at), "when");
    }
    Ok(())
}

/// An answer is remembered for 72 hours and the key free after that; an unanswered key never is.
pub async fn a_key_is_free_after_72_hours(store: &Store) -> anyhow::Result<()> {
    let world = World::new(store).await?;
    let answered = world.build.scope(&world.merchant, "answered");
    let reserved = world.build.scope(&world.merchant, "reserved");
    world.commit(world.answering(&answered, "first")).await?;
    world.commit(world.reserving(&reserved)).await?;
    world.build.advance(REMEMBERED_SECONDS);
    let early = world.answering(&answered, "second");
    fails!(
        world.commit(early).await,
        CommitError::KeyTaken,
        "after exactly 72 hours"
    );
    world.build.advance(1);
    let late = world.reserving(&reserved);
    fails!(
        world.commit(late).await,
        CommitError::KeyTaken,
        "an unanswered key"
    );
    let other = RequestFingerprint::of("POST", "/other", b"");
    let mut taking = world.reserving(&answered);
    if let Some(KeyWrite::Reserve { fingerprint, .. }) = &mut taking.key {
        *fingerprint = other;
    }
    world.commit(taking.clone()).await?;
    let record = world
        .store
        .checkout
        .key(&answered)
        .await?
        .context("the key")?;
    same!(record.fingerprint, other, "the new request");
    same!(record.answer, None, "the old answer is gone");
    let waiting = taking.operations[0].operation.id;
    let scope = world.store.checkout.waiting_key(waiting).await?;
    same!(scope, Some(answered.clone()), "the new request waits");
    let again = world.answering(&answered, "third");
    fails!(
        world.commit(again).await,
        CommitError::KeyTaken,
        "taken again"
    );
    Ok(())
}

/// An answered key is free after 72 hours only once the operation that its request started has ended.
pub async fn a_key_of_an_open_operation_is_never_free(store: &Store) -> anyhow::Result<()> {
    let world = World::new(store).await?;
    let scope = world.build.scope(&world.merchant, "open");
    let reserving = world.reserving(&scope);
    let operation = reserving.operations[0].operation.clone();
    world.commit(reserving.clone()).await?;
    let mut unit = world.build.next_unit(&reserving.session);
    unit.key = Some(KeyWrite::Remember {
        scope: scope.clone(),
        answer: answer("accepted"),
        at: world.build.now(),
    });
    let session = unit.session.clone();
    world.commit(unit).await?;
    world.build.advance(REMEMBERED_SECONDS + 1);
    let record = store.checkout.key(&scope).await?.context("the key")?;
    same!(record.operation, Some(operation.id), "its operation");
    fails!(
        world.commit(world.answering(&scope, "second")).await,
        CommitError::KeyTaken,
        "while the operation is open"
    );
    let mut unit = world.build.next_unit(&session);
    unit.changed_operations = vec![ChangedOperation {
        operation: Operation {
            status: OperationStatus::Succeeded,
            ..operation
        },
        next_try_at: None,
    }];
    world.commit(unit).await?;
    world.commit(world.answering(&scope, "third")).await?;
    Ok(())
}

/// Two merchants may use one text; upper and lower case are different keys.
pub async fn keys_belong_to_their_merchant(store: &Store) -> anyhow::Result<()> {
    let world = World::new(store).await?;
    let other = world.other_merchant().await?;
    let scopes = [
        world.build.scope(&world.merchant, "k"),
        world.build.scope(&world.merchant, "K"),
        world.build.scope(&other, "k"),
    ];
    for (number, scope) in scopes.iter().enumerate() {
        let unit = world.answering(scope, &number.to_string());
        world.commit(unit).await?;
    }
    for (number, scope) in scopes.iter().enumerate() {
        let record = world.store.checkout.key(scope).await?.context("the key")?;
        same!(
            record.answer,
            Some(answer(&number.to_string())),
            "{scope:?}"
        );
    }
    Ok(())
}

/// The key of a reserved request is found by its operation until it is answered.
pub async fn the_waiting_key_is_the_unanswered_one(store: &Store) -> anyhow::Result<()> {
    let world = World::new(store).await?;
    // A key's own quotes are part of it: the second's is another key than the first's.
    let (one, two) = (
        world.build.scope(&world.merchant, "one"),
        world.build.scope(&world.merchant, "\"\"one\"\""),
    );
    let (first, second) = (world.reserving(&one), world.reserving(&two));
    world.commit(first.clone()).await?;
    world.commit(second.clone()).await?;
    let waiting = |unit: &oncharge_ports::UnitOfWork| {
        let id = unit.operations[0].operation.id;
        world.store.checkout.waiting_key(id)
    };
    same!(waiting(&first).await?, Some(one.clone()), "the first");
    same!(waiting(&second).await?, Some(two.clone()), "the second");
    let mut answering = world.build.next_unit(&first.session);
    answering.key = Some(KeyWrite::Remember {
        scope: one,
        answer: answer("{}"),
        at: world.build.now(),
    });
    world.commit(answering).await?;
    same!(waiting(&first).await?, None, "once it is answered");
    same!(waiting(&second).await?, Some(two), "the second, still");
    Ok(())
}

/// A record that guards no change of a session is written by itself, under the same rules.
pub async fn a_key_is_written_by_itself(store: &Store) -> anyhow::Result<()> {
    let world = World::new(store).await?;
    let scope = world.build.scope(&world.merchant, "k");
    let write = |body: &str| KeyWrite::Answer {
        scope: scope.clone(),
        fingerprint: fingerprint(),
        answer: answer(body),
        at: world.build.now(),
    };
    let checkout = &store.checkout;
    checkout.write_key(write("first")).await?;
    let again = checkout.write_key(write("second")).await;
    fails!(again, CommitError::KeyTaken, "taken by itself");
    let unit = world.reserving(&scope);
    fails!(
        world.commit(unit).await,
        CommitError::KeyTaken,
        "taken for a unit"
    );
    let record = checkout.key(&scope).await?.context("the key")?;
    same!(record.answer, Some(answer("first")), "the answer");
    same!(record.answered_at, Some(world.build.now()), "when");
    same!(record.fingerprint, fingerprint(), "the fingerprint");

    let of_unit = world.build.scope(&world.merchant, "of_a_unit");
    world.commit(world.reserving(&of_unit)).await?;
    let taken = checkout.write_key(KeyWrite::Answer {
        scope: of_unit,
        fingerprint: fingerprint(),
        answer: answer(""),
        at: world.build.now(),
    });
    fails!(taken.await, CommitError::KeyTaken, "taken by a unit");
    world.build.advance(REMEMBERED_SECONDS + 1);
    checkout.write_key(write("later")).await?;
    let record = checkout.key(&scope).await?.context("the key")?;
    same!(record.answer, Some(answer("later")), "after 72 hours");
    Ok(())
}
