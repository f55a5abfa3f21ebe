//! Get and list: only the merchant's own objects, in their current state.

use oncharge_application::{
    Error,
    checkout::{self, create::NewCheckout, list::ListSessions},
    refunds::{self, list::ListRefunds},
};
use oncharge_domain::{session::StatusName, text::Reference};

use crate::support::{World, default_checkout};

#[tokio::test(start_paused = true)]
async fn another_merchants_session_and_an_id_of_another_form_are_not_found() {
    let world = World::new();
    let order = world.captured().await;
    world.refund(&order, "", 100).await.unwrap();
    let refund = world.store.refunds_of(order.id)[0].id.to_string();
    let other = world.of_another_merchant();
    let (mine, theirs) = (world.merchant.id, other.merchant.id);
    let got = checkout::get::get(&world.app, mine, &order.text()).await;
    assert_eq!(got.unwrap().id, order.id);
    let got = refunds::get::get(&world.app, mine, &refund).await;
    assert_eq!(got.unwrap().id.to_string(), refund);
    for (merchant, id) in [
        (theirs, order.text()),
        (mine, refund.clone()),
        (mine, "cs_x".into()),
    ] {
        let got = checkout::get::get(&world.app, merchant, &id).await;
        assert!(matches!(got, Err(Error::NotFound)), "{id}: {got:?}");
    }
    for (merchant, id) in [
        (theirs, refund),
        (mine, order.text()),
        (mine, String::new()),
    ] {
        let got = refunds::get::get(&world.app, merchant, &id).await;
        assert!(matches!(got, Err(Error::NotFound)), "{id}: {got:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn another_merchant_can_do_nothing_with_a_session() {
    let world = World::new();
    let (open, authorized) = (world.open().await, world.authorized().await);
    let captured = world.captured().await;
    let other = world.of_another_merchant();
    let commits = world.fault_plan.reached().commits;
    for response in [
        other.capture(&authorized, "a", None).await,
        other.cancel(&authorized, "b").await,
        other.expire(&open, "c").await,
        other.refund(&captured, "d", 1).await,
    ] {
        assert!(matches!(response, Err(Error::NotFound)), "{response:?}");
    }
    assert_eq!(
        world.fault_plan.reached().commits,
        commits,
        "something was written"
    );
}

#[tokio::test(start_paused = true)]
async fn an_unpaid_session_reads_as_expired_after_its_expiry() {
    let world = World::new();
    let order = world.open().await;
    world.wait_past_expiry(&order, -1).await;
    assert_eq!(world.status(&order).await, StatusName::Created);
    world.clock.advance(1);
    assert_eq!(world.status(&order).await, StatusName::Expired);
    let list = |status| {
        let wanted = ListSessions {
            limit: 10,
            status: Some(status),
            ..ListSessions::default()
        };
        checkout::list::list(&world.app, world.merchant.id, wanted)
    };
    assert_eq!(list(StatusName::Expired).await.unwrap().items.len(), 1);
    assert_eq!(list(StatusName::Created).await.unwrap().items.len(), 0);
    for response in [
        world.capture(&order, "", None).await,
        world.cancel(&order, "").await,
        world.expire(&order, "").await,
        world.refund(&order, "", 1).await,
    ] {
        let error = response.unwrap_err();
        let is_expired = matches!(error, Error::InvalidState(StatusName::Expired));
        assert!(is_expired, "{error:?}");
    }
    let paid = world.pay(&order, "tok_1").await.unwrap_err();
    assert!(matches!(paid, Error::InvalidState(StatusName::Expired)));
    assert_eq!(
        world.events(&order),
        Vec::<&str>::new(),
        "events before the sweep"
    );
}

#[tokio::test(start_paused = true)]
async fn pages_are_newest_first_stable_and_bound_to_merchant_and_list() {
    let world = World::new();
    let mut made = Vec::new();
    for n in 0..5 {
        let reference = Reference::parse(&format!("order-{n}")).unwrap();
        let defaults = default_checkout();
        made.push(
            world
                .open_with(NewCheckout {
                    reference,
                    ..defaults
                })
                .await
                .id,
        );
        world.clock.advance(1);
    }
    let page = |cursor: Option<String>| {
        let wanted = ListSessions {
            limit: 2,
            cursor,
            ..ListSessions::default()
        };
        checkout::list::list(&world.app, world.merchant.id, wanted)
    };
    let (mut seen, mut cursor) = (Vec::new(), None);
    loop {
        let listed = page(cursor).await.unwrap();
        seen.extend(listed.items.iter().map(|session| session.id));
        // A session that is added between pages changes no page.
        world.open().await;
        cursor = listed.next_cursor;
        if cursor.is_none() {
            break;
        }
    }
    made.reverse();
    assert_eq!(seen, made);
    let cursor = page(None).await.unwrap().next_cursor;
    let other = world.of_another_merchant().merchant.id;
    let theirs = ListSessions {
        limit: 2,
        cursor: cursor.clone(),
        ..ListSessions::default()
    };
    let listed = checkout::list::list(&world.app, other, theirs).await;
    assert!(matches!(listed, Err(Error::BadCursor)));
    let wanted = ListRefunds {
        limit: 2,
        cursor,
        session_id: None,
    };
    let listed = refunds::list::list(&world.app, world.merchant.id, wanted).await;
    assert!(matches!(listed, Err(Error::BadCursor)));
    assert!(matches!(
        page(Some("x".into())).await,
        Err(Error::BadCursor)
    ));
}

#[tokio::test(start_paused = true)]
async fn sessions_are_found_by_reference_and_time() {
    let world = World::new();
    let defaults = default_checkout();
    let reference = Reference::parse("special").unwrap();
    let first = world.open().await;
    world.clock.advance(10);
    let special = world
        .open_with(NewCheckout {
            reference: reference.clone(),
            ..defaults
        })
        .await;
    let at = world.session(&special).await.created_at;
    let found = async |wanted: ListSessions| {
        let wanted = ListSessions {
            limit: 100,
            ..wanted
        };
        let listed = checkout::list::list(&world.app, world.merchant.id, wanted).await;
        let items = listed.unwrap().items;
        items.iter().map(|session| session.id).collect::<Vec<_>>()
    };
    let by = ListSessions {
        reference: Some(reference),
        ..ListSessions::default()
    };
    assert_eq!(found(by).await, [special.id]);
    let by = ListSessions {
        created_after: Some(at),
        ..ListSessions::default()
    };
    assert_eq!(found(by).await, [special.id], "inclusive");
    let by = ListSessions {
        created_before: Some(at),
        ..ListSessions::default()
    };
    assert_eq!(found(by).await, [first.id], "exclusive");
}

#[tokio::test(start_paused = true)]
async fn refunds_are_listed_by_session_and_only_to_their_merchant() {
    let world = World::new();
    let (one, two) = (world.captured().await, world.captured().await);
    for (order, minor) in [(&one, 100), (&one, 200), (&two, 300)] {
        world.refund(order, "", minor).await.unwrap();
        world.clock.advance(1);
    }
    let list = async |merchant, session_id: Option<String>| {
        let wanted = ListRefunds {
            limit: 10,
            cursor: None,
            session_id,
        };
        let listed = refunds::list::list(&world.app, merchant, wanted)
            .await
            .unwrap();
        let items = listed.items.iter();
        items
            .map(|refund| refund.amount.minor())
            .collect::<Vec<_>>()
    };
    let mine = world.merchant.id;
    assert_eq!(list(mine, None).await, [300, 200, 100]);
    assert_eq!(list(mine, Some(one.text())).await, [200, 100]);
    assert_eq!(list(mine, Some("nonsense".into())).await, Vec::<i64>::new());
    let other = world.of_another_merchant().merchant.id;
    assert_eq!(list(other, Some(one.text())).await, Vec::<i64>::new());
}

#[tokio::test(start_paused = true)]
async fn a_pay_token_is_valid_for_its_session_until_a_day_after_expiry() {
    let world = World::new();
    let (mine, foreign) = (world.open().await, world.open().await);
    let look = async |token: &str| {
        checkout::shopper_view::status(&world.app, &mine.text(), token)
            .await
            .map(|state| state.status)
    };
    assert_eq!(look(&mine.pay_token).await.unwrap(), StatusName::Created);
    for bad in [foreign.pay_token.as_str(), "", "pt_", "pt_AAAA"] {
        assert!(matches!(look(bad).await, Err(Error::BadPayToken)), "{bad}");
    }
    let cut = &mine.pay_token[..mine.pay_token.len() - 4];
    assert!(matches!(look(cut).await, Err(Error::BadPayToken)));
    world.wait_past_expiry(&mine, 24 * 3600).await;
    assert_eq!(look(&mine.pay_token).await.unwrap(), StatusName::Expired);
    world.clock.advance(1);
    assert!(matches!(
        look(&mine.pay_token).await,
        Err(Error::BadPayToken)
    ));
}

#[tokio::test(start_paused = true)]
async fn the_checkout_view_has_merchant_and_psp() {
    let world = World::new();
    let order = world.open().await;
    let view = checkout::shopper_view::load(&world.app, &order.text(), &order.pay_token)
        .await
        .unwrap();
    assert_eq!(view.session.id, order.id);
    assert_eq!(view.merchant.id, world.merchant.id);
    assert_eq!(
        view.connector.fields_url(),
        "https://psp.example.com/fields"
    );
    assert_eq!(view.now, world.now());
}
