//! Round trips are counted, and a statement that was prepared is never prepared again.

use oncharge_domain::{
    audit::AuditAction,
    cursor::Position,
    psp::TokenFingerprint,
    session::{EventKind, Session},
};
use oncharge_ports::{
    BlocklistRepository, CheckoutRepository, Inbox, MerchantRepository, UnitOfWork,
    WebhookRepository, WorkQueue,
    inbox::NotificationStatus,
    queries::{EventFilter, Page, RefundFilter, SessionFilter},
    work_queue::WantedItems,
};

use crate::shop::{LEASE, Shop};

/// The round trips that the work costs.
async fn cost<T>(shop: &Shop, work: impl Future<Output = T>) -> (u64, T) {
    let before = shop.store.traffic().round_trips;
    let done = work.await;
    (shop.store.traffic().round_trips - before, done)
}

#[tokio::test(flavor = "multi_thread")]
async fn creating_costs_three_round_trips_and_one_more_with_a_key() {
    let shop = Shop::open(1).await;
    let hash = shop.build.ban([1; 32]).hash;
    let hashes = [hash];
    let ban_check = shop.store.live(&hashes, shop.build.now());
    assert_eq!(cost(&shop, ban_check).await.0, 1);
    assert_eq!(cost(&shop, shop.store.commit(shop.creating())).await.0, 2);
    let scope = shop.build.scope(&shop.merchant, "k");
    assert_eq!(
        cost(&shop, CheckoutRepository::key(&shop.store, &scope))
            .await
            .0,
        1
    );
    let once = shop.store.commit(shop.creating_once("k"));
    assert_eq!(cost(&shop, once).await.0, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn getting_costs_one_round_trip_and_refunding_three() {
    let shop = Shop::open(1).await;
    let session = shop.captured().await;
    let (trips, found) = cost(&shop, shop.store.session(session.id)).await;
    assert_eq!((trips, found.unwrap().is_some()), (1, true));
    let (trips, found) = cost(
        &shop,
        CheckoutRepository::key(&shop.store, &shop.build.scope(&shop.merchant, "k")),
    )
    .await;
    assert_eq!((trips, found.unwrap().is_none()), (1, true));
    let refund = shop.store.commit(shop.refunding(&session, "k"));
    let (trips, done) = cost(&shop, refund).await;
    done.unwrap();
    assert_eq!(trips, 2, "however many rows the unit has");
    let by_key = MerchantRepository::key(&shop.store, &shop.key_hash);
    assert_eq!(cost(&shop, by_key).await.0, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_notification_is_kept_in_one_round_trip_and_a_webhook_goes_out_in_four() {
    let shop = Shop::open(1).await;
    shop.set_endpoint().await;
    let new = shop.build.notification("evt-1");
    let (trips, kept) = cost(&shop, shop.store.receive(&new)).await;
    assert_eq!((trips, kept.unwrap()), (1, true));
    let now = shop.build.now();
    let wanted = WantedItems::up_to(10);
    let claim = shop.at(now).await.claim_notifications(&wanted, LEASE);
    let (trips, claimed) = cost(&shop, claim).await;
    assert_eq!(trips, 1);
    let irrelevant = NotificationStatus::Irrelevant;
    let settled = shop.build.settled(claimed.unwrap()[0].lease, irrelevant);
    let (trips, done) = cost(&shop, shop.store.settle(&settled)).await;
    done.unwrap();
    assert_eq!(trips, 2);
    let session = shop.created().await;
    let telling = shop.build.telling(&session, EventKind::PaymentError);
    let event = telling.events[0].id;
    let (trips, done) = cost(&shop, shop.store.commit(telling)).await;
    done.unwrap();
    assert_eq!(trips, 2, "the delivery costs none");
    let (trips, (lease, delivery)) = cost(&shop, shop.claimed(event)).await;
    assert_eq!(trips, 2, "one for the claim, one for what an attempt needs");
    let recorded = shop.build.recorded((lease, &delivery), Ok(500), None);
    let (trips, done) = cost(&shop, shop.store.record(&recorded)).await;
    done.unwrap();
    assert_eq!(trips, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_units_statements_are_all_sent_before_the_first_answer() {
    let (shop, proxy) = Shop::behind_a_proxy(1).await;
    let session = shop.captured().await;
    let warm = shop.refunding(&session, "k1");
    shop.store.commit(warm.clone()).await.unwrap();
    let unit = shop.refunding(&warm.session, "k2");
    // The session and its change, an operation, a refund, an event and its delivery, a key, an
    // audit entry.
    proxy.answer_after(8);
    shop.store.commit(unit.clone()).await.unwrap();
    assert!(shop.store.committed(&unit).await.unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn no_statement_of_a_request_is_parsed_twice_on_a_connection() {
    let (shop, proxy) = Shop::behind_a_proxy(1).await;
    everything(&shop, "first").await;
    let parsed = proxy.parsed().len();
    assert!(parsed > 20, "{parsed}");
    everything(&shop, "second").await;
    let again: Vec<String> = proxy.parsed();
    assert!(again.is_empty(), "{again:#?}");
}

/// What requests and workers do, each once.
async fn everything(shop: &Shop, key: &str) {
    let store = &shop.store;
    MerchantRepository::key(store, &shop.key_hash)
        .await
        .unwrap();
    let hash = shop.build.ban([1; 32]).hash;
    store.live(&[hash], shop.build.now()).await.unwrap();
    let scope = shop.build.scope(&shop.merchant, key);
    CheckoutRepository::key(store, &scope).await.unwrap();
    let created = shop.creating_once(key);
    store.commit(created.clone()).await.unwrap();
    store.committed(&created).await.unwrap();
    reads(shop, &created).await;
    let (paying, attempt) = shop.paying().await;
    let token = TokenFingerprint::of("tok_1");
    assert!(store.has_attempt(paying.id, token).await.unwrap());
    store.request(attempt.id).await.unwrap().unwrap();
    let captured = shop.captured().await;
    let refunding = shop.refunding(&captured, &format!("refund {key}").replace(' ', "-"));
    store.commit(refunding.clone()).await.unwrap();
    store.committed(&refunding).await.unwrap();
    let operation = &refunding.operations[0].operation;
    store.operation(operation.id).await.unwrap().unwrap();
    store.waiting_key(operation.id).await.unwrap().unwrap();
    store
        .refund(refunding.refund.as_ref().unwrap().id)
        .await
        .unwrap()
        .unwrap();
    store.unsent_refunds(captured.id).await.unwrap();
    let since = shop.build.now().plus_seconds(-60);
    let position = Position {
        created_at: operation.created_at,
        id: operation.id.uuid(),
    };
    for after in [None, Some(position)] {
        store.operations(since, after, 10).await.unwrap();
    }
    works(shop).await;
    tells(shop, key).await;
}

async fn reads(shop: &Shop, created: &UnitOfWork) {
    let store = &shop.store;
    let session: &Session = &created.session;
    store.session(session.id).await.unwrap().unwrap();
    let page = Page {
        after: None,
        limit: 20,
    };
    let merchant = shop.merchant.id;
    let sessions = SessionFilter {
        merchant,
        status: None,
        reference: None,
        order_id: None,
        psp_reference: None,
        created_after: None,
        created_before: None,
        now: shop.build.now(),
    };
    store.sessions(&sessions, page).await.unwrap();
    let refunds = RefundFilter {
        merchant,
        session: Some(session.id),
    };
    store.refunds(&refunds, page).await.unwrap();
    let events = EventFilter {
        merchant,
        session: Some(session.id),
        kind: None,
    };
    store.events(&events, page).await.unwrap();
}

async fn works(shop: &Shop) {
    let store = &shop.store;
    let later = shop.build.now().plus_seconds(3600);
    let lease = LEASE;
    for claimed in shop
        .at(later)
        .await
        .claim_operations(&WantedItems::up_to(100), lease)
        .await
        .unwrap()
    {
        assert!(store.renew(claimed.lease, lease).await.unwrap());
        store.release(claimed.lease, later).await.unwrap();
    }
    for claimed in shop
        .at(later)
        .await
        .claim_sessions(&WantedItems::up_to(100), lease)
        .await
        .unwrap()
    {
        assert!(store.renew(claimed.lease, lease).await.unwrap());
        store.release(claimed.lease, later).await.unwrap();
    }
    store.depths(later).await.unwrap();
    store.stuck(later, 10).await.unwrap();
}

/// What comes from the PSP and goes to the merchant.
async fn tells(shop: &Shop, key: &str) {
    let store = &shop.store;
    let new = shop.build.notification(key);
    assert!(store.receive(&new).await.unwrap());
    assert!(!store.receive(&new).await.unwrap());
    store.notification(new.id).await.unwrap().unwrap();
    let claimed = shop
        .at(shop.build.now())
        .await
        .claim_notifications(&WantedItems::up_to(10), LEASE)
        .await;
    let lease = claimed.unwrap()[0].lease;
    assert!(store.renew(lease, LEASE).await.unwrap());
    let malformed = shop.build.settled(lease, NotificationStatus::Malformed);
    store.settle(&malformed).await.unwrap();
    let audit = || shop.build.audit(AuditAction::NotificationDismissed);
    assert!(store.dismiss(new.id, &audit()).await.unwrap());
    shop.set_endpoint().await;
    let merchant = shop.merchant.id;
    let now = shop.build.now();
    store.signing_keys(merchant, now).await.unwrap();
    for answer in [500, 200] {
        let event = shop.told().await;
        let (lease, delivery) = shop.claimed(event).await;
        let failing = (answer == 200).then_some(now);
        let recorded = shop.build.recorded((lease, &delivery), Ok(answer), failing);
        store.record(&recorded).await.unwrap();
        store.event(merchant, event).await.unwrap().unwrap();
        assert_eq!(store.attempts(event).await.unwrap().len(), 1);
        store.redeliver(merchant, event, now).await.unwrap();
        let (lease, _) = shop.claimed(event).await;
        store.release(lease, now).await.unwrap();
    }
    assert!(store.remove_endpoint(merchant, &audit()).await.unwrap());
}
