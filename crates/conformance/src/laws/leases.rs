//! Leases: one holder at a time, and nobody without one commits under it.

use std::{collections::HashSet, time::Duration};

use anyhow::{Context, ensure};
use oncharge_domain::{id::OperationId, session::Session, time::Timestamp};
use oncharge_ports::{
    CommitError, UnitOfWork,
    unit_of_work::{Lease, LeasedItem},
    work_queue::WantedItems,
};
use tokio::task::JoinSet;

use crate::{Store, world::World};

/// Long enough for any test.
const LONG: Duration = Duration::from_secs(100_000_000);
/// A lease that is over as soon as it is given: no test need wait for one.
const OVER: Duration = Duration::ZERO;

/// A commit under a lease that is over, another's, given back or made up leaves nothing.
pub async fn a_lost_lease_cannot_commit(store: &Store) -> anyhow::Result<()> {
    let world = World::new(store).await?;
    let (session, attempt) = world.paying().await?;
    let later = world.build.now().plus_seconds(60);
    let over = claim_operation(&world, later, OVER).await?;
    refused(&world, &session, over).await?;
    let held = claim_operation(&world, later, LONG).await?;
    refused(&world, &session, over).await?;
    let made_up = Lease {
        item: LeasedItem::Operation(attempt.id),
        token: world.build.id(),
    };
    refused(&world, &session, made_up).await?;

    // The holder commits, and again: a commit does not use up the lease.
    let session = allowed(&world, &session, held).await?;
    let session = allowed(&world, &session, held).await?;
    world.store.queue.release(held, later).await?;
    refused(&world, &session, held).await
}

/// Leases of sessions are kept just as strictly.
pub async fn a_session_lease_guards_like_an_operations(store: &Store) -> anyhow::Result<()> {
    let world = World::new(store).await?;
    let session = world.session().await?;
    let due = session.expires_at;
    let queue = &world.store.queue;
    let first = async |length| -> anyhow::Result<Lease> {
        let claimed = queue
            .claim_sessions(due, &WantedItems::up_to(10), length)
            .await?;
        Ok(claimed.first().context("nothing was claimed")?.lease)
    };
    let over = first(OVER).await?;
    refused(&world, &session, over).await?;
    let held = first(LONG).await?;
    refused(&world, &session, over).await?;
    let session = allowed(&world, &session, held).await?;
    queue.release(held, due).await?;
    refused(&world, &session, held).await?;
    let again = first(LONG).await?;
    ensure!(again.token != held.token, "a claim's token was given twice");
    allowed(&world, &session, again).await.map(|_| ())
}

/// Eight workers claim forty operations at once: each goes to one of them.
pub async fn no_item_is_leased_twice(store: &Store) -> anyhow::Result<()> {
    let world = World::new(store).await?;
    for _ in 0..40 {
        world.paying().await?;
    }
    let now = world.build.now().plus_seconds(60);
    let mut tasks = JoinSet::new();
    for _ in 0..8 {
        let queue = store.queue.clone();
        tasks.spawn(async move {
            let mut mine = Vec::new();
            loop {
                let claimed = queue
                    .claim_operations(now, &WantedItems::up_to(7), LONG)
                    .await?;
                if claimed.is_empty() {
                    return anyhow::Ok(mine);
                }
                mine.extend(claimed);
            }
        });
    }
    let mut claimed = Vec::new();
    for worker in tasks.join_all().await {
        claimed.extend(worker?);
    }
    // A worker may see nothing while others hold the rows that are left; nothing is lost by that.
    claimed.extend(
        store
            .queue
            .claim_operations(now, &WantedItems::up_to(100), LONG)
            .await?,
    );
    let items: HashSet<OperationId> = claimed.iter().map(|claimed| claimed.operation).collect();
    same!(claimed.len(), 40, "claims");
    same!(items.len(), 40, "claimed operations");
    ensure!(
        claimed.iter().all(|claimed| claimed.tries == 1),
        "first tries: {claimed:?}"
    );
    Ok(())
}

