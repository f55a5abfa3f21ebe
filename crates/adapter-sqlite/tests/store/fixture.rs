//! A file with a merchant and one row of every kind.

use std::{path::PathBuf, sync::Arc};

use diesel::{Connection, SqliteConnection};
use oncharge_adapter_sqlite::SqliteStore;
use oncharge_conformance::keys;
use oncharge_domain::{
    audit::AuditAction,
    blocklist::Ban,
    idempotency::RequestFingerprint,
    merchant::{ApiKey, ApiKeyHash, Merchant},
    operation::{Operation, OperationStatus},
    psp::RefusalReason,
    refund::Refund,
    session::{EventKind, Session},
    signing::SigningKey,
    text::{Contact, Email, Phone},
    time::Timestamp,
    webhook::WebhookEndpoint,
};
use oncharge_ports::{
    BlocklistRepository, CheckoutRepository, Inbox, MerchantRepository, StoredResponse,
    WebhookRepository,
    inbox::NewNotification,
    psp::PreparedRequest,
    unit_of_work::{ChangedOperation, IdempotencyScope, IdempotencyWrite, NewEvent},
    webhook_repository::EndpointWrite,
};
use oncharge_testkit::{Builder, FakeClock, SeededEntropy};

/// Texts that must not be found in the file.
pub(crate) const EMAIL: &str = "shopper.unmistakable@example.com";
pub(crate) const PHONE: &str = "+15551234567";
pub(crate) const TOKEN: &str = "tok_unmistakable_4242";
pub(crate) const PAY_TOKEN: &str = "pt_unmistakable_secret";
pub(crate) const NOTIFIED: &str = "unmistakable body of a notification";

/// The written values.
pub(crate) struct Fixture {
    pub(crate) directory: tempfile::TempDir,
    pub(crate) store: SqliteStore,
    pub(crate) clock: Arc<FakeClock>,
    pub(crate) build: Builder,
    pub(crate) merchant: Merchant,
    pub(crate) api_key: (ApiKey, ApiKeyHash),
    /// In its third version, with an open refund.
    pub(crate) session: Session,
    pub(crate) attempt: Operation,
    pub(crate) refund: (Refund, Operation),
    pub(crate) event: NewEvent,
    /// The key under which the session was created, with a response.
    pub(crate) answered: IdempotencyScope,
    /// The key of the refund's request, reserved.
    pub(crate) waiting: IdempotencyScope,
    pub(crate) ban: Ban,
    /// The endpoint of the event's delivery.
    pub(crate) endpoint: WebhookEndpoint,
    /// Waiting in the inbox.
    pub(crate) notification: NewNotification,
}

pub(crate) fn path(directory: &tempfile::TempDir) -> PathBuf {
    directory.path().join("oncharge.db")
}

pub(crate) fn open(directory: &tempfile::TempDir, seed: u64) -> SqliteStore {
    open_with_clock(directory, seed).0
}

fn open_with_clock(directory: &tempfile::TempDir, seed: u64) -> (SqliteStore, Arc<FakeClock>) {
    let (entropy, clock) = (
        Arc::new(SeededEntropy::new(seed)),
        Arc::new(FakeClock::new()),
    );
    let store = SqliteStore::open(path(directory), keys(), entropy, clock.clone()).unwrap();
    (store, clock)
}

pub(crate) fn response() -> StoredResponse {
    StoredResponse {
        status: 201,
        content_type: "application/json".to_owned(),
        body: format!("{{\"pay_token\":\"{PAY_TOKEN}\"}}").into_bytes(),
    }
}

pub(crate) fn fingerprint() -> RequestFingerprint {
    RequestFingerprint::of("POST", "/v1/checkout/sessions", b"{}")
}

