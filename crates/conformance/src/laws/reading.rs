//! Specific queries of the use cases.

use anyhow::ensure;
use oncharge_domain::{
    cursor::Position,
    operation::{Operation, OperationKind, OperationStatus, SendState},
    psp::TokenFingerprint,
    refund::{Refund, RefundStatus},
};

use crate::{
    TestedStore,
    fixture::{Fixture, failed},
};

/// The request's bytes are kept while the operation is open, in every state, and deleted when it
/// ends.
pub async fn requests_are_deleted_once_final(store: &TestedStore) -> anyhow::Result<()> {
    let fixture = Fixture::new(store).await?;
    for status in [OperationStatus::Succeeded, OperationStatus::Failed] {
        let (session, attempt) = fixture.session_with_attempt().await?;
        let checkout = &fixture.store.checkout;
        let bytes = checkout.request(attempt.id).await?;
        ensure!(bytes.is_some(), "the request was not stored");
        let accepted = Operation {
            sending: SendState::Accepted,
            ..attempt.clone()
        };
        let session = fixture.change(&session, accepted).await?;
        ensure_eq!(
            checkout.request(attempt.id).await?,
            bytes,
            "the request of an open operation"
        );
        let ended = Operation {
            status,
            ..failed(&attempt)
        };
        fixture.change(&session, ended).await?;
        ensure_eq!(
            checkout.request(attempt.id).await?,
            None,
            "the request after {status:?}"
        );
    }
    Ok(())
}

/// Finds open refunds that were never sent; not those that may have been sent, have ended, or
/// belong to another session.
pub async fn unsent_refunds_are_those_never_sent(store: &TestedStore) -> anyhow::Result<()> {
    let fixture = Fixture::new(store).await?;
    let (mine, other) = (fixture.session().await?, fixture.session().await?);
    let mut current = mine.clone();
    let mut wanted = Vec::new();
    for sending in [
        SendState::NotSent,
        SendState::Intended,
        SendState::Unknown,
        SendState::Accepted,
        SendState::NotSent,
    ] {
        let (refund, operation) = fixture.build.refund(&mine, 10);
        let operation = Operation {
            sending,
            ..operation
        };
        let mut unit = fixture.build.next_unit(&current);
        unit.operations = vec![fixture.build.intent(operation.clone())];
        unit.refund = Some(refund.clone());
        current = unit.session.clone();
        fixture.commit(unit).await?;
        if sending == SendState::NotSent {
            wanted.push((refund, operation));
        }
    }
    let (refund, operation) = fixture.build.refund(&other, 10);
    let operation = Operation {
        sending: SendState::NotSent,
        ..operation
    };
    let mut unit = fixture.build.next_unit(&other);
    unit.operations = vec![fixture.build.intent(operation)];
    unit.refund = Some(refund);
    fixture.commit(unit).await?;

    let by_id = |mut found: Vec<(Refund, Operation)>| {
        found.sort_by_key(|(refund, _)| refund.id);
        found
    };
    let wanted = by_id(wanted);
    let found = by_id(fixture.store.checkout.unsent_refunds(mine.id).await?);
    ensure_eq!(found, wanted, "the unsent refunds");

    // One of them fails: it is no longer open.
    let (refund, operation) = &wanted[0];
    let mut unit = fixture.build.next_unit(&current);
    let ended = failed(operation);
    unit.changed_refunds = vec![Refund {
        status: RefundStatus::Failed(oncharge_domain::psp::RefusalReason::NothingHeld),
        ..refund.clone()
    }];
    unit.changed_operations = vec![oncharge_ports::unit_of_work::ChangedOperation {
        operation: ended,
        next_try_at: None,
    }];
    fixture.commit(unit).await?;
    let found = fixture.store.checkout.unsent_refunds(mine.id).await?;
    ensure_eq!(found, wanted[1..], "the remaining unsent refunds");
    Ok(())
}

/// A token is found once it was used in this session, also after the attempt has ended.
pub async fn has_attempt_finds_tokens(store: &TestedStore) -> anyhow::Result<()> {
    let fixture = Fixture::new(store).await?;
    let (session, attempt) = fixture.session_with_attempt().await?;
    let OperationKind::Authorize { token, .. } = attempt.kind else {
        anyhow::bail!("the builder's operation is not an attempt");
    };
    let other = fixture.session().await?;
    let checkout = &fixture.store.checkout;
    let unknown = TokenFingerprint::of("tok_unknown");
    for ended in [false, true] {
        if ended {
            fixture.change(&session, failed(&attempt)).await?;
        }
        ensure_eq!(
            checkout.has_attempt(session.id, token).await?,
            true,
            "whether the token is found, attempt ended: {ended}"
        );
        ensure_eq!(
            checkout.has_attempt(session.id, unknown).await?,
            false,
            "whether another token is found"
        );
        ensure_eq!(
            checkout.has_attempt(other.id, token).await?,
            false,
            "whether the token is found in another session"
        );
    }
    Ok(())
}

/// Lists operations from a time on, that time included, oldest first, page by page: none is left
/// out or repeated, even if operations are added or changed between pages.
pub async fn operations_are_listed_since_a_time(store: &TestedStore) -> anyhow::Result<()> {
    let fixture = Fixture::new(store).await?;
    let mut all = Vec::new();
    for number in 0..12 {
        let (session, attempt) = fixture.session_with_attempt().await?;
        if number % 3 == 0 {
            fixture.change(&session, failed(&attempt)).await?;
            all.push(failed(&attempt));
        } else {
            all.push(attempt);
        }
        // Some have the same timestamp.
        fixture.build.advance(i64::from(number % 2));
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
                ensure!(
                    page.len() <= limit as usize,
                    "a page of {} operations",
                    page.len()
                );
                if page.is_empty() || found.len() > wanted.len() {
                    break;
                }
                found.extend(page);
            }
            ensure_eq!(
                found,
                wanted,
                "the operations since {since:?}, {limit} per page"
            );
        }
    }
    let past = all[11].created_at.plus_seconds(1);
    ensure_eq!(
        checkout.operations(past, None, 10).await?,
        [],
        "the operations after the last one"
    );
    fixture.build.advance(10);
    let last = position(&all[11]);
    let (_, new) = fixture.session_with_attempt().await?;
    let page = checkout
        .operations(all[0].created_at, Some(last), 10)
        .await?;
    ensure_eq!(page, [new], "the operations added since");
    Ok(())
}

fn position(operation: &Operation) -> Position {
    Position {
        created_at: operation.created_at,
        id: operation.id.uuid(),
    }
}
