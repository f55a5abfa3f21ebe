//! What operators ask of the store, for the test of its plans.

use oncharge_domain::{cursor::Position, session::Session, session::StatusName};
use oncharge_ports::{
    Oversight,
    oversight::{Named, Search},
    queries::Page,
};

use crate::shop::Shop;

/// Every search, a story and the counts. A name that thousands share is no search by a name: it
/// reads those thousands, as the index on references is made for merchants first.
pub(crate) async fn oversee(shop: &Shop, session: &Session) {
    let now = shop.build.now();
    let any = Search {
        named: None,
        merchant: None,
        status: None,
        created_after: None,
        created_before: None,
        now,
    };
    let mut searches = vec![any.clone()];
    for named in [
        Named::Session(session.id),
        Named::Text("a name of nothing".to_owned()),
    ] {
        searches.push(Search {
            named: Some(named),
            ..any.clone()
        });
    }
    searches.push(Search {
        merchant: Some(shop.merchant.id),
        ..any.clone()
    });
    searches.extend(StatusName::ALL.iter().map(|status| Search {
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
            shop.store.find_sessions(search, page).await.unwrap();
        }
    }
    let story = shop.store.story(session.id).await.unwrap().unwrap();
    assert!(!story.operations.is_empty(), "{story:?}");
    let since = now.plus_seconds(-9);
    shop.store.count_sessions(since, now, 10).await.unwrap();
}