/// A session with contact data, created under a key with a stored response.
async fn created(
    store: &SqliteStore,
    build: &Builder,
    merchant: &Merchant,
) -> (Session, IdempotencyScope) {
    let mut new = build.new_session(merchant);
    new.contact = Contact {
        email: Some(Email::parse(EMAIL).unwrap()),
        phone: Some(Phone::parse(PHONE).unwrap()),
    };
    let session = Session::create(new);
    let scope = build.scope(merchant, "create-1");
    let mut unit = build.unit(session.clone());
    unit.key = Some(IdempotencyWrite::ReserveAndComplete {
        scope: scope.clone(),
        fingerprint: fingerprint(),
        response: response(),
        at: build.now(),
    });
    store.commit(unit).await.unwrap();
    (session, scope)
}

/// A ban and a notification.
async fn ban_and_notification(store: &SqliteStore, build: &Builder) -> (Ban, NewNotification) {
    let ban = build.ban([5; 32]);
    let audit = build.audit(AuditAction::BanAdded);
    assert!(store.add(&ban, &build.pepper(), &audit).await.unwrap());
    let mut notification = build.notification("notified-1");
    notification.body = NOTIFIED.as_bytes().to_vec();
    assert!(store.receive(&notification).await.unwrap());
    (ban, notification)
}

impl Fixture {
    /// The store, after setting its clock to this time.
    pub(crate) fn at(&self, now: Timestamp) -> &SqliteStore {
        self.clock.set(now);
        &self.store
    }

    /// A session that was created under a key, paid, refused, and has an open refund. (The domain
    /// would not decide this; the store does not check it.)
    pub(crate) async fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let (store, clock) = open_with_clock(&directory, 1);
        let build = Builder::new(7);
        let merchant = build.merchant();
        let (mut key, hash) = build.api_key(&merchant);
        // The key and its secret are different texts; only the key's hash is stored unsealed.
        key.signing_key = SigningKey::of_secret("secret of the merchant");
        let audit = build.audit(AuditAction::MerchantCreated);
        store.create(&merchant, &key, &hash, &audit).await.unwrap();
        let audit = build.audit(AuditAction::EndpointSet);
        let endpoint = build.endpoint(&merchant, &key);
        let written = store.set_endpoint(&endpoint, &audit).await;
        assert_eq!(written.unwrap(), EndpointWrite::Written);

        let (session, answered) = created(&store, &build, &merchant).await;
        let attempt = build.attempt(&session, TOKEN);
        let mut intent = build.intent(attempt.clone());
        intent.request = PreparedRequest::new(format!("card={TOKEN}").into_bytes());
        let mut unit = build.next_unit(&session);
        unit.operations = vec![intent];
        let session = unit.session.clone();
        store.commit(unit).await.unwrap();

        let attempt = Operation {
            status: OperationStatus::Failed,
            failure: Some(RefusalReason::CardDeclined),
            ..attempt
        };
        let (refund, waiting) = (
            build.refund(&session, 100),
            build.scope(&merchant, "refund-1"),
        );
        let mut unit = build.next_unit(&session);
        unit.session.next_sequence = 2;
        let session = unit.session.clone();
        let event = build.event(&session, 1, EventKind::RefundRequested);
        unit.changed_operations = vec![ChangedOperation {
            operation: attempt.clone(),
            next_try_at: None,
        }];
        unit.operations = vec![build.intent(refund.1.clone())];
        unit.refund = Some(refund.0.clone());
        unit.events = vec![event.clone()];
        unit.key = Some(IdempotencyWrite::Reserve {
            scope: waiting.clone(),
            fingerprint: fingerprint(),
            operation: refund.1.id,
            at: build.now(),
        });
        store.commit(unit).await.unwrap();

        let (ban, notification) = ban_and_notification(&store, &build).await;
        Self {
            api_key: (key, hash),
            directory,
            store,
            clock,
            build,
            merchant,
            session,
            attempt,
            refund,
            event,
            answered,
            waiting,
            ban,
            endpoint,
            notification,
        }
    }

    /// A separate connection to the store's file.
    pub(crate) fn raw(&self) -> SqliteConnection {
        raw(&self.directory)
    }
}

/// A connection to the file.
pub(crate) fn raw(directory: &tempfile::TempDir) -> SqliteConnection {
    SqliteConnection::establish(path(directory).to_str().unwrap()).unwrap()
}
