//! What operators search for: every session by each of its names, in pages, and counted.

use oncharge_domain::{
    cursor::Position,
    id::SessionId,
    operation::Operation,
    session::{Session, Status, StatusName},
    text::{OrderId, Reference},
    time::Timestamp,
};
use oncharge_ports::{
    oversight::{Named, Search},
    queries::Page,
};
use oncharge_testkit::build::reference;

use crate::{
    Store,
    world::{ALL, World},
};

/// A search for everything, at the builder's time.
fn anything(world: &World) -> Search {
    Search {
        named: None,
        merchant: None,
        status: None,
        created_after: None,
        created_before: None,
        now: world.build.now(),
    }
}

async fn found(world: &World, search: &Search, page: Page) -> anyhow::Result<Vec<SessionId>> {
    let found = world.store.oversight.find_sessions(search, page).await?;
    Ok(found.into_iter().map(|found| found.session.id).collect())
}

async fn called(world: &World, text: &str) -> anyhow::Result<Vec<SessionId>> {
    let search = Search {
        named: Some(Named::Text(text.to_owned())),
        ..anything(world)
    };
    found(world, &search, ALL).await
}

/// A session of that merchant with these names, in the store.
async fn named(
    world: &World,
    merchant: &oncharge_domain::merchant::Merchant,
    (name, order): (&str, Option<&str>),
) -> anyhow::Result<Session> {
    let session = Session {
        reference: Reference::parse(name)?,
        order_id: order.map(OrderId::parse).transpose()?,
        ..world.build.session(merchant)
    };
    world.commit(world.build.unit(session.clone())).await?;
    Ok(session)
}

/// By its id, its reference, its order's number, and the PSP's reference of any of its operations;
/// by exactly these, and whoever's it is.
pub async fn a_session_is_found_by_each_of_its_names(store: &Store) -> anyhow::Result<()> {
    let world = World::new(store).await?;
    let other = world.other_merchant().await?;
    let first = named(&world, &world.merchant, ("ref-1", Some("shared"))).await?;
    world.build.advance(1);
    let second = named(&world, &other, ("shared", Some("order-2"))).await?;
    world.build.advance(1);
    let (third, attempt) = world.paying().await?;
    let known = Operation {
        reference: Some(reference("psp_shared")),
        ..attempt
    };
    let third = world.change(&third, known).await?;
    let (mut refund, mut operation) = world.build.refund(&third, 5);
    operation.reference = Some(reference("shared"));
    refund.psp_reference = operation.reference.clone();
    let mut unit = world.build.next_unit(&third);
    unit.operations = vec![world.build.intent(operation)];
    unit.refund = Some(refund);
    world.commit(unit).await?;

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
        same!(called(&world, text).await?, wanted, "called {text:?}");
    }
    for session in [&first, &second, &third] {
        let search = Search {
            named: Some(Named::Session(session.id)),
            ..anything(&world)
        };
        same!(
            found(&world, &search, ALL).await?,
            [session.id],
            "by its id"
        );
    }
    let nobody = Search {
        named: Some(Named::Session(world.build.id())),
        ..anything(&world)
    };
    same!(found(&world, &nobody, ALL).await?, [], "an id of nothing");
    Ok(())
}

/// Each filter by itself and with a name: merchant, status as it is read, the time of creation.
pub async fn searches_keep_to_their_filters(store: &Store) -> anyhow::Result<()> {
    let world = World::new(store).await?;
    let other = world.other_merchant().await?;
    let start = world.build.now();
    let waiting = world.session().await?;
    world.build.advance(10);
    let theirs = world.session_of(&other).await?;
    world.build.advance(10);
    let ended = world.session().await?;
    let mut unit = world.build.next_unit(&ended);
    unit.session.status = Status::Expired;
    world.commit(unit).await?;
    let all = || anything(&world);
    let status = |status| Search {
        status: Some(status),
        ..all()
    };
    let late = |search: Search| Search {
        now: waiting.expires_at,
        ..search
    };
    let of = |search: Search| Search {
        merchant: Some(other.id),
        ..search
    };
    let called = |search: Search| Search {
        named: Some(Named::Text("order-42".to_owned())),
        ..search
    };
    let cases = [
        (all(), vec![&ended, &theirs, &waiting]),
        (called(all()), vec![&ended, &theirs, &waiting]),
        (of(all()), vec![&theirs]),
        (called(of(all())), vec![&theirs]),
        (status(StatusName::Created), vec![&theirs, &waiting]),
        (status(StatusName::Expired), vec![&ended]),
        (late(status(StatusName::Created)), vec![&theirs]),
        (late(status(StatusName::Expired)), vec![&ended, &waiting]),
        (
            late(called(status(StatusName::Expired))),
            vec![&ended, &waiting],
        ),
        (of(status(StatusName::Created)), vec![&theirs]),
        (late(of(status(StatusName::Expired))), vec![]),
        (status(StatusName::Captured), vec![]),
        (
            Search {
                created_after: Some(start.plus_seconds(10)),
                created_before: Some(start.plus_seconds(20)),
                ..all()
            },
            vec![&theirs],
        ),
        (
            called(Search {
                created_before: Some(start.plus_seconds(10)),
                ..all()
            }),
            vec![&waiting],
        ),
    ];
    for (search, wanted) in cases {
        let wanted: Vec<SessionId> = wanted.iter().map(|session| session.id).collect();
        same!(found(&world, &search, ALL).await?, wanted, "{search:?}");
    }
    Ok(())
}

