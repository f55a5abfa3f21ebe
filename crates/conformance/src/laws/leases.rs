//! Leases: one holder at a time, and no commit under a lease that is not held.

use std::{collections::HashSet, time::Duration};

use anyhow::{Context, ensure};
use oncharge_domain::{id::OperationId, session::Session, time::Timestamp};
use oncharge_ports::{
    CommitError, UnitOfWork,
    unit_of_work::{Lease, LeasedItem},
    work_queue::ClaimFilter,
};
use tokio::task::JoinSet;

use crate::{TestedStore, fixture::Fixture};

/// A lease duration that outlasts any test.
const LONG: Duration = Duration::from_secs(100_000_000);
/// A lease duration of zero: the lease expires immediately, so no test has to wait.
const EXPIRED: Duration = Duration::ZERO;

/// A commit under a lease that has expired, belongs to another worker, was released or never
/// existed writes nothing.
pub async fn a_lost_lease_cannot_commit(store: &TestedStore) -> anyhow::Result<()> {
    let fixture = Fixture::new(store).await?;
    let (session, attempt) = fixture.session_with_attempt().await?;
    let later = fixture.build.now().plus_seconds(60);
    let over = claim_operation(&fixture, later, EXPIRED).await?;
    refused(&fixture, &session, over).await?;
    let held = claim_operation(&fixture, later, LONG).await?;
    refused(&fixture, &session, over).await?;
    let unknown_lease = Lease {
        item: LeasedItem::Operation(attempt.id),
        token: fixture.build.id(),
    };
    refused(&fixture, &session, unknown_lease).await?;

    // The holder commits twice: a commit does not end the lease.
    let session = allowed(&fixture, &session, held).await?;
    let session = allowed(&fixture, &session, held).await?;
    fixture.store.queue.release(held, later).await?;
    refused(&fixture, &session, held).await
}

/// The same holds for leases of sessions.
pub async fn a_lost_session_lease_cannot_commit(store: &TestedStore) -> anyhow::Result<()> {
    let fixture = Fixture::new(store).await?;
    let session = fixture.session().await?;
    let due = session.expires_at;
    let queue = &fixture.store.queue;
    let first = async |length| -> anyhow::Result<Lease> {
        let claimed = queue
            .claim_sessions(due, &ClaimFilter::up_to(10), length)
            .await?;
        Ok(claimed.first().context("nothing was claimed")?.lease)
    };
    let over = first(EXPIRED).await?;
    refused(&fixture, &session, over).await?;
    let held = first(LONG).await?;
    refused(&fixture, &session, over).await?;
    let session = allowed(&fixture, &session, held).await?;
    queue.release(held, due).await?;
    refused(&fixture, &session, held).await?;
    let again = first(LONG).await?;
    ensure!(again.token != held.token, "a lease token was issued twice");
    allowed(&fixture, &session, again).await.map(|_| ())
}

