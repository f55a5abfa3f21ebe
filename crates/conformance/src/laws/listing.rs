//! Lists: newest first, stable, filtered, and limited to one merchant.

use oncharge_domain::{
    cursor::Position,
    id::SessionId,
    psp::PspReference,
    session::{EventKind, FailureCode, Session, Status, StatusName, Unpaid},
    text::{OrderId, Reference},
};
use oncharge_ports::queries::{EventFilter, Page, RefundFilter, SessionFilter};

use crate::{
    TestedStore,
    fixture::{ALL, Fixture},
};

fn ids(sessions: &[Session]) -> Vec<SessionId> {
    sessions.iter().map(|session| session.id).collect()
}

fn newest_first(sessions: &[Session]) -> Vec<SessionId> {
    let mut sessions = sessions.to_vec();
    sessions.sort_by_key(|session| std::cmp::Reverse((session.created_at, session.id)));
    ids(&sessions)
}

/// Paging returns each session once, in order, even if rows are added or changed between pages.
pub async fn pages_are_stable(store: &TestedStore) -> anyhow::Result<()> {
    let fixture = Fixture::new(store).await?;
    let mut sessions = Vec::new();
    for number in 0..23 {
        // Several in the same second are ordered by id.
        if number % 5 == 0 {
            fixture.build.advance(1);
        }
        sessions.push(fixture.session().await?);
    }
    let filter = fixture.all_sessions();
    let (mut seen, mut after) = (Vec::new(), None);
    for changed in sessions.iter().take(9) {
        let page = Page { after, limit: 4 };
        let found = fixture.store.checkout.sessions(&filter, page).await?;
        after = found.last().map(|session| Position {
            created_at: session.created_at,
            id: session.id.uuid(),
        });
        seen.extend(ids(&found));
        if after.is_none() {
            break;
        }
        fixture.build.advance(1);
        fixture.session().await?;
        fixture.commit(fixture.build.next_unit(changed)).await?;
    }
    ensure_eq!(seen, newest_first(&sessions), "the sessions of all pages");
    Ok(())
}

/// The same for refunds and events.
pub async fn pages_of_refunds_and_events_are_stable(store: &TestedStore) -> anyhow::Result<()> {
    let fixture = Fixture::new(store).await?;
    let mut session = fixture.session().await?;
    let (mut refunds, mut events) = (Vec::new(), Vec::new());
    for sequence in 1..=9 {
        if sequence % 3 == 0 {
            fixture.build.advance(1);
        }
        let (refund, operation) = fixture.build.refund(&session, 10);
        let event = fixture
            .build
            .event(&session, sequence, EventKind::RefundRequested);
        refunds.push((refund.created_at, refund.id));
        events.push((event.event.at, event.id));
        let mut unit = fixture.build.next_unit(&session);
        unit.operations = vec![fixture.build.intent(operation)];
        unit.refund = Some(refund);
        unit.events = vec![event];
        session = unit.session.clone();
        fixture.commit(unit).await?;
    }
    refunds.sort_by_key(|place| std::cmp::Reverse(*place));
    events.sort_by_key(|place| std::cmp::Reverse(*place));
    let refund_filter = RefundFilter {
        merchant: fixture.merchant.id,
        session: None,
    };
    let event_filter = EventFilter {
        merchant: fixture.merchant.id,
        session: None,
        kind: None,
    };
    let checkout = &fixture.store.checkout;
    let (mut seen, mut after) = (Vec::new(), None);
    for _ in 0..4 {
        let page = Page { after, limit: 4 };
        let found = checkout.refunds(&refund_filter, page).await?;
        seen.extend(found.iter().map(|refund| (refund.created_at, refund.id)));
        after = seen.last().map(|(created_at, id)| Position {
            created_at: *created_at,
            id: id.uuid(),
        });
    }
    ensure_eq!(seen, refunds, "refunds");
    let (mut seen, mut after) = (Vec::new(), None);
    for _ in 0..4 {
        let page = Page { after, limit: 4 };
        let found = checkout.events(&event_filter, page).await?;
        seen.extend(found.iter().map(|stored| (stored.event.at, stored.id)));
        after = seen.last().map(|(created_at, id)| Position {
            created_at: *created_at,
            id: id.uuid(),
        });
    }
    ensure_eq!(seen, events, "events");
    Ok(())
}

