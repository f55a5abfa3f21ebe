//! Domain values and units of work for tests, with ids that are unique within one builder.

mod webhooks;

use std::sync::atomic::{AtomicI64, Ordering};

use oncharge_domain::{
    audit::{AuditAction, AuditEntry},
    blocklist::{Ban, IdentifierType, PepperedHash},
    branding::Branding,
    currency::Currency,
    id::{Id, Kind, MerchantId, OperationId},
    idempotency::IdempotencyKey,
    keyring::{KeyFingerprint, KeyId},
    merchant::{ApiKey, ApiKeyHash, Merchant},
    money::Money,
    operation::{Operation, OperationKind, OperationStatus, SendState},
    psp::{PspAccount, PspReference, TokenFingerprint},
    refund::{Refund, RefundStatus},
    session::{Event, EventKind, Failure, NewSession, Session},
    signing::SigningKey,
    text::{MerchantName, Reference, ReturnUrl},
    time::Timestamp,
};
use oncharge_ports::{
    Entropy, UnitOfWork,
    key_registry::Node,
    psp::PreparedRequest,
    unit_of_work::{IdempotencyScope, NewEvent, NewOperation},
};

pub use webhooks::{ENDPOINT, endpoint_url};

use crate::{clock::START_SECONDS, entropy::SeededEntropy};

/// Builds plausible values; tests change their public fields as needed.
#[derive(Debug)]
pub struct Builder {
    entropy: SeededEntropy,
    now: AtomicI64,
}

/// This many minor units of euros; panics outside the range of [`Money`].
pub fn eur(minor: i64) -> Money {
    Money::new(minor, Currency::parse("EUR").unwrap()).expect("an amount in range")
}

/// The PSP account of built sessions.
pub fn account() -> PspAccount {
    PspAccount::new("simulator", "default").unwrap()
}

/// A PSP reference with this text.
pub fn reference(text: &str) -> PspReference {
    PspReference::parse(text).expect("a reference")
}

impl Builder {
    /// A builder whose ids derive from the seed and whose time is [`START_SECONDS`].
    pub fn new(seed: u64) -> Self {
        Self {
            entropy: SeededEntropy::new(seed),
            now: AtomicI64::new(START_SECONDS),
        }
    }

    /// The timestamp of new values.
    pub fn now(&self) -> Timestamp {
        Timestamp::from_unix_seconds(self.now.load(Ordering::SeqCst)).unwrap()
    }

    /// Advances the time of new values by this many seconds.
    pub fn advance(&self, seconds: i64) {
        self.now.fetch_add(seconds, Ordering::SeqCst);
    }

    /// A new id.
    pub fn id<K: Kind>(&self) -> Id<K> {
        let entropy: &dyn Entropy = &self.entropy;
        entropy.id(self.now())
    }

    /// A new id in the shard slot of this merchant.
    pub fn id_of<K: Kind>(&self, merchant: MerchantId) -> Id<K> {
        let entropy: &dyn Entropy = &self.entropy;
        entropy.id_in(merchant.slot(), self.now())
    }

    /// A merchant that captures after an hour.
    pub fn merchant(&self) -> Merchant {
        Merchant {
            id: self.id(),
            version: 1,
            name: MerchantName::parse("Shop Ünïcode & Söhne").unwrap(),
            account: account(),
            automatic_capture: true,
            capture_delay_seconds: 3600,
            origins: vec!["https://shop.example.com".to_owned()],
            require_idempotency_key: false,
            branding: Branding::default(),
            created_at: self.now(),
            disabled_at: None,
        }
    }

    /// An active API key of this merchant, and its look-up hash.
    pub fn api_key(&self, merchant: &Merchant) -> (ApiKey, ApiKeyHash) {
        let text = format!("oc_test_{:016x}", self.entropy.next());
        let key = ApiKey {
            id: self.id_of(merchant.id),
            merchant: merchant.id,
            signing_key: SigningKey::of_secret(&text),
            hint: ApiKey::hint_of(&text),
            created_at: self.now(),
            last_used_at: None,
            ends_at: None,
        };
        (key, ApiKeyHash::of(&text))
    }

    /// A session over 100.00 EUR in `created`, captured by the merchant, which expires in half an
    /// hour.
    pub fn session(&self, merchant: &Merchant) -> Session {
        Session::create(self.new_session(merchant))
    }

    /// The input from which [`Builder::session`] creates a session.
    pub fn new_session(&self, merchant: &Merchant) -> NewSession {
        NewSession {
            id: self.id(),
            merchant: merchant.id,
            account: account(),
            amount: eur(10_000),
            reference: Reference::parse("order-42").unwrap(),
            order_id: None,
            return_url: ReturnUrl::parse("https://shop.example.com/thanks", false).unwrap(),
            metadata: oncharge_domain::text::Metadata::default(),
            contact: oncharge_domain::text::Contact::default(),
            automatic_capture: None,
            created_at: self.now(),
            lifetime_seconds: 1800,
        }
    }

