//! A store with a merchant, and units of work as the use cases create them.

use std::time::Duration;

use oncharge_adapter_postgres::PostgresStore;
use oncharge_conformance::keys;
use oncharge_domain::{
    audit::AuditAction,
    id::EventId,
    idempotency::RequestFingerprint,
    merchant::{ApiKey, ApiKeyHash, Merchant},
    operation::Operation,
    session::{Captured, EventKind, Payment, Refunds, Session, Status},
    text::{Contact, Email, Phone},
    time::Timestamp,
    webhook::{Delivery, WebhookEndpoint},
};
use oncharge_ports::{
    CheckoutRepository, MerchantRepository, StoredResponse, UnitOfWork, WebhookRepository,
    WorkQueue,
    unit_of_work::{IdempotencyWrite, Lease},
    webhook_repository::EndpointWrite,
    work_queue::DeliveryClaimFilter,
};
use oncharge_testkit::{Builder, build::reference};
use tokio_postgres::Client;

use crate::{
    database::{Database, admin_url, connect, open, set_clock},
    proxy::Proxy,
};

/// An e-mail address that must not be found in the tables.
pub(crate) const EMAIL: &str = "jane.doe@shopper.example";
pub(crate) const PHONE: &str = "+4915112345678";
/// The PSP's token in a request, and a text of a stored response.
pub(crate) const BODY: &str = r#"{"pay_token":"pt_very_secret"}"#;

/// The lease duration in tests.
pub(crate) const LEASE: Duration = Duration::from_secs(15);

/// A store, and a merchant in it.
pub(crate) struct Fixture {
    pub(crate) store: PostgresStore,
    pub(crate) build: Builder,
    pub(crate) merchant: Merchant,
    pub(crate) key: ApiKey,
    pub(crate) key_hash: ApiKeyHash,
    pub(crate) database: Database,
}

impl Database {
    /// A migrated, empty database.
    pub(crate) async fn empty() -> Self {
        Self::create(admin_url().unwrap(), "").await.unwrap()
    }

    /// A separate connection to the database.
    pub(crate) async fn client(&self) -> Client {
        connect(&self.url).await.unwrap()
    }
}

impl Fixture {
    /// A store with this maximum number of connections.
    pub(crate) async fn open(connections: usize) -> Self {
        let database = Database::migrated().await.unwrap();
        let url = database.url_with_test_clock();
        Self::on(database, &url, connections).await
    }

    /// A store on another cluster than the one that the tests share.
    pub(crate) async fn on_cluster(admin: &str, connections: usize) -> Self {
        let database = Database::create(admin.to_owned(), "").await.unwrap();
        let url = database.url.clone();
        Self::on(database, &url, connections).await
    }

    /// A store whose connections all use a proxy.
    pub(crate) async fn with_proxy(connections: usize) -> (Self, Proxy) {
        let database = Database::migrated().await.unwrap();
        let proxy = Proxy::before(&database.url_with_test_clock()).await;
        let fixture = Self::on(database, &proxy.url, connections).await;
        (fixture, proxy)
    }

    async fn on(database: Database, url: &str, connections: usize) -> Self {
        let store = open(url, keys(), connections).await.unwrap();
        let build = Builder::new(7);
        let merchant = build.merchant();
        let (key, key_hash) = build.api_key(&merchant);
        let audit = build.audit(AuditAction::MerchantCreated);
        let done = store.create(&merchant, &key, &key_hash, &audit).await;
        done.unwrap();
        Self {
            store,
            build,
            merchant,
            key,
            key_hash,
            database,
        }
    }

    /// The store, after setting the database's clock to this time.
    pub(crate) async fn at(&self, now: Timestamp) -> &PostgresStore {
        let client = self.database.client().await;
        set_clock(&client, now).await.unwrap();
        &self.store
    }

    /// A unit that creates a session, as `POST /v1/checkout/sessions` does.
    pub(crate) fn session_unit(&self) -> UnitOfWork {
        let mut session = self.build.session(&self.merchant);
        session.contact = Contact {
            email: Some(Email::parse(EMAIL).unwrap()),
            phone: Some(Phone::parse(PHONE).unwrap()),
        };
        self.build.unit(session)
    }

    /// The same with a response that is stored under this key.
    pub(crate) fn keyed_session_unit(&self, key: &str) -> UnitOfWork {
        let mut unit = self.session_unit();
        unit.key = Some(IdempotencyWrite::ReserveAndComplete {
            scope: self.build.scope(&self.merchant, key),
            fingerprint: fingerprint(),
            response: response(),
            at: self.build.now(),
        });
        unit
    }

    /// Creates a session in the store.
    pub(crate) async fn created_session(&self) -> Session {
        let unit = self.session_unit();
        let session = unit.session.clone();
        self.store.commit(unit).await.unwrap();
        session
    }

