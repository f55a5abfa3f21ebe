//! How notifications end: closed by a worker, handled in a unit, or dismissed by a person.

use std::time::Duration;

use anyhow::ensure;
use oncharge_domain::{
    audit::AuditAction,
    id::NotificationId,
    operation::{Operation, SendState},
    psp::PspAccount,
    session::{EventKind, Session},
};
use oncharge_ports::{
    CommitError, UnitOfWork,
    inbox::{NotificationOutcome, NotificationStatus, StuckNotificationFilter},
    unit_of_work::{ChangedOperation, Lease, LeasedItem},
};

use crate::{
    TestedStore,
    fixture::{
        Fixture,
        webhooks::{EXPIRED, LONG},
    },
    laws::inbox::waiting,
};

/// A notification is closed only under a lease that is held, once, and permanently.
pub async fn a_lost_lease_cannot_close_a_notification(store: &TestedStore) -> anyhow::Result<()> {
    let fixture = Fixture::new(store).await?;
    let now = fixture.build.now();
    let claim = async |id, length: Duration| fixture.claim_notification(id, now, length).await;
    for (number, status) in NotificationStatus::ALL.iter().enumerate() {
        let is_end = !matches!(
            status,
            NotificationStatus::Waiting | NotificationStatus::Unverified
        );
        if !is_end {
            continue;
        }
        let new = fixture.receive_notification(&number.to_string()).await?;
        let over = claim(new.id, EXPIRED).await?;
        refused(&fixture, over, *status).await?;
        let given_back = claim(new.id, LONG).await?;
        store.queue.release(given_back, now).await?;
        refused(&fixture, given_back, *status).await?;
        let held = claim(new.id, LONG).await?;
        for lost in [over, given_back, unknown_lease(&fixture, new.id)] {
            refused(&fixture, lost, *status).await?;
        }
        let outcome = NotificationOutcome {
            operation: Some(fixture.build.id()),
            session: Some(fixture.build.id()),
            audit: Some(fixture.build.audit(AuditAction::NotificationMismatched)),
            ..fixture.build.notification_outcome(held, *status)
        };
        store.inbox.close(&outcome).await?;
        ensure_eq!(
            fixture.notification(new.id).await?.status,
            *status,
            "the status of a closed notification"
        );
        let again = NotificationOutcome {
            audit: None,
            ..outcome
        };
        ensure_err!(
            store.inbox.close(&again).await,
            CommitError::LeaseLost,
            "closing a closed notification"
        );
        store.queue.release(held, now).await?;
        ensure_eq!(
            waiting(&fixture, now.plus_seconds(1000)).await?,
            [],
            "the waiting notifications"
        );
    }
    Ok(())
}

fn unknown_lease(fixture: &Fixture, id: NotificationId) -> Lease {
    Lease {
        item: LeasedItem::Notification(id),
        token: fixture.build.id(),
    }
}

async fn refused(
    fixture: &Fixture,
    lease: Lease,
    status: NotificationStatus,
) -> anyhow::Result<()> {
    let LeasedItem::Notification(id) = lease.item else {
        anyhow::bail!("no lease on a notification");
    };
    let outcome = fixture
        .store
        .inbox
        .close(&fixture.build.notification_outcome(lease, status))
        .await;
    ensure_err!(
        outcome,
        CommitError::LeaseLost,
        "{status:?} under {lease:?}"
    );
    let found = fixture.notification(id).await?.status;
    ensure_eq!(
        found,
        NotificationStatus::Waiting,
        "the status after units under a lost lease"
    );
    Ok(())
}

/// A worker's unit for a notification: an operation is done, the session changes, and an event is
/// written.
fn handling(
    fixture: &Fixture,
    session: &Session,
    attempt: &Operation,
    notification: NotificationId,
) -> UnitOfWork {
    let mut unit = fixture
        .build
        .unit_with_event(session, EventKind::PaymentAuthorized);
    unit.changed_operations = vec![ChangedOperation {
        operation: Operation {
            sending: SendState::Accepted,
            ..attempt.clone()
        },
        next_try_at: None,
    }];
    unit.handled = Some(notification);
    unit
}

