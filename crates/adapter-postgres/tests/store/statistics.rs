//! Round trips per use case, and each statement is prepared only once.

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
    work_queue::ClaimFilter,
};

use crate::fixture::{Fixture, LEASE};

/// The number of round trips of the work.
async fn cost<T>(fixture: &Fixture, work: impl Future<Output = T>) -> (u64, T) {
    let before = fixture.store.statistics().round_trips;
    let done = work.await;
    (fixture.store.statistics().round_trips - before, done)
}

#[tokio::test(flavor = "multi_thread")]
async fn creating_costs_three_round_trips_and_one_more_with_a_key() {
    let fixture = Fixture::open(1).await;
    let hash = fixture.build.ban([1; 32]).hash;
    let hashes = [hash];
    let ban_check = fixture.store.live_bans(&hashes, fixture.build.now());
    assert_eq!(cost(&fixture, ban_check).await.0, 1);
    assert_eq!(
        cost(&fixture, fixture.store.commit(fixture.session_unit()))
            .await
            .0,
        2
    );
    let scope = fixture.build.scope(&fixture.merchant, "k");
    assert_eq!(
        cost(&fixture, CheckoutRepository::key(&fixture.store, &scope))
            .await
            .0,
        1
    );
    let once = fixture.store.commit(fixture.keyed_session_unit("k"));
    assert_eq!(cost(&fixture, once).await.0, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn getting_costs_one_round_trip_and_refunding_three() {
    let fixture = Fixture::open(1).await;
    let session = fixture.captured_session().await;
    let (trips, found) = cost(&fixture, fixture.store.session(session.id)).await;
    assert_eq!((trips, found.unwrap().is_some()), (1, true));
    let (trips, found) = cost(
        &fixture,
        CheckoutRepository::key(&fixture.store, &fixture.build.scope(&fixture.merchant, "k")),
    )
    .await;
    assert_eq!((trips, found.unwrap().is_none()), (1, true));
    let refund = fixture.store.commit(fixture.refund_unit(&session, "k"));
    let (trips, done) = cost(&fixture, refund).await;
    done.unwrap();
    assert_eq!(trips, 2, "round trips of a unit with more rows");
    let by_key = MerchantRepository::key(&fixture.store, &fixture.key_hash);
    assert_eq!(cost(&fixture, by_key).await.0, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_notification_costs_one_round_trip_and_a_webhook_four() {
    let fixture = Fixture::open(1).await;
    fixture.set_endpoint().await;
    let new = fixture.build.notification("evt-1");
    let (trips, kept) = cost(&fixture, fixture.store.receive(&new)).await;
    assert_eq!((trips, kept.unwrap()), (1, true));
    let now = fixture.build.now();
    let wanted = ClaimFilter::up_to(10);
    let claim = fixture.at(now).await.claim_notifications(&wanted, LEASE);
    let (trips, claimed) = cost(&fixture, claim).await;
    assert_eq!(trips, 1);
    let irrelevant = NotificationStatus::Irrelevant;
    let outcome = fixture
        .build
        .notification_outcome(claimed.unwrap()[0].lease, irrelevant);
    let (trips, done) = cost(&fixture, fixture.store.close(&outcome)).await;
    done.unwrap();
    assert_eq!(trips, 2);
    let session = fixture.created_session().await;
    let telling = fixture
        .build
        .unit_with_event(&session, EventKind::PaymentError);
    let event = telling.events[0].id;
    let (trips, done) = cost(&fixture, fixture.store.commit(telling)).await;
    done.unwrap();
    assert_eq!(trips, 2, "round trips without one for the delivery");
    let (trips, (lease, delivery)) = cost(&fixture, fixture.claim_delivery(event)).await;
    assert_eq!(
        trips, 2,
        "one round trip for the claim, one to load the attempt"
    );
    let attempt_record = fixture
        .build
        .attempt_record(lease, &delivery, Ok(500), None);
    let (trips, done) = cost(&fixture, fixture.store.record(&attempt_record)).await;
    done.unwrap();
    assert_eq!(trips, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn all_statements_of_a_unit_are_sent_before_the_first_response() {
    let (fixture, proxy) = Fixture::with_proxy(1).await;
    let session = fixture.captured_session().await;
    let warm = fixture.refund_unit(&session, "k1");
    fixture.store.commit(warm.clone()).await.unwrap();
    let unit = fixture.refund_unit(&warm.session, "k2");
    // The session and its change, an operation, a refund, an event and its delivery, a key, and an
    // audit entry.
    proxy.respond_after(8);
    fixture.store.commit(unit.clone()).await.unwrap();
    assert!(fixture.store.is_committed(&unit).await.unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn no_statement_is_parsed_twice_on_a_connection() {
    let (fixture, proxy) = Fixture::with_proxy(1).await;
    run_every_operation(&fixture, "first").await;
    let parsed = proxy.parsed().len();
    assert!(parsed > 20, "{parsed}");
    run_every_operation(&fixture, "second").await;
    let again: Vec<String> = proxy.parsed();
    assert!(again.is_empty(), "{again:#?}");
}

/// Runs every operation of requests and workers once.
async fn run_every_operation(fixture: &Fixture, key: &str) {
    let store = &fixture.store;
    MerchantRepository::key(store, &fixture.key_hash)
        .await
        .unwrap();
    let hash = fixture.build.ban([1; 32]).hash;
    store.live_bans(&[hash], fixture.build.now()).await.unwrap();
    let scope = fixture.build.scope(&fixture.merchant, key);
    CheckoutRepository::key(store, &scope).await.unwrap();
    let created = fixture.keyed_session_unit(key);
    store.commit(created.clone()).await.unwrap();
    store.is_committed(&created).await.unwrap();
    reads(fixture, &created).await;
    let (paying, attempt) = fixture.paying_session().await;
    let token = TokenFingerprint::of("tok_1");
    assert!(store.has_attempt(paying.id, token).await.unwrap());
    store.request(attempt.id).await.unwrap().unwrap();
    let captured = fixture.captured_session().await;
    let refunding = fixture.refund_unit(&captured, &format!("refund {key}").replace(' ', "-"));
    store.commit(refunding.clone()).await.unwrap();
    store.is_committed(&refunding).await.unwrap();
    let operation = &refunding.operations[0].operation;
    store.operation(operation.id).await.unwrap().unwrap();
    store.reserved_key(operation.id).await.unwrap().unwrap();
    store
        .refund(refunding.refund.as_ref().unwrap().id)
        .await
        .unwrap()
        .unwrap();
    store.unsent_refunds(captured.id).await.unwrap();
    let since = fixture.build.now().plus_seconds(-60);
    let position = Position {
        created_at: operation.created_at,
        id: operation.id.uuid(),
    };
    for after in [None, Some(position)] {
        store.operations(since, after, 10).await.unwrap();
    }
    claim_operations_and_sessions(fixture).await;
    notifications_and_webhooks(fixture, key).await;
}

async fn reads(fixture: &Fixture, created: &UnitOfWork) {
    let store = &fixture.store;
    let session: &Session = &created.session;
    store.session(session.id).await.unwrap().unwrap();
    let page = Page {
        after: None,
        limit: 20,
    };
    let merchant = fixture.merchant.id;
    let sessions = SessionFilter {
        merchant,
        status: None,
        reference: None,
        order_id: None,
        psp_reference: None,
        created_after: None,
        created_before: None,
        now: fixture.build.now(),
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

async fn claim_operations_and_sessions(fixture: &Fixture) {
    let store = &fixture.store;
    let later = fixture.build.now().plus_seconds(3600);
    let lease = LEASE;
    for claimed in fixture
        .at(later)
        .await
        .claim_operations(&ClaimFilter::up_to(100), lease)
        .await
        .unwrap()
    {
        assert!(store.renew(claimed.lease, lease).await.unwrap());
        store.release(claimed.lease, later).await.unwrap();
    }
    for claimed in fixture
        .at(later)
        .await
        .claim_sessions(&ClaimFilter::up_to(100), lease)
        .await
        .unwrap()
    {
        assert!(store.renew(claimed.lease, lease).await.unwrap());
        store.release(claimed.lease, later).await.unwrap();
    }
    store.depths(later).await.unwrap();
    store.stuck(later, 10).await.unwrap();
}

/// Stores and handles notifications, and delivers webhooks.
async fn notifications_and_webhooks(fixture: &Fixture, key: &str) {
    let store = &fixture.store;
    let new = fixture.build.notification(key);
    assert!(store.receive(&new).await.unwrap());
    assert!(!store.receive(&new).await.unwrap());
    store.notification(new.id).await.unwrap().unwrap();
    let claimed = fixture
        .at(fixture.build.now())
        .await
        .claim_notifications(&ClaimFilter::up_to(10), LEASE)
        .await;
    let lease = claimed.unwrap()[0].lease;
    assert!(store.renew(lease, LEASE).await.unwrap());
    let malformed = fixture
        .build
        .notification_outcome(lease, NotificationStatus::Malformed);
    store.close(&malformed).await.unwrap();
    let audit = || fixture.build.audit(AuditAction::NotificationDismissed);
    assert!(store.dismiss(new.id, &audit()).await.unwrap());
    fixture.set_endpoint().await;
    let merchant = fixture.merchant.id;
    let now = fixture.build.now();
    store.signing_keys(merchant, now).await.unwrap();
    for response in [500, 200] {
        let event = fixture.committed_event().await;
        let (lease, delivery) = fixture.claim_delivery(event).await;
        let failing = (response == 200).then_some(now);
        let attempt_record = fixture
            .build
            .attempt_record(lease, &delivery, Ok(response), failing);
        store.record(&attempt_record).await.unwrap();
        store.event(merchant, event).await.unwrap().unwrap();
        assert_eq!(store.attempts(event).await.unwrap().len(), 1);
        store.redeliver(merchant, event, now).await.unwrap();
        let (lease, _) = fixture.claim_delivery(event).await;
        store.release(lease, now).await.unwrap();
    }
    assert!(store.remove_endpoint(merchant, &audit()).await.unwrap());
}
