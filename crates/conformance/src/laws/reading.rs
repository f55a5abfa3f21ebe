//! The narrow questions that use cases ask.

use anyhow::ensure;
use oncharge_domain::{
    cursor::Position,
    operation::{Operation, OperationKind, OperationStatus, Sending},
    psp::TokenFingerprint,
    refund::{Refund, RefundStatus},
};

use crate::{
    Store,
    world::{World, failed},
};

/// The bytes stay while the operation is open, whatever is learned of it, and go with its end.
pub async fn requests_are_deleted_once_final(store: &Store) -> anyhow::Result<()> {
    let world = World::new(store).await?;
    for status in [OperationStatus::Succeeded, OperationStatus::Failed] {
        let (session, attempt) = world.paying().await?;
        let checkout = &world.store.checkout;
        let bytes = checkout.request(attempt.id).await?;
        ensure!(bytes.is_some(), "no request at first");
        let accepted = Operation {
            sending: Sending::Accepted,
            ..attempt.clone()
        };
        let session = world.change(&session, accepted).await?;
        same!(
            checkout.request(attempt.id).await?,
            bytes,
            "while it is open"
        );
        let ended = Operation {
            status,
            ..failed(&attempt)
        };
        world.change(&session, ended).await?;
        same!(checkout.request(attempt.id).await?, None, "{status:?}");
    }
    Ok(())
}

/// Open and never sent; not those that may be on their way, have ended, or are another session's.
pub async fn unsent_refunds_are_those_never_sent(store: &Store) -> anyhow::Result<()> {
    let world = World::new(store).await?;
    let (mine, other) = (world.session().await?, world.session().await?);
    let mut current = mine.clone();
    let mut wanted = Vec::new();
    for sending in [
        Sending::NotSent,
        Sending::Intended,
        Sending::Unknown,
        Sending::Accepted,
        Sending::NotSent,
    ] {
        let (refund, operation) = world.build.refund(&mine, 10);
        let operation = Operation {
            sending,
            ..operation
        };
        let mut unit = world.build.next_unit(&current);
        unit.operations = vec![world.build.intent(operation.clone())];
        unit.refund = Some(refund.clone());
        current = unit.session.clone();
        world.commit(unit).await?;
        if sending == Sending::NotSent {
            wanted.push((refund, operation));
        }
    }
    let (refund, operation) = world.build.refund(&other, 10);
    let operation = Operation {
        sending: Sending::NotSent,
        ..operation
    };
    let mut unit = world.build.next_unit(&other);
    unit.operations = vec![world.build.intent(operation)];
    unit.refund = Some(refund);
    world.commit(unit).await?;

    let by_id = |mut found: Vec<(Refund, Operation)>| {
        found.sort_by_key(|(refund, _)| refund.id);
        found
    };
    let wanted = by_id(wanted);
    let found = by_id(world.store.checkout.unsent_refunds(mine.id).await?);
    same!(found, wanted, "never sent");

    // One of them fails: it is no longer open.
    let (refund, operation) = &wanted[0];
    let mut unit = world.build.next_unit(&current);
    let ended = failed(operation);
    unit.changed_refunds = vec![Refund {
        status: RefundStatus::Failed(oncharge_domain::psp::RefusalReason::NothingHeld),
        ..refund.clone()
    }];
    unit.changed_operations = vec![oncharge_ports::unit_of_work::ChangedOperation {
        operation: ended,
        next_try_at: None,
    }];
    world.commit(unit).await?;
    let found = world.store.checkout.unsent_refunds(mine.id).await?;
    same!(found, wanted[1..], "those left");
    Ok(())
}

/// A token counts once tried in this session, also after the try has ended.
pub async fn has_attempt_knows_tokens(store: &Store) -> anyhow::Result<()> {
    let world = World::new(store).await?;
    let (session, attempt) = world.paying().await?;
    let OperationKind::Authorize { token, .. } = attempt.kind else {
        anyhow::bail!("the builder makes attempts");
    };
    let other = world.session().await?;
    let checkout = &world.store.checkout;
    let unknown = TokenFingerprint::of("tok_unknown");
    for ended in [false, true] {
        if ended {
            world.change(&session, failed(&attempt)).await?;
        }
        same!(
            checkout.has_attempt(session.id, token).await?,
            true,
            "ended: {ended}"
        );
        same!(
            checkout.has_attempt(session.id, unknown).await?,
            false,
            "another token"
        );
        same!(
            checkout.has_attempt(other.id, token).await?,
            false,
            "another session"
        );
    }
    Ok(())
}

/// From a time on, that moment included, oldest first, page by page: none is left out and none
/// comes twice, whatever is added or changed meanwhile.
pub async fn operations_are_listed_from_a_time_on(store: &Store) -> anyhow::Result<()> {
    let world = World::new(store).await?;
    let mut all = Vec::new();
    for number in 0..12 {
        let (session, attempt) = world.paying().await?;
        if number % 3 == 0 {
            world.change(&session, failed(&attempt)).await?;
            all.push(failed(&attempt));
        } else {
            all.push(attempt);
        }
        // Some share a moment.
        world.build.advance(i64::from(number % 2));
    }
    all.sort_by_key(|operation| (operation.created_at, operation.id));
    let checkout = &store.checkout;
    for since in [all[0].created_at, all[5].created_at, all[11].created_at] {
        let wanted = all.iter().filter(|operation| operation.created_at >= since);
        let wanted: Vec<Operation> = wanted.cloned().collect();
        for limit in [1, 2, 5, 100] {
            let mut found: Vec<Operation> = Vec::new();
            loop {
                let after = found.last().map(position);
                let page = checkout.operations(since, after, limit).await?;
                ensure!(page.len() <= limit as usize, "a page of {}", page.len());
                if page.is_empty() || found.len() > wanted.len() {
                    break;
                }
                found.extend(page);
            }
            same!(found, wanted, "since {since:?}, {limit} at once");
        }
    }
    let past = all[11].created_at.plus_seconds(1);
    same!(checkout.operations(past, None, 10).await?, [], "since then");
    world.build.advance(10);
    let last = position(&all[11]);
    let (_, new) = world.paying().await?;
    let page = checkout
        .operations(all[0].created_at, Some(last), 10)
        .await?;
    same!(page, [new], "what came meanwhile");
    Ok(())
}

fn position(operation: &Operation) -> Position {
    Position {
        created_at: operation.created_at,
        id: operation.id.uuid(),
    }
}