/// No list contains a row of another merchant, even if filtered by its session.
pub async fn another_merchants_rows_are_not_listed(store: &TestedStore) -> anyhow::Result<()> {
    let fixture = Fixture::new(store).await?;
    let (mine, other) = (fixture.session().await?, fixture.other_merchant().await?);
    let mut theirs = fixture.build.session(&other);
    fixture.commit(fixture.build.unit(theirs.clone())).await?;
    let (refund, operation) = fixture.build.refund(&theirs, 10);
    let mut unit = fixture.build.next_unit(&theirs);
    unit.events = vec![fixture.build.event(&theirs, 1, EventKind::RefundRequested)];
    unit.operations = vec![fixture.build.intent(operation)];
    unit.refund = Some(refund.clone());
    theirs = unit.session.clone();
    fixture.commit(unit).await?;

    let checkout = &fixture.store.checkout;
    for (merchant, expected) in [(&fixture.merchant, &mine), (&other, &theirs)] {
        let filter = SessionFilter {
            merchant: merchant.id,
            ..fixture.all_sessions()
        };
        let found = checkout.sessions(&filter, ALL).await?;
        ensure_eq!(ids(&found), [expected.id], "sessions");
    }
    for (merchant, count) in [(&fixture.merchant, 0), (&other, 1)] {
        for session in [None, Some(theirs.id)] {
            let merchant = merchant.id;
            let filter = RefundFilter { merchant, session };
            ensure_eq!(
                checkout.refunds(&filter, ALL).await?.len(),
                count,
                "refunds"
            );
            let kind = None;
            let filter = EventFilter {
                merchant,
                session,
                kind,
            };
            ensure_eq!(checkout.events(&filter, ALL).await?.len(), count, "events");
        }
    }
    Ok(())
}

/// Order number and PSP reference filter the list, alone and with other filters; equal values of
/// another merchant are not included.
pub async fn sessions_are_found_by_order_and_psp_reference(
    store: &TestedStore,
) -> anyhow::Result<()> {
    let fixture = Fixture::new(store).await?;
    let other = fixture.other_merchant().await?;
    let order = |text: &str| Some(OrderId::parse(text).unwrap());
    let mut sessions = Vec::new();
    for (merchant, order_id, reference) in [
        (&fixture.merchant, order("42"), "psp-a"),
        (&fixture.merchant, order("43"), "psp-b"),
        (&fixture.merchant, order("42"), "psp-c"),
        (&fixture.merchant, None, "psp-d"),
        (&other, order("42"), "psp-a"),
    ] {
        let mut session = fixture.build.session(merchant);
        session.order_id = order_id;
        fixture.commit(fixture.build.unit(session.clone())).await?;
        let (refund, mut operation) = fixture.build.refund(&session, 10);
        operation.reference = Some(PspReference::parse(reference).unwrap());
        let mut unit = fixture.build.next_unit(&session);
        unit.operations = vec![fixture.build.intent(operation)];
        unit.refund = Some(refund);
        fixture.commit(unit).await?;
        sessions.push(session);
        fixture.build.advance(1);
    }
    let check = async |change: &dyn Fn(&mut SessionFilter), wanted: &[usize]| {
        let mut filter = fixture.all_sessions();
        change(&mut filter);
        let found = fixture.store.checkout.sessions(&filter, ALL).await?;
        let wanted: Vec<SessionId> = wanted.iter().map(|n| sessions[*n].id).collect();
        ensure_eq!(ids(&found), wanted, "{filter:?}");
        anyhow::Ok(())
    };
    let psp = |text: &str| Some(PspReference::parse(text).unwrap());
    check(&|f| f.order_id = order("42"), &[2, 0]).await?;
    check(&|f| f.order_id = order("4"), &[]).await?;
    check(&|f| f.psp_reference = psp("psp-b"), &[1]).await?;
    check(&|f| f.psp_reference = psp("psp"), &[]).await?;
    let both = |f: &mut SessionFilter| {
        f.order_id = order("42");
        f.psp_reference = psp("psp-a");
    };
    check(&both, &[0]).await?;
    let narrowed = |f: &mut SessionFilter| {
        f.order_id = order("42");
        f.reference = Some(sessions[0].reference.clone());
        f.status = Some(StatusName::Created);
        f.created_after = Some(sessions[2].created_at);
    };
    check(&narrowed, &[2]).await?;
    let contradicting = |f: &mut SessionFilter| {
        f.status = Some(StatusName::Captured);
        f.psp_reference = psp("psp-a");
    };
    check(&contradicting, &[]).await?;
    let theirs = |f: &mut SessionFilter| {
        f.merchant = other.id;
        f.psp_reference = psp("psp-a");
    };
    check(&theirs, &[4]).await
}