/// Only one unit is committed for a notification, with or without a lease on it; another one fails
/// as a whole. A closed, unverified or unknown notification cannot be handled either.
pub async fn a_notification_is_handled_once(store: &TestedStore) -> anyhow::Result<()> {
    let fixture = Fixture::new(store).await?;
    fixture.endpoint().await?;
    let (session, attempt) = fixture.session_with_attempt().await?;
    let new = fixture.receive_notification("k").await?;
    let unit = handling(&fixture, &session, &attempt, new.id);
    fixture.commit(unit.clone()).await?;
    ensure_eq!(
        fixture.notification(new.id).await?.status,
        NotificationStatus::Handled,
        "the status of the handled notification"
    );
    ensure_eq!(
        waiting(&fixture, fixture.build.now().plus_seconds(1000)).await?,
        [],
        "the waiting notifications"
    );

    let outcome = fixture
        .closed_notification("settled", NotificationStatus::Mismatched)
        .await?;
    let unverified = fixture
        .build
        .notification_of(&fixture.merchant.account, None);
    ensure!(
        store.inbox.receive(&unverified).await?,
        "an unverified notification was not stored"
    );
    for id in [new.id, outcome.id, unverified.id, fixture.build.id()] {
        let late = handling(&fixture, &unit.session, &attempt, id);
        ensure_err!(
            fixture.commit(late.clone()).await,
            CommitError::AlreadyHandled,
            "{id}"
        );
        ensure_eq!(
            fixture.load(unit.session.id).await?,
            unit.session,
            "the session after the first unit"
        );
        ensure_eq!(
            fixture.outgoing(late.events[0].id).await?,
            None,
            "the delivery of an event of a failed unit"
        );
        ensure!(
            !store.checkout.is_committed(&late).await?,
            "a failed unit counts as committed"
        );
    }
    let status = fixture.notification(outcome.id).await?.status;
    ensure_eq!(
        status,
        NotificationStatus::Mismatched,
        "the status of the closed notification"
    );
    Ok(())
}

/// A unit that fails handles nothing; one with a lease on its notification requires that lease, and
/// releases it.
pub async fn handling_is_part_of_the_unit(store: &TestedStore) -> anyhow::Result<()> {
    let fixture = Fixture::new(store).await?;
    let (session, attempt) = fixture.session_with_attempt().await?;
    let new = fixture.receive_notification("k").await?;
    let now = fixture.build.now();
    let mut stale = handling(&fixture, &session, &attempt, new.id);
    stale.session.version += 5;
    ensure_err!(
        fixture.commit(stale).await,
        CommitError::Conflict,
        "a stale unit"
    );
    ensure_eq!(
        fixture.notification(new.id).await?.status,
        NotificationStatus::Waiting,
        "the status of the notification after a failed unit"
    );

    let over = fixture.claim_notification(new.id, now, EXPIRED).await?;
    let held = fixture.claim_notification(new.id, now, LONG).await?;
    for lost in [over, unknown_lease(&fixture, new.id)] {
        let mut unit = handling(&fixture, &session, &attempt, new.id);
        unit.lease = Some(lost);
        ensure_err!(
            fixture.commit(unit).await,
            CommitError::LeaseLost,
            "{lost:?}"
        );
        ensure_eq!(fixture.load(session.id).await?, session, "the session");
        let status = fixture.notification(new.id).await?.status;
        ensure_eq!(
            status,
            NotificationStatus::Waiting,
            "the status of the notification after a failed unit"
        );
    }
    let mut unit = handling(&fixture, &session, &attempt, new.id);
    unit.lease = Some(held);
    fixture.commit(unit.clone()).await?;
    ensure_eq!(fixture.load(session.id).await?, unit.session, "the session");
    ensure_eq!(
        fixture.notification(new.id).await?.status,
        NotificationStatus::Handled,
        "the status of the handled notification"
    );
    ensure_eq!(
        store.queue.renew(held, LONG).await?,
        false,
        "the renewal of the lease of a handled notification"
    );
    let mut again = handling(&fixture, &unit.session, &attempt, new.id);
    again.lease = Some(held);
    ensure_err!(
        fixture.commit(again).await,
        CommitError::LeaseLost,
        "a unit under a released lease"
    );
    Ok(())
}

/// Of eight concurrent units for one notification, each of another session, one is committed.
pub async fn a_notification_is_handled_once_concurrently(
    store: &TestedStore,
) -> anyhow::Result<()> {
    let fixture = Fixture::new(store).await?;
    for round in 0..4 {
        let new = fixture.receive_notification(&format!("k{round}")).await?;
        let mut units = Vec::new();
        for _ in 0..8 {
            let mut unit = fixture.build.next_unit(&fixture.session().await?);
            unit.handled = Some(new.id);
            units.push(unit);
        }
        let commits = units.iter().map(|unit| fixture.commit(unit.clone()));
        let results = futures_util::future::join_all(commits).await;
        let won = results.iter().filter(|result| result.is_ok()).count();
        ensure_eq!(won, 1, "units committed in round {round}: {results:?}");
        for result in results.into_iter().filter(Result::is_err) {
            ensure_err!(
                result,
                CommitError::AlreadyHandled,
                "a failed unit of round {round}"
            );
        }
    }
    Ok(())
}