/// The same for sessions whose deadline has come.
pub async fn no_session_is_leased_twice(store: &Store) -> anyhow::Result<()> {
    let world = World::new(store).await?;
    for _ in 0..30 {
        world.session().await?;
    }
    let now = world.build.now().plus_seconds(3600);
    let mut tasks = JoinSet::new();
    for _ in 0..6 {
        let queue = store.queue.clone();
        tasks.spawn(async move {
            queue
                .claim_sessions(now, &WantedItems::up_to(10), LONG)
                .await
        });
    }
    let mut claimed = Vec::new();
    for worker in tasks.join_all().await {
        claimed.extend(worker?);
    }
    claimed.extend(
        store
            .queue
            .claim_sessions(now, &WantedItems::up_to(100), LONG)
            .await?,
    );
    let items: HashSet<_> = claimed.iter().map(|claimed| claimed.session).collect();
    same!(
        (claimed.len(), items.len()),
        (30, 30),
        "claims and sessions"
    );
    Ok(())
}

/// A lease that is renewed holds on; one that is lost cannot be renewed or given back.
pub async fn a_renewed_lease_holds(store: &Store) -> anyhow::Result<()> {
    let world = World::new(store).await?;
    world.paying().await?;
    let (queue, now) = (&world.store.queue, world.build.now().plus_seconds(60));
    let lost = claim_operation(&world, now, OVER).await?;
    ensure!(
        !queue.renew(lost, LONG).await?,
        "a lease that is over was renewed"
    );
    let held = claim_operation(&world, now, LONG).await?;
    ensure!(
        !queue.renew(lost, LONG).await?,
        "another's lease was renewed"
    );
    ensure!(
        queue.renew(held, LONG).await?,
        "a lease that holds was not renewed"
    );
    queue.release(lost, now.plus_seconds(-50)).await?;
    let claimed = queue
        .claim_operations(now, &WantedItems::up_to(10), LONG)
        .await?;
    ensure!(
        claimed.is_empty(),
        "given back under a lost lease: {claimed:?}"
    );
    ensure!(
        queue.renew(held, OVER).await?,
        "shortening is renewing, too"
    );
    ensure!(
        !queue.renew(held, LONG).await?,
        "shortened to nothing, it is over"
    );
    Ok(())
}

/// What a worker that died has claimed goes to the next one, under another token.
pub async fn a_lapsed_lease_is_claimed_again(store: &Store) -> anyhow::Result<()> {
    let world = World::new(store).await?;
    let (_, attempt) = world.paying().await?;
    let now = world.build.now().plus_seconds(60);
    let mut tokens = HashSet::new();
    for tries in 1..=3 {
        let claimed = world
            .store
            .queue
            .claim_operations(now, &WantedItems::up_to(10), OVER)
            .await?;
        let claimed = claimed.first().context("a lapsed lease blocks")?;
        same!(
            (claimed.operation, claimed.tries),
            (attempt.id, tries),
            "the claim"
        );
        ensure!(
            tokens.insert(claimed.lease.token),
            "a token was given twice"
        );
    }
    Ok(())
}

async fn claim_operation(world: &World, now: Timestamp, length: Duration) -> anyhow::Result<Lease> {
    let claimed = world
        .store
        .queue
        .claim_operations(now, &WantedItems::up_to(10), length)
        .await?;
    Ok(claimed.first().context("nothing was claimed")?.lease)
}

fn under(world: &World, session: &Session, lease: Lease) -> UnitOfWork {
    let mut unit = world.build.next_unit(session);
    let (refund, operation) = world.build.refund(session, 1);
    unit.operations = vec![world.build.intent(operation)];
    unit.refund = Some(refund);
    unit.lease = Some(lease);
    unit
}

async fn refused(world: &World, session: &Session, lease: Lease) -> anyhow::Result<()> {
    let unit = under(world, session, lease);
    let operation = unit.operations[0].operation.id;
    fails!(
        world.commit(unit.clone()).await,
        CommitError::LeaseLost,
        "{lease:?}"
    );
    same!(world.load(session.id).await?, *session, "the session");
    let found = world.store.checkout.operation(operation).await?;
    same!(found, None, "an operation under a lost lease");
    let there = world.store.checkout.committed(&unit).await?;
    ensure!(!there, "a unit under a lost lease counts as committed");
    Ok(())
}

async fn allowed(world: &World, session: &Session, lease: Lease) -> anyhow::Result<Session> {
    let mut unit = under(world, session, lease);
    // Due long after everything else here, so that it is not claimed by the laws above.
    unit.operations[0].next_try_at = world.build.now().plus_seconds(1_000_000);
    let written = unit.session.clone();
    world
        .commit(unit)
        .await
        .with_context(|| format!("{lease:?}"))?;
    Ok(written)
}
