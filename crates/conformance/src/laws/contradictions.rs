//! Operations that failed here and that the PSP reports as done.

use oncharge_domain::{
    audit::AuditAction,
    operation::{Contradiction, Operation},
    time::Timestamp,
};
use oncharge_ports::work_queue::{StuckItem, StuckKind};

use crate::{
    Store,
    world::{World, failed},
};

async fn listed(world: &World, now: Timestamp) -> anyhow::Result<Vec<StuckItem>> {
    let found = world.store.queue.stuck(now, 1000).await?;
    let is_one = |item: &StuckItem| item.kind == StuckKind::Contradiction;
    Ok(found.into_iter().filter(is_one).collect())
}

/// A failed operation that is contradicted at the builder's time.
async fn contradicted(world: &World) -> anyhow::Result<Operation> {
    let (session, attempt) = world.paying().await?;
    let operation = Operation {
        contradiction: Some(Contradiction::Listed),
        ..failed(&attempt)
    };
    world.change(&session, operation.clone()).await?;
    Ok(operation)
}

/// Listed from the first moment until a person dismisses it, oldest first; a later write of the
/// operation does not bring it back.
pub async fn contradictions_are_stuck_until_they_are_dismissed(
    store: &Store,
) -> anyhow::Result<()> {
    let world = World::new(store).await?;
    let first = contradicted(&world).await?;
    world.build.advance(60);
    let second = contradicted(&world).await?;
    let now = world.build.now();
    let found = listed(&world, now).await?;
    same!(found.len(), 2, "contradictions");
    for (item, operation) in found.iter().zip([&first, &second]) {
        same!(item.id, operation.id.to_string(), "which");
        same!(item.session, Some(operation.session), "the session");
        same!(item.merchant, Some(operation.merchant), "the merchant");
        let kind = operation.kind.name();
        anyhow::ensure!(
            item.detail.contains(kind),
            "{} does not say {kind}",
            item.detail
        );
    }
    same!(found[0].since, first.created_at, "since when");

    let audit = world.build.audit(AuditAction::ContradictionDismissed);
    let dismissed = store.queue.dismiss_contradiction(first.id, &audit).await?;
    same!(dismissed, true, "it is dismissed");
    let loaded = store.checkout.operation(first.id).await?;
    let first = Operation {
        contradiction: Some(Contradiction::Dismissed),
        ..first
    };
    same!(loaded, Some(first.clone()), "the dismissed operation");
    let session = world.load(first.session).await?;
    world.change(&session, first).await?;
    let left = listed(&world, now.plus_seconds(86_400)).await?;
    same!(left.len(), 1, "contradictions after one was dismissed");
    same!(left[0].id, second.id.to_string(), "which is left");
    Ok(())
}

/// Nothing else can be dismissed, nothing twice, and what is not dismissed leaves no entry.
pub async fn only_a_contradiction_is_dismissed(store: &Store) -> anyhow::Result<()> {
    let world = World::new(store).await?;
    let (session, attempt) = world.paying().await?;
    let audit = || world.build.audit(AuditAction::ContradictionDismissed);
    let queue = &store.queue;
    same!(
        queue.dismiss_contradiction(attempt.id, &audit()).await?,
        false,
        "an open one"
    );
    world.change(&session, failed(&attempt)).await?;
    same!(
        queue.dismiss_contradiction(attempt.id, &audit()).await?,
        false,
        "a failed one"
    );
    same!(
        queue
            .dismiss_contradiction(world.build.id(), &audit())
            .await?,
        false,
        "no operation"
    );
    let operation = contradicted(&world).await?;
    same!(
        queue.dismiss_contradiction(operation.id, &audit()).await?,
        true,
        "a contradicted one"
    );
    same!(
        queue.dismiss_contradiction(operation.id, &audit()).await?,
        false,
        "a dismissed one"
    );
    same!(listed(&world, world.build.now()).await?, [], "what is left");
    Ok(())
}
