//! Merchants with endpoints, and events for them, made through the ports.

use anyhow::Context;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use oncharge_domain::{
    audit::{AuditAction, AuditEntry},
    currency::Currency,
    id::MerchantId,
    merchant::{ApiKey, ApiKeyHash, Merchant, look::Look},
    money::Money,
    psp::PspAccount,
    session::{Event, EventKind, NewSession, Session},
    signing::SigningKey,
    text::{Contact, MerchantName, Metadata, Reference, ReturnUrl},
    webhook::{EndpointUrl, WebhookEndpoint, WebhookSecret},
};
use oncharge_ports::{UnitOfWork, unit_of_work::NewEvent};

use crate::wired::Wired;

/// How many writes are under way at once while all this is made.
const AT_ONCE: usize = 16;

/// Adds a merchant for each URL, with one key and its endpoint there.
pub(crate) async fn open(wired: &Wired, urls: Vec<String>) -> anyhow::Result<Vec<MerchantId>> {
    let each = urls.into_iter().map(|url| shop(wired, url));
    stream::iter(each).buffered(AT_ONCE).try_collect().await
}

async fn shop(wired: &Wired, url: String) -> anyhow::Result<MerchantId> {
    let (app, now) = (&wired.app, wired.app.now());
    let merchant = Merchant {
        id: app.new_id(),
        version: 1,
        name: MerchantName::parse("Shop").context("a name")?,
        account: account()?,
        automatic_capture: false,
        capture_delay_seconds: 0,
        origins: Vec::new(),
        require_idempotency_key: false,
        look: Look::default(),
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
    let made = audit(wired, AuditAction::MerchantCreated);
    let hash = ApiKeyHash::of(&text);
    wired
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
    let set = audit(wired, AuditAction::EndpointSet);
    wired.webhooks.set_endpoint(&endpoint, &set).await?;
    Ok(merchant.id)
}

/// So many events for each of these merchants, each of a session of its own, round by round.
pub(crate) async fn tell(
    wired: &Wired,
    merchants: &[MerchantId],
    many: usize,
) -> anyhow::Result<()> {
    let rounds = std::iter::repeat_n(merchants, many).flatten();
    let each = rounds.map(|merchant| event(wired, *merchant));
    stream::iter(each).buffered(AT_ONCE).try_collect().await
}

async fn event(wired: &Wired, merchant: MerchantId) -> anyhow::Result<()> {
    let (app, now) = (&wired.app, wired.app.now());
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
    Ok(wired.checkout.commit(unit).await?)
}

fn account() -> anyhow::Result<PspAccount> {
    PspAccount::new("simulator", "default").context("the account")
}

fn audit(wired: &Wired, action: AuditAction) -> AuditEntry {
    AuditEntry {
        id: wired.app.new_id(),
        at: wired.app.now(),
        action,
        merchant: None,
        session: None,
        operation: None,
        detail: String::new(),
    }
}
