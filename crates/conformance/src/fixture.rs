//! A store with a merchant in it, and operations that many laws share.

pub(crate) mod webhooks;

use oncharge_domain::{
    audit::AuditAction,
    id::SessionId,
    merchant::{ApiKey, Merchant},
    operation::{Operation, OperationStatus},
    psp::RefusalReason,
    session::{EventKind, Session},
};
use oncharge_ports::{
    CommitError, StoredResponse, UnitOfWork,
    queries::{EventFilter, Page, SessionFilter, StoredEvent},
    unit_of_work::{ChangedOperation, IdempotencyScope, IdempotencyWrite},
};
use oncharge_testkit::Builder;

use crate::TestedStore;

/// A store with a merchant, and a builder for values of that merchant.
pub(crate) struct Fixture {
    pub(crate) store: TestedStore,
    pub(crate) build: Builder,
    pub(crate) merchant: Merchant,
    /// The merchant's first API key.
    pub(crate) key: ApiKey,
}

/// A page that holds everything.
pub(crate) const ALL: Page = Page {
    after: None,
    limit: 1000,
};

impl Fixture {
    pub(crate) async fn new(store: &TestedStore) -> anyhow::Result<Self> {
        let build = Builder::new(1);
        let merchant = build.merchant();
        let key = create(store, &build, &merchant).await?;
        Ok(Self {
            store: store.clone(),
            build,
            merchant,
            key,
        })
    }

    /// Creates another merchant in the store.
    pub(crate) async fn other_merchant(&self) -> anyhow::Result<Merchant> {
        Ok(self.other_merchant_with_key().await?.0)
    }

    /// Creates another merchant in the store; returns it with its first API key.
    pub(crate) async fn other_merchant_with_key(&self) -> anyhow::Result<(Merchant, ApiKey)> {
        let merchant = self.build.merchant();
        let key = create(&self.store, &self.build, &merchant).await?;
        Ok((merchant, key))
    }

    pub(crate) async fn commit(&self, unit: UnitOfWork) -> Result<(), CommitError> {
        self.store.checkout.commit(unit).await
    }

    /// Creates a session in `created` in the store.
    pub(crate) async fn session(&self) -> anyhow::Result<Session> {
        self.session_of(&self.merchant).await
    }

    /// Creates a session of this merchant in `created` in the store.
    pub(crate) async fn session_of(&self, merchant: &Merchant) -> anyhow::Result<Session> {
        let session = self.build.session(merchant);
        self.commit(self.build.unit(session.clone())).await?;
        Ok(session)
    }

    /// Writes the session's next version with this open operation, and returns it.
    pub(crate) async fn start(
        &self,
        session: &Session,
        operation: Operation,
    ) -> anyhow::Result<Session> {
        let mut unit = self.build.next_unit(session);
        unit.operations = vec![self.build.intent(operation)];
        let written = unit.session.clone();
        self.commit(unit).await?;
        Ok(written)
    }

    /// Writes the session's next version with this change of an operation, and returns it.
    pub(crate) async fn change(
        &self,
        session: &Session,
        operation: Operation,
    ) -> anyhow::Result<Session> {
        let mut unit = self.build.next_unit(session);
        unit.changed_operations = vec![ChangedOperation {
            operation,
            next_try_at: None,
        }];
        let written = unit.session.clone();
        self.commit(unit).await?;
        Ok(written)
    }

    /// Creates a session with one open attempt, both in the store.
    pub(crate) async fn session_with_attempt(&self) -> anyhow::Result<(Session, Operation)> {
        let session = self.session().await?;
        let attempt = self.build.attempt(&session, "tok_1");
        let session = self.start(&session, attempt.clone()).await?;
        Ok((session, attempt))
    }

    pub(crate) async fn load(&self, id: SessionId) -> anyhow::Result<Session> {
        let found = self.store.checkout.session(id).await?;
        found.ok_or_else(|| anyhow::anyhow!("{id} is not found"))
    }