    /// An open operation of this session over its whole amount.
    pub fn operation(&self, session: &Session, kind: OperationKind) -> Operation {
        Operation {
            id: self.id(),
            session: session.id,
            merchant: session.merchant,
            payment: match kind {
                OperationKind::Authorize { .. } => None,
                _ => Some(reference("psp_payment")),
            },
            kind,
            amount: session.amount,
            account: session.account.clone(),
            status: OperationStatus::Requested,
            sending: SendState::Intended,
            reference: None,
            failure: None,
            compensated: false,
            contradiction: None,
            created_at: self.now(),
            last_sent_at: self.now(),
            not_before: self.now(),
        }
    }

    /// An open attempt to pay this session with this token.
    pub fn attempt(&self, session: &Session, token: &str) -> Operation {
        let token = TokenFingerprint::of(token);
        let kind = OperationKind::Authorize {
            token,
            capture: false,
        };
        self.operation(session, kind)
    }

    /// An open refund of this many minor units, and its operation.
    pub fn refund(&self, session: &Session, minor: i64) -> (Refund, Operation) {
        let id = self.id();
        let amount = Money::new(minor, session.amount.currency()).unwrap();
        let operation = Operation {
            amount,
            ..self.operation(session, OperationKind::Refund(id))
        };
        let refund = Refund {
            id,
            session: session.id,
            merchant: session.merchant,
            operation: operation.id,
            amount,
            reference: Reference::parse("back-42").unwrap(),
            status: RefundStatus::Requested,
            psp_reference: None,
            created_at: self.now(),
            updated_at: self.now(),
        };
        (refund, operation)
    }

    /// An event of this session with this number.
    pub fn event(&self, session: &Session, sequence: u32, kind: EventKind) -> NewEvent {
        NewEvent {
            id: self.id(),
            event: Event {
                session: session.id,
                merchant: session.merchant,
                sequence,
                kind,
                status: session.status_name(),
                amount: session.amount,
                amounts: session.amounts(),
                failure: session.failure().map(Failure::new),
                psp_reference: session.psp_reference().cloned(),
                attempt: session.attempts.last().cloned(),
                refund: None,
                retry_until: None,
                at: self.now(),
            },
        }
    }

    /// An intent with an arbitrary request, due in ten seconds.
    pub fn intent(&self, operation: Operation) -> NewOperation {
        NewOperation {
            request: PreparedRequest::new(format!("request of {}", operation.id).into_bytes()),
            next_try_at: operation.created_at.plus_seconds(10),
            operation,
            key: None,
        }
    }

    /// A unit that writes only this session.
    pub fn unit(&self, session: Session) -> UnitOfWork {
        UnitOfWork::of(self.id(), session)
    }

    /// A unit that writes this session's next version, at the builder's time.
    pub fn next_unit(&self, session: &Session) -> UnitOfWork {
        let mut next = session.clone();
        next.version += 1;
        next.updated_at = self.now();
        self.unit(next)
    }

    /// An entry of the audit log.
    pub fn audit(&self, action: AuditAction) -> AuditEntry {
        AuditEntry {
            id: self.id(),
            at: self.now(),
            action,
            merchant: None,
            session: None,
            operation: None,
            detail: "by a test".to_owned(),
        }
    }

    /// An idempotency scope: this merchant and this key.
    pub fn scope(&self, merchant: &Merchant, key: &str) -> IdempotencyScope {
        IdempotencyScope {
            merchant: merchant.id,
            key: IdempotencyKey::parse(key).expect("an idempotency key"),
        }
    }

    /// A ban that is live for a day, under the pepper `p1`.
    pub fn ban(&self, hash: [u8; 32]) -> Ban {
        Ban {
            id: self.id(),
            kind: IdentifierType::Email,
            hash: PepperedHash {
                pepper: KeyId::parse("p1").unwrap(),
                hash,
            },
            source: "operator".to_owned(),
            reason: Some("a test".to_owned()),
            created_at: self.now(),
            expires_at: self.now().plus_seconds(86_400),
            revoked_at: None,
        }
    }

    /// The pepper of [`Builder::ban`].
    pub fn pepper(&self) -> KeyFingerprint {
        fingerprint("p1")
    }

    /// A server process with the master key `a` and the pepper of [`Builder::ban`].
    pub fn node(&self, name: &str) -> Node {
        Node {
            id: self.id(),
            name: name.to_owned(),
            master: vec![fingerprint("a")],
            peppers: vec![self.pepper()],
        }
    }

    /// A new operation id, for inputs that take the id as an argument.
    pub fn operation_id(&self) -> OperationId {
        self.id()
    }
}

/// The fingerprint of a key with this id that no key has.
pub fn fingerprint(id: &str) -> KeyFingerprint {
    let id = KeyId::parse(id).unwrap();
    KeyFingerprint {
        id,
        digest: [1; 32],
    }
}