/// Of eight concurrent workers that claim forty operations, each operation is claimed by one.
pub async fn no_item_is_leased_twice(store: &TestedStore) -> anyhow::Result<()> {
    let fixture = Fixture::new(store).await?;
    for _ in 0..40 {
        fixture.session_with_attempt().await?;
    }
    let now = fixture.build.now().plus_seconds(60);
    let mut tasks = JoinSet::new();
    for _ in 0..8 {
        let queue = store.queue.clone();
        tasks.spawn(async move {
            let mut mine = Vec::new();
            loop {
                let claimed = queue
                    .claim_operations(now, &ClaimFilter::up_to(7), LONG)
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
    // A worker may find nothing while others hold the rows that are left; they can be claimed
    // later.
    claimed.extend(
        store
            .queue
            .claim_operations(now, &ClaimFilter::up_to(100), LONG)
            .await?,
    );
    let items: HashSet<OperationId> = claimed.iter().map(|claimed| claimed.operation).collect();
    ensure_eq!(claimed.len(), 40, "claims");
    ensure_eq!(items.len(), 40, "claimed operations");
    ensure!(
        claimed.iter().all(|claimed| claimed.tries == 1),
        "wrong number of tries: {claimed:?}"
    );
    Ok(())
}

/// The same for sessions whose deadline has passed.
pub async fn no_session_is_leased_twice(store: &TestedStore) -> anyhow::Result<()> {
    let fixture = Fixture::new(store).await?;
    for _ in 0..30 {
        fixture.session().await?;
    }
    let now = fixture.build.now().plus_seconds(3600);
    let mut tasks = JoinSet::new();
    for _ in 0..6 {
        let queue = store.queue.clone();
        tasks.spawn(async move {
            queue
                .claim_sessions(now, &ClaimFilter::up_to(10), LONG)
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
            .claim_sessions(now, &ClaimFilter::up_to(100), LONG)
            .await?,
    );
    let items: HashSet<_> = claimed.iter().map(|claimed| claimed.session).collect();
    ensure_eq!(
        (claimed.len(), items.len()),
        (30, 30),
        "claims and sessions"
    );
    Ok(())
}

/// A renewed lease is held; a lost lease can be neither renewed nor released.
pub async fn a_renewed_lease_holds(store: &TestedStore) -> anyhow::Result<()> {
    let fixture = Fixture::new(store).await?;
    fixture.session_with_attempt().await?;
    let (queue, now) = (&fixture.store.queue, fixture.build.now().plus_seconds(60));
    let lost = claim_operation(&fixture, now, EXPIRED).await?;
    ensure!(
        !queue.renew(lost, LONG).await?,
        "an expired lease was renewed"
    );
    let held = claim_operation(&fixture, now, LONG).await?;
    ensure!(
        !queue.renew(lost, LONG).await?,
        "another worker's lease was renewed"
    );
    ensure!(
        queue.renew(held, LONG).await?,
        "a valid lease was not renewed"
    );
    queue.release(lost, now.plus_seconds(-50)).await?;
    let claimed = queue
        .claim_operations(now, &ClaimFilter::up_to(10), LONG)
        .await?;
    ensure!(
        claimed.is_empty(),
        "claimable after a release under a lost lease: {claimed:?}"
    );
    ensure!(
        queue.renew(held, EXPIRED).await?,
        "a valid lease was not shortened"
    );
    ensure!(
        !queue.renew(held, LONG).await?,
        "a lease that was shortened to zero was renewed"
    );
    Ok(())
}

/// The item of a crashed worker is claimed by the next one, under another token.
pub async fn an_expired_lease_can_be_claimed(store: &TestedStore) -> anyhow::Result<()> {
    let fixture = Fixture::new(store).await?;
    let (_, attempt) = fixture.session_with_attempt().await?;
    let now = fixture.build.now().plus_seconds(60);
    let mut tokens = HashSet::new();
    for tries in 1..=3 {
        let claimed = fixture
            .store
            .queue
            .claim_operations(now, &ClaimFilter::up_to(10), EXPIRED)
            .await?;
        let claimed = claimed
            .first()
            .context("an expired lease blocks the claim")?;
        ensure_eq!(
            (claimed.operation, claimed.tries),
            (attempt.id, tries),
            "the claim"
        );
        ensure!(
            tokens.insert(claimed.lease.token),
            "a lease token was issued twice"
        );
    }
    Ok(())
}

async fn claim_operation(
    fixture: &Fixture,
    now: Timestamp,
    length: Duration,
) -> anyhow::Result<Lease> {
    let claimed = fixture
        .store
        .queue
        .claim_operations(now, &ClaimFilter::up_to(10), length)
        .await?;
    Ok(claimed.first().context("nothing was claimed")?.lease)
}

fn under(fixture: &Fixture, session: &Session, lease: Lease) -> UnitOfWork {
    let mut unit = fixture.build.next_unit(session);
    let (refund, operation) = fixture.build.refund(session, 1);
    unit.operations = vec![fixture.build.intent(operation)];
    unit.refund = Some(refund);
    unit.lease = Some(lease);
    unit
}

async fn refused(fixture: &Fixture, session: &Session, lease: Lease) -> anyhow::Result<()> {
    let unit = under(fixture, session, lease);
    let operation = unit.operations[0].operation.id;
    ensure_err!(
        fixture.commit(unit.clone()).await,
        CommitError::LeaseLost,
        "{lease:?}"
    );
    ensure_eq!(fixture.load(session.id).await?, *session, "the session");
    let found = fixture.store.checkout.operation(operation).await?;
    ensure_eq!(found, None, "an operation of a unit under a lost lease");
    let there = fixture.store.checkout.is_committed(&unit).await?;
    ensure!(!there, "a unit under a lost lease counts as committed");
    Ok(())
}

async fn allowed(fixture: &Fixture, session: &Session, lease: Lease) -> anyhow::Result<Session> {
    let mut unit = under(fixture, session, lease);
    // Due long after everything else here, so that the laws above do not claim it.
    unit.operations[0].next_try_at = fixture.build.now().plus_seconds(1_000_000);
    let written = unit.session.clone();
    fixture
        .commit(unit)
        .await
        .with_context(|| format!("{lease:?}"))?;
    Ok(written)
}