    /// The session's events, by sequence number.
    pub(crate) async fn events(&self, session: &Session) -> anyhow::Result<Vec<StoredEvent>> {
        let filter = EventFilter {
            merchant: session.merchant,
            session: Some(session.id),
            kind: None,
        };
        let mut events = self.store.checkout.events(&filter, ALL).await?;
        events.sort_by_key(|stored| stored.event.sequence);
        Ok(events)
    }

    /// A filter for all sessions of the merchant, at the builder's time.
    pub(crate) fn all_sessions(&self) -> SessionFilter {
        SessionFilter {
            merchant: self.merchant.id,
            status: None,
            reference: None,
            order_id: None,
            psp_reference: None,
            created_after: None,
            created_before: None,
            now: self.build.now(),
        }
    }

    /// A unit that creates a session with an attempt, for which this key is reserved.
    pub(crate) fn unit_reserving_key(&self, scope: &IdempotencyScope) -> UnitOfWork {
        let session = self.build.session(&self.merchant);
        let attempt = self.build.attempt(&session, "tok_1");
        let mut unit = self.build.unit(session);
        unit.key = Some(IdempotencyWrite::Reserve {
            scope: scope.clone(),
            fingerprint: fingerprint(),
            operation: attempt.id,
            at: self.build.now(),
        });
        let mut intent = self.build.intent(attempt);
        intent.key = Some(scope.clone());
        unit.operations = vec![intent];
        unit
    }

    /// A unit that creates a session and stores this response in the same commit.
    pub(crate) fn unit_storing_response(&self, scope: &IdempotencyScope, body: &str) -> UnitOfWork {
        let mut unit = self.build.unit(self.build.session(&self.merchant));
        unit.key = Some(IdempotencyWrite::ReserveAndComplete {
            scope: scope.clone(),
            fingerprint: fingerprint(),
            response: response(body),
            at: self.build.now(),
        });
        unit
    }

    /// A unit over this session with one part of each kind, except a changed operation: its next
    /// version, a new operation, a refund, an event, an audit entry and a reserved key.
    pub(crate) fn full_unit(&self, session: &Session, scope: &IdempotencyScope) -> UnitOfWork {
        let mut unit = self.build.next_unit(session);
        let (refund, operation) = self.build.refund(session, 100);
        unit.key = Some(IdempotencyWrite::Reserve {
            scope: scope.clone(),
            fingerprint: fingerprint(),
            operation: operation.id,
            at: self.build.now(),
        });
        let sequence = session.next_sequence;
        unit.session.next_sequence = sequence + 1;
        let event = self
            .build
            .event(session, sequence, EventKind::RefundRequested);
        unit.operations = vec![self.build.intent(operation)];
        unit.refund = Some(refund);
        unit.events = vec![event];
        unit.audit = vec![self.build.audit(AuditAction::UnexpectedFact)];
        unit
    }
}

/// Stores a merchant and returns its first API key.
async fn create(
    store: &TestedStore,
    build: &Builder,
    merchant: &Merchant,
) -> anyhow::Result<ApiKey> {
    let (key, hash) = build.api_key(merchant);
    let audit = build.audit(AuditAction::MerchantCreated);
    let merchants = &store.merchants;
    merchants.create(merchant, &key, &hash, &audit).await?;
    Ok(key)
}

/// An arbitrary request fingerprint.
pub(crate) fn fingerprint() -> oncharge_domain::idempotency::RequestFingerprint {
    oncharge_domain::idempotency::RequestFingerprint::of("POST", "/v1/refunds", b"{}")
}

/// An arbitrary response with this body.
pub(crate) fn response(body: &str) -> StoredResponse {
    StoredResponse {
        status: 201,
        content_type: "application/json".to_owned(),
        body: body.as_bytes().to_vec(),
    }
}

/// The operation after the PSP has refused it.
pub(crate) fn failed(operation: &Operation) -> Operation {
    Operation {
        status: OperationStatus::Failed,
        failure: Some(RefusalReason::CardDeclined),
        ..operation.clone()
    }
}