    /// A session with one open attempt.
    pub(crate) async fn paying_session(&self) -> (Session, Operation) {
        let session = self.created_session().await;
        let attempt = self.build.attempt(&session, "tok_1");
        let mut unit = self.build.next_unit(&session);
        unit.operations = vec![self.build.intent(attempt.clone())];
        let session = unit.session.clone();
        self.store.commit(unit).await.unwrap();
        (session, attempt)
    }

    /// Creates a captured session.
    pub(crate) async fn captured_session(&self) -> Session {
        let session = self.created_session().await;
        let mut unit = self.build.next_unit(&session);
        let attempt = self.build.operation_id();
        unit.session.status = Status::Captured(Captured {
            payment: Payment {
                attempt,
                reference: reference("psp_payment"),
                authorized: session.amount,
            },
            capture: attempt,
            captured: session.amount,
            refunds: Refunds::none(session.amount),
        });
        let session = unit.session.clone();
        self.store.commit(unit).await.unwrap();
        session
    }

    /// A unit that creates a refund, as `POST /v1/refunds` with a key does.
    pub(crate) fn refund_unit(&self, session: &Session, key: &str) -> UnitOfWork {
        let mut unit = self.build.next_unit(session);
        let (refund, operation) = self.build.refund(session, 1500);
        unit.key = Some(IdempotencyWrite::Reserve {
            scope: self.build.scope(&self.merchant, key),
            fingerprint: fingerprint(),
            operation: operation.id,
            at: self.build.now(),
        });
        let sequence = session.next_sequence;
        unit.session.next_sequence += 1;
        let event = self
            .build
            .event(session, sequence, EventKind::RefundRequested);
        unit.operations = vec![self.build.intent(operation)];
        unit.refund = Some(refund);
        unit.events = vec![event];
        unit.audit = vec![self.build.audit(AuditAction::UnexpectedFact)];
        unit
    }

    /// Sets the merchant's endpoint.
    pub(crate) async fn set_endpoint(&self) {
        let endpoint = self.build.endpoint(&self.merchant, &self.key);
        let audit = self.build.audit(AuditAction::EndpointSet);
        let written = self.store.set_endpoint(&endpoint, &audit).await;
        assert_eq!(written.unwrap(), EndpointWrite::Written);
    }

    /// The next version of the merchant's endpoint.
    pub(crate) async fn next_endpoint(&self) -> WebhookEndpoint {
        let present = self
            .store
            .endpoint(self.merchant.id)
            .await
            .unwrap()
            .unwrap();
        let (key, now) = (self.key.id, self.build.now());
        let secret = self.build.webhook_secret();
        present.reconfigured(present.url.clone(), key, secret, now)
    }

    /// Creates an event of a new session.
    pub(crate) async fn committed_event(&self) -> EventId {
        let session = self.created_session().await;
        let unit = self
            .build
            .unit_with_event(&session, EventKind::PaymentError);
        let event = unit.events[0].id;
        self.store.commit(unit).await.unwrap();
        event
    }

    /// Claims the due delivery of this event.
    pub(crate) async fn claim_delivery(&self, event: EventId) -> (Lease, Delivery) {
        let (now, wanted) = (self.build.now(), any());
        let claimed = self
            .at(now)
            .await
            .claim_deliveries(&wanted, LEASE)
            .await
            .unwrap();
        let of_event = claimed.iter().find(|claimed| claimed.event == event);
        let outgoing = self.store.outgoing(&[event]).await.unwrap().remove(0);
        (of_event.unwrap().lease, outgoing.delivery)
    }

    /// The number of rows per table, to check that nothing was written.
    pub(crate) async fn row_counts(&self) -> Vec<(String, i64)> {
        let client = self.database.client().await;
        let mut counts = Vec::new();
        for table in tables(&client).await {
            let query = format!("SELECT count(*) FROM {table}");
            let row = client.query_one(&query, &[]).await.unwrap();
            counts.push((table, row.get(0)));
        }
        counts
    }
}

/// A filter that matches every delivery.
pub(crate) fn any() -> DeliveryClaimFilter {
    DeliveryClaimFilter {
        limit: 1000,
        per_merchant: 1000,
        busy: Vec::new(),
    }
}

/// The application's tables, by name.
pub(crate) async fn tables(client: &Client) -> Vec<String> {
    let query = "SELECT tablename::text FROM pg_tables \
         WHERE schemaname = 'public' AND tablename !~ '^__' ORDER BY 1";
    let rows = client.query(query, &[]).await.unwrap();
    rows.iter().map(|row| row.get(0)).collect()
}

fn fingerprint() -> RequestFingerprint {
    RequestFingerprint::of("POST", "/v1/refunds", b"{}")
}

pub(crate) fn response() -> StoredResponse {
    StoredResponse {
        status: 201,
        content_type: "application/json".to_owned(),
        body: BODY.as_bytes().to_vec(),
    }
}
