//! Contradictions: operations that failed here and that the PSP reports as done.

use oncharge_domain::{
    audit::AuditAction,
    operation::{Contradiction, Operation},
    time::Timestamp,
};
use oncharge_ports::work_queue::{StuckItem, StuckKind};

use crate::{
    TestedStore,
    fixture::{Fixture, failed},
};

async fn listed(fixture: &Fixture, now: Timestamp) -> anyhow::Result<Vec<StuckItem>> {
    let found = fixture.store.queue.stuck(now, 1000).await?;
    let is_one = |item: &StuckItem| item.kind == StuckKind::Contradiction;
    Ok(found.into_iter().filter(is_one).collect())
}

/// Creates a failed operation that is contradicted at the builder's time.
async fn contradicted(fixture: &Fixture) -> anyhow::Result<Operation> {
    let (session, attempt) = fixture.session_with_attempt().await?;
    let operation = Operation {
        contradiction: Some(Contradiction::Listed),
        ..failed(&attempt)
    };
    fixture.change(&session, operation.clone()).await?;
    Ok(operation)
}

/// A contradiction is listed at once until a person dismisses it, oldest first; a later write of
/// the operation does not list it again.
pub async fn contradictions_are_stuck_until_they_are_dismissed(
    store: &TestedStore,
) -> anyhow::Result<()> {
    let fixture = Fixture::new(store).await?;
    let first = contradicted(&fixture).await?;
    fixture.build.advance(60);
    let second = contradicted(&fixture).await?;
    let now = fixture.build.now();
    let found = listed(&fixture, now).await?;
    ensure_eq!(found.len(), 2, "the number of contradictions");
    for (item, operation) in found.iter().zip([&first, &second]) {
        ensure_eq!(item.id, operation.id.to_string(), "the id of the item");
        ensure_eq!(item.session, Some(operation.session), "the session");
        ensure_eq!(item.merchant, Some(operation.merchant), "the merchant");
        let kind = operation.kind.name();
        anyhow::ensure!(
            item.detail.contains(kind),
            "{} does not contain {kind}",
            item.detail
        );
    }
    ensure_eq!(
        found[0].since,
        first.created_at,
        "the time of the first item"
    );

    let audit = fixture.build.audit(AuditAction::ContradictionDismissed);
    let dismissed = store.queue.dismiss_contradiction(first.id, &audit).await?;
    ensure_eq!(dismissed, true, "whether the contradiction was dismissed");
    let loaded = store.checkout.operation(first.id).await?;
    let first = Operation {
        contradiction: Some(Contradiction::Dismissed),
        ..first
    };
    ensure_eq!(loaded, Some(first.clone()), "the dismissed operation");
    let session = fixture.load(first.session).await?;
    fixture.change(&session, first).await?;
    let left = listed(&fixture, now.plus_seconds(86_400)).await?;
    ensure_eq!(
        left.len(),
        1,
        "the number of contradictions after one was dismissed"
    );
    ensure_eq!(
        left[0].id,
        second.id.to_string(),
        "the id of the remaining contradiction"
    );
    Ok(())
}

/// Nothing else can be dismissed, and nothing twice; a failed dismissal writes no audit entry.
pub async fn only_a_contradiction_is_dismissed(store: &TestedStore) -> anyhow::Result<()> {
    let fixture = Fixture::new(store).await?;
    let (session, attempt) = fixture.session_with_attempt().await?;
    let audit = || fixture.build.audit(AuditAction::ContradictionDismissed);
    let queue = &store.queue;
    ensure_eq!(
        queue.dismiss_contradiction(attempt.id, &audit()).await?,
        false,
        "whether an open operation was dismissed"
    );
    fixture.change(&session, failed(&attempt)).await?;
    ensure_eq!(
        queue.dismiss_contradiction(attempt.id, &audit()).await?,
        false,
        "whether a failed operation was dismissed"
    );
    ensure_eq!(
        queue
            .dismiss_contradiction(fixture.build.id(), &audit())
            .await?,
        false,
        "whether an unknown operation was dismissed"
    );
    let operation = contradicted(&fixture).await?;
    ensure_eq!(
        queue.dismiss_contradiction(operation.id, &audit()).await?,
        true,
        "whether a contradicted operation was dismissed"
    );
    ensure_eq!(
        queue.dismiss_contradiction(operation.id, &audit()).await?,
        false,
        "whether a dismissed operation was dismissed again"
    );
    ensure_eq!(
        listed(&fixture, fixture.build.now()).await?,
        [],
        "the remaining contradictions"
    );
    Ok(())
}
