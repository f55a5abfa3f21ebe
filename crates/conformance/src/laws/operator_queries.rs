//! Operator searches: sessions of all merchants, by each identifier, in pages, and counted.

use oncharge_domain::{
    cursor::Position,
    id::SessionId,
    operation::Operation,
    session::{Session, Status, StatusName},
    text::{OrderId, Reference},
    time::Timestamp,
};
use oncharge_ports::{
    operator_queries::{SessionIdentifier, SessionSearch},
    queries::Page,
};
use oncharge_testkit::build::reference;

use crate::{
    TestedStore,
    fixture::{ALL, Fixture},
};

/// A search for all sessions, at the builder's time.
fn any_session(fixture: &Fixture) -> SessionSearch {
    SessionSearch {
        identifier: None,
        merchant: None,
        status: None,
        created_after: None,
        created_before: None,
        now: fixture.build.now(),
    }
}

async fn found(
    fixture: &Fixture,
    search: &SessionSearch,
    page: Page,
) -> anyhow::Result<Vec<SessionId>> {
    let found = fixture
        .store
        .operator_queries
        .find_sessions(search, page)
        .await?;
    Ok(found.into_iter().map(|found| found.session.id).collect())
}

async fn find_by_text(fixture: &Fixture, text: &str) -> anyhow::Result<Vec<SessionId>> {
    let search = SessionSearch {
        identifier: Some(SessionIdentifier::Text(text.to_owned())),
        ..any_session(fixture)
    };
    found(fixture, &search, ALL).await
}

/// Creates a session of this merchant with this reference and order number.
async fn identifier(
    fixture: &Fixture,
    merchant: &oncharge_domain::merchant::Merchant,
    name: &str,
    order: Option<&str>,
) -> anyhow::Result<Session> {
    let session = Session {
        reference: Reference::parse(name)?,
        order_id: order.map(OrderId::parse).transpose()?,
        ..fixture.build.session(merchant)
    };
    fixture.commit(fixture.build.unit(session.clone())).await?;
    Ok(session)
}

/// A session is found by its id, its reference, its order number, and the PSP reference of any of
/// its operations; by exact match, and whatever its merchant.
pub async fn a_session_is_found_by_each_identifier(store: &TestedStore) -> anyhow::Result<()> {
    let fixture = Fixture::new(store).await?;
    let other = fixture.other_merchant().await?;
    let first = identifier(&fixture, &fixture.merchant, "ref-1", Some("shared")).await?;
    fixture.build.advance(1);
    let second = identifier(&fixture, &other, "shared", Some("order-2")).await?;
    fixture.build.advance(1);
    let (third, attempt) = fixture.session_with_attempt().await?;
    let known = Operation {
        reference: Some(reference("psp_shared")),
        ..attempt
    };
    let third = fixture.change(&third, known).await?;
    let (mut refund, mut operation) = fixture.build.refund(&third, 5);
    operation.reference = Some(reference("shared"));
    refund.psp_reference = operation.reference.clone();
    let mut unit = fixture.build.next_unit(&third);
    unit.operations = vec![fixture.build.intent(operation)];
    unit.refund = Some(refund);
    fixture.commit(unit).await?;

    for (text, wanted) in [
        ("ref-1", vec![first.id]),
        ("order-2", vec![second.id]),
        ("psp_shared", vec![third.id]),
        ("shared", vec![third.id, second.id, first.id]),
        ("REF-1", vec![]),
        ("ref-", vec![]),
        ("ref-1' OR '1'='1", vec![]),
        ("%", vec![]),
        ("", vec![]),
    ] {
        ensure_eq!(
            find_by_text(&fixture, text).await?,
            wanted,
            "the sessions found by {text:?}"
        );
    }
    for session in [&first, &second, &third] {
        let search = SessionSearch {
            identifier: Some(SessionIdentifier::Session(session.id)),
            ..any_session(&fixture)
        };
        ensure_eq!(
            found(&fixture, &search, ALL).await?,
            [session.id],
            "the session found by its id"
        );
    }
    let nobody = SessionSearch {
        identifier: Some(SessionIdentifier::Session(fixture.build.id())),
        ..any_session(&fixture)
    };
    ensure_eq!(
        found(&fixture, &nobody, ALL).await?,
        [],
        "the sessions found by an unknown id"
    );
    Ok(())
}

