//! Creates merchants with endpoints, and their events, through the ports.

use anyhow::Context;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use oncharge::Components;
use oncharge_domain::{
    audit::{AuditAction, AuditEntry},
    branding::Branding,
    currency::Currency,
    id::MerchantId,
    merchant::{ApiKey, ApiKeyHash, Merchant},
    money::Money,
    psp::PspAccount,
    session::{Event, EventKind, NewSession, Session},
    signing::SigningKey,
    text::{Contact, MerchantName, Metadata, Reference, ReturnUrl},
    webhook::{EndpointUrl, WebhookEndpoint, WebhookSecret},
};
use oncharge_ports::{UnitOfWork, unit_of_work::NewEvent};

/// Number of concurrent writes during this preparation.
const CONCURRENCY: usize = 16;

/// Adds a merchant for each URL, with one key and an endpoint at this URL.
pub(crate) async fn create_merchants(
    components: &Components,
    urls: Vec<String>,
) -> anyhow::Result<Vec<MerchantId>> {
    let each = urls.into_iter().map(|url| create_merchant(components, url));
    stream::iter(each).buffered(CONCURRENCY).try_collect().await
}

async fn create_merchant(components: &Components, url: String) -> anyhow::Result<MerchantId> {
    let (app, now) = (&components.app, components.app.now());
    let merchant = Merchant {
        id: app.new_id(),
        version: 1,
        name: MerchantName::parse("Shop").context("a name")?,
        account: account()?,
        automatic_capture: false,
        capture_delay_seconds: 0,
        origins: Vec::new(),
        require_idempotency_key: false,
        branding: Branding::default(),
        created_at: now,
        disabled_at: None,
    };
    let text = format!("ock_{}", merchant.id);
    let key = ApiKey {
        id: app.new_id(),
        merchant: merchant.id,
        signing_key: SigningKey::of_secret(&text),
        hint: ApiKey::hint_of(&text),
        created_at: now,
        last_used_at: None,
        ends_at: None,
    };
    let made = audit(components, AuditAction::MerchantCreated);
    let hash = ApiKeyHash::of(&text);
    components
        .store
        .merchants
        .create(&merchant, &key, &hash, &made)
        .await?;
    let endpoint = WebhookEndpoint::new(
        app.new_id(),
        merchant.id,
        EndpointUrl::parse(&url, true).context("a URL")?,
        key.id,
        WebhookSecret::from_bytes([7; 32]),
        now,
    );
    let set = audit(components, AuditAction::EndpointSet);
    components
        .store
        .webhooks
        .set_endpoint(&endpoint, &set)
        .await?;
    Ok(merchant.id)
}

/// Creates this many events for each of the merchants, each for a new session, round by round.
pub(crate) async fn create_events(
    components: &Components,
    merchants: &[MerchantId],
    count: usize,
) -> anyhow::Result<()> {
    let rounds = std::iter::repeat_n(merchants, count).flatten();
    let each = rounds.map(|merchant| event(components, *merchant));
    stream::iter(each).buffered(CONCURRENCY).try_collect().await
}

async fn event(components: &Components, merchant: MerchantId) -> anyhow::Result<()> {
    let (app, now) = (&components.app, components.app.now());
    let mut session = Session::create(NewSession {
        id: app.new_id(),
        merchant,
        account: account()?,
        amount: Money::new(9_999, Currency::parse("EUR")?)?,
        reference: Reference::parse("order-1").context("a reference")?,
        order_id: None,
        return_url: ReturnUrl::parse("https://shop.example.com/thanks", false)
            .context("a return URL")?,
        metadata: Metadata::default(),
        contact: Contact::default(),
        automatic_capture: None,
        created_at: now,
        lifetime_seconds: 1800,
    });
    session.next_sequence = 2;
    let event = Event {
        session: session.id,
        merchant,
        sequence: 1,
        kind: EventKind::PaymentAuthorized,
        status: session.status_name(),
        amount: session.amount,
        amounts: session.amounts(),
        failure: None,
        psp_reference: None,
        attempt: None,
        refund: None,
        retry_until: None,
        at: now,
    };
    let mut unit = UnitOfWork::of(app.new_id(), session);
    unit.events = vec![NewEvent {
        id: app.new_id(),
        event,
    }];
    Ok(components.store.checkout.commit(unit).await?)
}

fn account() -> anyhow::Result<PspAccount> {
    PspAccount::new("simulator", "default").context("the account")
}

fn audit(components: &Components, action: AuditAction) -> AuditEntry {
    AuditEntry {
        id: components.app.new_id(),
        at: components.app.now(),
        action,
        merchant: None,
        session: None,
        operation: None,
        detail: String::new(),
    }
}