/// Turning the pages shows each session of every merchant once, in order, whatever is added.
pub async fn pages_of_all_merchants_are_stable(store: &Store) -> anyhow::Result<()> {
    let world = World::new(store).await?;
    let other = world.other_merchant().await?;
    for number in 0..17 {
        // Several in one second: their ids decide.
        if number % 5 == 0 {
            world.build.advance(1);
        }
        let shop = [&world.merchant, &other][number % 2];
        let session = world.session_of(shop).await?;
        if number % 3 == 0 {
            let mut unit = world.build.next_unit(&session);
            unit.session.status = Status::Expired;
            world.commit(unit).await?;
        }
    }
    for named in [None, Some(Named::Text("order-42".to_owned()))] {
        let search = Search {
            named,
            ..anything(&world)
        };
        let wanted = places(&world, &search, ALL).await?;
        let mut newest_first = wanted.clone();
        newest_first.sort_by_key(|place| std::cmp::Reverse(*place));
        same!(wanted, newest_first, "in one page");
        anyhow::ensure!(wanted.len() >= 17, "only {} sessions", wanted.len());
        let (mut seen, mut after) = (Vec::new(), None);
        loop {
            let found = places(&world, &search, Page { after, limit: 4 }).await?;
            let Some((created_at, id)) = found.last().copied() else {
                break;
            };
            anyhow::ensure!(found.len() <= 4, "a page of {}", found.len());
            seen.extend(found);
            anyhow::ensure!(seen.len() <= wanted.len(), "pages without an end");
            after = Some(Position {
                created_at,
                id: id.uuid(),
            });
            world.build.advance(1);
            world.session().await?;
        }
        same!(seen, wanted, "the pages in a row");
    }
    Ok(())
}

async fn places(
    world: &World,
    search: &Search,
    page: Page,
) -> anyhow::Result<Vec<(Timestamp, SessionId)>> {
    let found = world.store.oversight.find_sessions(search, page).await?;
    let rows = found.into_iter().map(|found| found.session);
    Ok(rows
        .map(|session| (session.created_at, session.id))
        .collect())
}

/// Those that are recent, by their status as it is read, of every merchant; up to a limit.
pub async fn sessions_are_counted_by_status(store: &Store) -> anyhow::Result<()> {
    let world = World::new(store).await?;
    let other = world.other_merchant().await?;
    world.session().await?;
    world.build.advance(100);
    let since = world.build.now();
    let first = world.session().await?;
    world.build.advance(1);
    world.session_of(&other).await?;
    world.paying().await?;
    let ended = world.session().await?;
    let mut unit = world.build.next_unit(&ended);
    unit.session.status = Status::Expired;
    world.commit(unit).await?;
    for (now, most, created, expired) in [
        (world.build.now(), 10, 3, 1),
        (first.expires_at, 10, 2, 2),
        (world.build.now(), 2, 2, 1),
    ] {
        let counted = store.oversight.count_sessions(since, now, most).await?;
        let names: Vec<StatusName> = counted.iter().map(|(name, _)| *name).collect();
        same!(names, StatusName::ALL, "one entry for each");
        let count = |name| counted.iter().find(|(it, _)| *it == name).map(|(_, n)| *n);
        same!(
            count(StatusName::Created),
            Some(created),
            "created, at most {most}"
        );
        same!(
            count(StatusName::Expired),
            Some(expired),
            "expired, at most {most}"
        );
        same!(count(StatusName::Captured), Some(0), "captured");
    }
    Ok(())
}