/// Each filter applies alone and with an identifier: merchant, status as read, creation time.
pub async fn search_filters_apply(store: &TestedStore) -> anyhow::Result<()> {
    let fixture = Fixture::new(store).await?;
    let other = fixture.other_merchant().await?;
    let start = fixture.build.now();
    let waiting = fixture.session().await?;
    fixture.build.advance(10);
    let theirs = fixture.session_of(&other).await?;
    fixture.build.advance(10);
    let ended = fixture.session().await?;
    let mut unit = fixture.build.next_unit(&ended);
    unit.session.status = Status::Expired;
    fixture.commit(unit).await?;
    let all = || any_session(&fixture);
    let status = |status| SessionSearch {
        status: Some(status),
        ..all()
    };
    let late = |search: SessionSearch| SessionSearch {
        now: waiting.expires_at,
        ..search
    };
    let of = |search: SessionSearch| SessionSearch {
        merchant: Some(other.id),
        ..search
    };
    let find_by_text = |search: SessionSearch| SessionSearch {
        identifier: Some(SessionIdentifier::Text("order-42".to_owned())),
        ..search
    };
    let cases = [
        (all(), vec![&ended, &theirs, &waiting]),
        (find_by_text(all()), vec![&ended, &theirs, &waiting]),
        (of(all()), vec![&theirs]),
        (find_by_text(of(all())), vec![&theirs]),
        (status(StatusName::Created), vec![&theirs, &waiting]),
        (status(StatusName::Expired), vec![&ended]),
        (late(status(StatusName::Created)), vec![&theirs]),
        (late(status(StatusName::Expired)), vec![&ended, &waiting]),
        (
            late(find_by_text(status(StatusName::Expired))),
            vec![&ended, &waiting],
        ),
        (of(status(StatusName::Created)), vec![&theirs]),
        (late(of(status(StatusName::Expired))), vec![]),
        (status(StatusName::Captured), vec![]),
        (
            SessionSearch {
                created_after: Some(start.plus_seconds(10)),
                created_before: Some(start.plus_seconds(20)),
                ..all()
            },
            vec![&theirs],
        ),
        (
            find_by_text(SessionSearch {
                created_before: Some(start.plus_seconds(10)),
                ..all()
            }),
            vec![&waiting],
        ),
    ];
    for (search, wanted) in cases {
        let wanted: Vec<SessionId> = wanted.iter().map(|session| session.id).collect();
        ensure_eq!(found(&fixture, &search, ALL).await?, wanted, "{search:?}");
    }
    Ok(())
}

/// Paging returns each session of every merchant once, in order, whatever is added.
pub async fn pages_of_all_merchants_are_stable(store: &TestedStore) -> anyhow::Result<()> {
    let fixture = Fixture::new(store).await?;
    let other = fixture.other_merchant().await?;
    for number in 0..17 {
        // Several in the same second are ordered by id.
        if number % 5 == 0 {
            fixture.build.advance(1);
        }
        let shop = [&fixture.merchant, &other][number % 2];
        let session = fixture.session_of(shop).await?;
        if number % 3 == 0 {
            let mut unit = fixture.build.next_unit(&session);
            unit.session.status = Status::Expired;
            fixture.commit(unit).await?;
        }
    }
    for identifier in [None, Some(SessionIdentifier::Text("order-42".to_owned()))] {
        let search = SessionSearch {
            identifier,
            ..any_session(&fixture)
        };
        let wanted = places(&fixture, &search, ALL).await?;
        let mut newest_first = wanted.clone();
        newest_first.sort_by_key(|place| std::cmp::Reverse(*place));
        ensure_eq!(wanted, newest_first, "the sessions in one page");
        anyhow::ensure!(wanted.len() >= 17, "only {} sessions", wanted.len());
        let (mut seen, mut after) = (Vec::new(), None);
        loop {
            let found = places(&fixture, &search, Page { after, limit: 4 }).await?;
            let Some((created_at, id)) = found.last().copied() else {
                break;
            };
            anyhow::ensure!(found.len() <= 4, "a page of {} sessions", found.len());
            seen.extend(found);
            anyhow::ensure!(seen.len() <= wanted.len(), "the pages do not end");
            after = Some(Position {
                created_at,
                id: id.uuid(),
            });
            fixture.build.advance(1);
            fixture.session().await?;
        }
        ensure_eq!(seen, wanted, "the sessions of all pages");
    }
    Ok(())
}

async fn places(
    fixture: &Fixture,
    search: &SessionSearch,
    page: Page,
) -> anyhow::Result<Vec<(Timestamp, SessionId)>> {
    let found = fixture
        .store
        .operator_queries
        .find_sessions(search, page)
        .await?;
    let rows = found.into_iter().map(|found| found.session);
    Ok(rows
        .map(|session| (session.created_at, session.id))
        .collect())
}

/// Recent sessions of every merchant are counted by their status as read, up to a limit.
pub async fn sessions_are_counted_by_status(store: &TestedStore) -> anyhow::Result<()> {
    let fixture = Fixture::new(store).await?;
    let other = fixture.other_merchant().await?;
    fixture.session().await?;
    fixture.build.advance(100);
    let since = fixture.build.now();
    let first = fixture.session().await?;
    fixture.build.advance(1);
    fixture.session_of(&other).await?;
    fixture.session_with_attempt().await?;
    let ended = fixture.session().await?;
    let mut unit = fixture.build.next_unit(&ended);
    unit.session.status = Status::Expired;
    fixture.commit(unit).await?;
    for (now, most, created, expired) in [
        (fixture.build.now(), 10, 3, 1),
        (first.expires_at, 10, 2, 2),
        (fixture.build.now(), 2, 2, 1),
    ] {
        let counted = store
            .operator_queries
            .count_sessions(since, now, most)
            .await?;
        let names: Vec<StatusName> = counted.iter().map(|(name, _)| *name).collect();
        ensure_eq!(names, StatusName::ALL, "the counted statuses");
        let count = |name| counted.iter().find(|(it, _)| *it == name).map(|(_, n)| *n);
        ensure_eq!(
            count(StatusName::Created),
            Some(created),
            "the sessions in created, counting at most {most}"
        );
        ensure_eq!(
            count(StatusName::Expired),
            Some(expired),
            "the sessions in expired, counting at most {most}"
        );
        ensure_eq!(
            count(StatusName::Captured),
            Some(0),
            "the sessions in captured"
        );
    }
    Ok(())
}
