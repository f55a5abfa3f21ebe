//! The operator queries, for the test of query plans.

use oncharge_domain::{cursor::Position, session::Session, session::StatusName};
use oncharge_ports::{
    OperatorQueries,
    operator_queries::{SessionIdentifier, SessionSearch},
    queries::Page,
};

use crate::fixture::Fixture;

/// Runs every search, a session history and the counts. A text shared by thousands of sessions is
/// excluded: such a search reads all of them, because the index on references starts with the
/// merchant.
pub(crate) async fn run_operator_queries(fixture: &Fixture, session: &Session) {
    let now = fixture.build.now();
    let any = SessionSearch {
        identifier: None,
        merchant: None,
        status: None,
        created_after: None,
        created_before: None,
        now,
    };
    let mut searches = vec![any.clone()];
    for identifier in [
        SessionIdentifier::Session(session.id),
        SessionIdentifier::Text("a name of nothing".to_owned()),
    ] {
        searches.push(SessionSearch {
            identifier: Some(identifier),
            ..any.clone()
        });
    }
    searches.push(SessionSearch {
        merchant: Some(fixture.merchant.id),
        ..any.clone()
    });
    searches.extend(StatusName::ALL.iter().map(|status| SessionSearch {
        status: Some(*status),
        created_after: Some(now.plus_seconds(-5)),
        created_before: Some(now.plus_seconds(60)),
        ..any.clone()
    }));
    let position = Position {
        created_at: now.plus_seconds(-9),
        id: session.id.uuid(),
    };
    for after in [None, Some(position)] {
        for search in &searches {
            let page = Page { after, limit: 3 };
            fixture.store.find_sessions(search, page).await.unwrap();
        }
    }
    let session_history = fixture
        .store
        .session_history(session.id)
        .await
        .unwrap()
        .unwrap();
    assert!(
        !session_history.operations.is_empty(),
        "{session_history:?}"
    );
    let since = now.plus_seconds(-9);
    fixture.store.count_sessions(since, now, 10).await.unwrap();
}