/// Stuck notifications, and nothing else, can be dismissed, once.
pub async fn only_stuck_notifications_are_dismissed(store: &TestedStore) -> anyhow::Result<()> {
    let fixture = Fixture::new(store).await?;
    let audit = || fixture.build.audit(AuditAction::NotificationDismissed);
    let mut cases: Vec<(NotificationId, NotificationStatus)> = Vec::new();
    for (number, status) in NotificationStatus::ALL.iter().enumerate() {
        let new = match status {
            NotificationStatus::Waiting => continue,
            NotificationStatus::Unverified => {
                let new = fixture
                    .build
                    .notification_of(&fixture.merchant.account, None);
                ensure!(
                    store.inbox.receive(&new).await?,
                    "an unverified notification was not stored"
                );
                new
            }
            _ => {
                fixture
                    .closed_notification(&number.to_string(), *status)
                    .await?
            }
        };
        cases.push((new.id, *status));
    }
    cases.push((
        fixture.receive_notification("waiting").await?.id,
        NotificationStatus::Waiting,
    ));
    for (id, status) in cases {
        let dismissed = store.inbox.dismiss(id, &audit()).await?;
        ensure_eq!(
            dismissed,
            status.is_stuck(),
            "whether a {status:?} notification was dismissed"
        );
        let now_is = if dismissed {
            NotificationStatus::Dismissed
        } else {
            status
        };
        ensure_eq!(
            fixture.notification(id).await?.status,
            now_is,
            "{status:?} afterwards"
        );
        ensure!(
            !store.inbox.dismiss(id, &audit()).await?,
            "a notification was dismissed twice"
        );
    }
    let unknown = fixture.build.id();
    ensure!(
        !store.inbox.dismiss(unknown, &audit()).await?,
        "an unknown notification was dismissed"
    );
    Ok(())
}

/// Only notifications with the given status, account and time are dismissed, oldest first, up to
/// the limit.
pub async fn many_notifications_are_dismissed_at_once(store: &TestedStore) -> anyhow::Result<()> {
    let fixture = Fixture::new(store).await?;
    let audit = || fixture.build.audit(AuditAction::NotificationDismissed);
    let mut old = Vec::new();
    for number in 0..5 {
        let key = format!("old {number}");
        let new = fixture
            .closed_notification(&key, NotificationStatus::Mismatched)
            .await?;
        old.push(new.id);
        fixture.build.advance(1);
    }
    let unmatched = fixture.closed_notification("unmatched", NotificationStatus::Unmatched);
    let unmatched = unmatched.await?.id;
    fixture.build.advance(10);
    let before = fixture.build.now();
    let young = fixture
        .closed_notification("young", NotificationStatus::Mismatched)
        .await?
        .id;
    let mut wanted = StuckNotificationFilter {
        status: NotificationStatus::Mismatched,
        account: PspAccount::new("simulator", "elsewhere").ok(),
        received_before: before,
    };
    let dismiss = async |which: &StuckNotificationFilter, limit| {
        store.inbox.dismiss_all(which, limit, &audit()).await
    };
    ensure_eq!(
        dismiss(&wanted, 10).await?,
        0,
        "dismissed of another account"
    );
    wanted.account = Some(fixture.merchant.account.clone());
    ensure_eq!(dismiss(&wanted, 2).await?, 2, "dismissed in one batch");
    for (number, id) in old.iter().enumerate() {
        let is = fixture.notification(*id).await?.status;
        let dismissed = is == NotificationStatus::Dismissed;
        ensure_eq!(
            dismissed,
            number < 2,
            "notification {number} is not dismissed oldest first: {is:?}"
        );
    }
    wanted.account = None;
    ensure_eq!(dismiss(&wanted, 10).await?, 3, "dismissed of any account");
    ensure_eq!(dismiss(&wanted, 10).await?, 0, "dismissed again");
    wanted.status = NotificationStatus::Handled;
    ensure_eq!(dismiss(&wanted, 10).await?, 0, "dismissed, not stuck");
    for (id, status) in [
        (unmatched, NotificationStatus::Unmatched),
        (young, NotificationStatus::Mismatched),
    ] {
        ensure_eq!(
            fixture.notification(id).await?.status,
            status,
            "the status of a notification that is not stuck"
        );
    }
    Ok(())
}