/// Reference, creation time and status filter the list, alone and together.
pub async fn session_filters_apply(store: &TestedStore) -> anyhow::Result<()> {
    let fixture = Fixture::new(store).await?;
    let (start, mut sessions) = (fixture.build.now(), Vec::new());
    for number in 0..6_usize {
        let mut session = fixture.build.session(&fixture.merchant);
        let reference = ["Order-1", "order-1", "order-1 "][number % 3];
        session.reference = Reference::parse(reference).unwrap();
        fixture.commit(fixture.build.unit(session.clone())).await?;
        if number >= 3 {
            let mut unit = fixture.build.next_unit(&session);
            unit.session.status = Status::Refused(Unpaid {
                failure: FailureCode::CardDeclined,
                retry: true,
            });
            session = unit.session.clone();
            fixture.commit(unit).await?;
        }
        sessions.push(session);
        fixture.build.advance(10);
    }
    let check = async |change: &dyn Fn(&mut SessionFilter), wanted: &[usize]| {
        let mut filter = fixture.all_sessions();
        change(&mut filter);
        let found = fixture.store.checkout.sessions(&filter, ALL).await?;
        let wanted: Vec<SessionId> = wanted.iter().rev().map(|n| sessions[*n].id).collect();
        ensure_eq!(ids(&found), wanted, "{filter:?}");
        anyhow::Ok(())
    };
    let reference = |text: &str| Some(Reference::parse(text).unwrap());
    check(&|_| {}, &[0, 1, 2, 3, 4, 5]).await?;
    check(&|f| f.reference = reference("order-1"), &[1, 4]).await?;
    check(&|f| f.reference = reference("order"), &[]).await?;
    check(
        &|f| f.created_after = Some(start.plus_seconds(20)),
        &[2, 3, 4, 5],
    )
    .await?;
    check(
        &|f| f.created_before = Some(start.plus_seconds(20)),
        &[0, 1],
    )
    .await?;
    check(&|f| f.status = Some(StatusName::Refused), &[3, 4, 5]).await?;
    check(&|f| f.status = Some(StatusName::Captured), &[]).await?;
    let all = |f: &mut SessionFilter| {
        f.reference = reference("Order-1");
        f.status = Some(StatusName::Refused);
        f.created_after = Some(start);
        f.created_before = Some(start.plus_seconds(31));
    };
    check(&all, &[3]).await
}

/// A session in `created` is listed as `created` until its expiry, as `expired` from then on.
pub async fn created_and_expired_depend_on_now(store: &TestedStore) -> anyhow::Result<()> {
    let fixture = Fixture::new(store).await?;
    let waiting = fixture.session().await?;
    let mut unit = fixture.build.next_unit(&fixture.session().await?);
    unit.session.status = Status::Expired;
    let withdrawn = unit.session.clone();
    fixture.commit(unit).await?;
    let (session_with_attempt, _) = fixture.session_with_attempt().await?;
    let mut unit = fixture.build.next_unit(&session_with_attempt);
    unit.session.status = Status::Refused(Unpaid {
        failure: FailureCode::CardDeclined,
        retry: true,
    });
    fixture.commit(unit).await?;

    let end = waiting.expires_at;
    let cases = [
        (end.plus(time::Duration::microseconds(-1)), false),
        (end, true),
        (end.plus_seconds(60), true),
    ];
    for (now, over) in cases {
        for (status, wanted) in [(StatusName::Created, !over), (StatusName::Expired, over)] {
            let filter = SessionFilter {
                status: Some(status),
                now,
                ..fixture.all_sessions()
            };
            let found = ids(&fixture.store.checkout.sessions(&filter, ALL).await?);
            ensure_eq!(
                found.contains(&waiting.id),
                wanted,
                "whether the open session is listed as {status:?} when expired: {over}"
            );
            let is_expired = status == StatusName::Expired;
            ensure_eq!(
                found.contains(&withdrawn.id),
                is_expired,
                "whether the withdrawn session is listed as {status:?}"
            );
            ensure_eq!(
                found.contains(&session_with_attempt.id),
                false,
                "whether the refused session is listed as {status:?}"
            );
        }
    }
    Ok(())
}

/// Events are filtered by session and kind, refunds by session.
pub async fn event_and_refund_filters_apply(store: &TestedStore) -> anyhow::Result<()> {
    let fixture = Fixture::new(store).await?;
    let mut sessions = Vec::new();
    for _ in 0..2 {
        let session = fixture.session().await?;
        let (refund, operation) = fixture.build.refund(&session, 10);
        let mut unit = fixture.build.next_unit(&session);
        unit.operations = vec![fixture.build.intent(operation)];
        unit.refund = Some(refund);
        let kinds = [EventKind::PaymentCaptured, EventKind::RefundRequested];
        let event = |(sequence, kind)| fixture.build.event(&session, sequence, kind);
        unit.events = (1..).zip(kinds).map(event).collect();
        fixture.commit(unit).await?;
        sessions.push(session);
    }
    let merchant = fixture.merchant.id;
    let checkout = &fixture.store.checkout;
    for (session, kind, wanted) in [
        (None, None, 4),
        (Some(sessions[0].id), None, 2),
        (None, Some(EventKind::RefundRequested), 2),
        (Some(sessions[1].id), Some(EventKind::PaymentCaptured), 1),
        (None, Some(EventKind::RefundFailed), 0),
    ] {
        let filter = EventFilter {
            merchant,
            session,
            kind,
        };
        let found = checkout.events(&filter, ALL).await?;
        ensure_eq!(found.len(), wanted, "{filter:?}");
        let fits = found.iter().all(|stored| {
            session.is_none_or(|id| stored.event.session == id)
                && kind.is_none_or(|kind| stored.event.kind == kind)
        });
        anyhow::ensure!(fits, "{filter:?}: {found:?}");
    }
    for (session, wanted) in [(None, 2), (Some(sessions[1].id), 1)] {
        let filter = RefundFilter { merchant, session };
        ensure_eq!(
            checkout.refunds(&filter, ALL).await?.len(),
            wanted,
            "{filter:?}"
        );
    }
    Ok(())
}
