//! Creates merchants with endpoints, and their events, through the ports.

use anyhow::Context;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
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

use crate::app::BenchApp;

/// Number of concurrent writes during this preparation.
const CONCURRENCY: usize = 16;

/// Adds a merchant for each URL, with one key and an endpoint at this URL.
pub(crate) async fn create_merchants(
    bench_app: &BenchApp,
    urls: Vec<String>,
) -> anyhow::Result<Vec<MerchantId>> {
    let each = urls.into_iter().map(|url| create_merchant(bench_app, url));
    stream::iter(each).buffered(CONCURRENCY).try_collect().await
}

async fn create_merchant(bench_app: &BenchApp, url: String) -> anyhow::Result<MerchantId> {
    let (app, now) = (&bench_app.app, bench_app.app.now());
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
    let made = audit(bench_app, AuditAction::MerchantCreated);
    let hash = ApiKeyHash::of(&text);
    bench_app
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
    let set = audit(bench_app, AuditAction::EndpointSet);
    bench_app
        .store
        .webhooks
        .set_endpoint(&endpoint, &set)
        .await?;
    Ok(merchant.id)
}

/// Creates this many events for each of the merchants, each for a new session, round by round.
pub(crate) async fn create_events(
    bench_app: &BenchApp,
    merchants: &[MerchantId],
    count: usize,
) -> anyhow::Result<()> {
    let rounds = std::iter::repeat_n(merchants, count).flatten();
    let each = rounds.map(|merchant| event(bench_app, *merchant));
    stream::iter(each).buffered(CONCURRENCY).try_collect().await
}

async fn event(bench_app: &BenchApp, merchant: MerchantId) -> anyhow::Result<()> {
    let (app, now) = (&bench_app.app, bench_app.app.now());
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
    Ok(bench_app.store.checkout.commit(unit).await?)
}

fn account() -> anyhow::Result<PspAccount> {
    PspAccount::new("simulator", "default").context("the account")
}

fn audit(bench_app: &BenchApp, action: AuditAction) -> AuditEntry {
    AuditEntry {
        id: bench_app.app.new_id(),
        at: bench_app.app.now(),
        action,
        merchant: None,
        session: None,
        operation: None,
        detail: String::new(),
    }
}
