//! Creates a session, in one commit that includes the stored response.

use oncharge_domain::{
    money::Money,
    session::{NewSession, Session},
    text::{Contact, Metadata, OrderId, Reference, ReturnUrl},
};
use oncharge_ports::{ApiResponse, CommitError, UnitOfWork, unit_of_work::IdempotencyWrite};

use crate::{
    App, Error, PostContext, Reply,
    commit::{self, Backoff},
    screening,
};

/// The input of [`create`]; every value is already validated.
#[derive(Debug, Clone)]
pub struct NewCheckout {
    /// The amount to pay, at least 1 minor unit.
    pub amount: Money,
    /// The merchant's reference.
    pub reference: Reference,
    /// The merchant's order number.
    pub order_id: Option<OrderId>,
    /// Where the shopper is redirected after the payment.
    pub return_url: ReturnUrl,
    /// The merchant's own key-value pairs.
    pub metadata: Metadata,
    /// The shopper's contact data.
    pub contact: Contact,
    /// Who captures; `None` for the merchant's setting.
    pub capture: Option<CaptureMode>,
}

/// Who triggers the capture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CaptureMode {
    /// The automatic capture, after the merchant's delay.
    Automatic,
    /// The merchant.
    Manual,
}

/// Creates a session, or replays the stored response.
///
/// Errors: the idempotency errors, `MerchantDisabled`, `GlobalBan`, `Field` for an amount that the
/// PSP does not support, `Busy`.
pub async fn create(app: &App, request: PostContext, new: NewCheckout) -> Result<Reply, Error> {
    let app = app.clone();
    app.clone()
        .spawn_detached(async move { run(&app, &request, new).await })
        .await
}

async fn run(app: &App, request: &PostContext, new: NewCheckout) -> Result<Reply, Error> {
    let connector = app.connector(&request.merchant.account);
    if connector.is_some_and(|connector| !connector.supports_amount(new.amount)) {
        return Err(commit::unsupported_amount());
    }
    if let Some(reply) = request.replay(app).await? {
        return Ok(reply);
    }
    let inner = app.inner();
    let merchant = &request.merchant;
    if merchant.disabled_at.is_some() {
        return Err(Error::MerchantDisabled);
    }
    if screening::is_banned(app, &new.contact).await? {
        metrics::counter!("oncharge_global_ban_total").increment(1);
        let limit = inner.settings.ban_answers_per_hour;
        if inner
            .ban_disclosures
            .may_disclose(merchant.id, limit, app.now())
        {
            return Err(Error::GlobalBan);
        }
    }
    let mut backoff = Backoff::new();
    loop {
        let unit = unit(app, request, new.clone());
        let session = unit.session.id;
        let response = render(app, &unit.session, request);
        let unit = with_key(unit, request, &response);
        match commit::commit(app, unit).await {
            Ok(()) => {
                // For the caller's log line, if its span has such a field.
                tracing::Span::current().record("session", tracing::field::display(session));
                return Ok(Reply::first(response));
            }
            // Lost a race for the key: the winner's response is this request's, too.
            Err(CommitError::IdempotencyKeyTaken) => {
                if let Some(reply) = request.replay(app).await? {
                    return Ok(reply);
                }
                backoff.wait(app).await?;
            }
            Err(CommitError::Conflict) => backoff.wait(app).await?,
            Err(error) => return Err(error.into()),
        }
    }
}

fn unit(app: &App, request: &PostContext, new: NewCheckout) -> UnitOfWork {
    let inner = app.inner();
    let (now, merchant) = (app.now(), &request.merchant);
    let automatic = match new.capture {
        Some(mode) => mode == CaptureMode::Automatic,
        None => merchant.automatic_capture,
    };
    let session = Session::create(NewSession {
        id: inner.entropy.id_in(merchant.id.slot(), now),
        merchant: merchant.id,
        account: merchant.account.clone(),
        amount: new.amount,
        reference: new.reference,
        order_id: new.order_id,
        return_url: new.return_url,
        metadata: new.metadata,
        contact: new.contact,
        automatic_capture: automatic.then_some(merchant.capture_delay_seconds),
        created_at: now,
        lifetime_seconds: inner.settings.session_ttl_seconds,
    });
    UnitOfWork::of(inner.entropy.id_in(merchant.id.slot(), now), session)
}

fn render(app: &App, session: &Session, request: &PostContext) -> oncharge_ports::StoredResponse {
    let token = app.inner().pay_tokens.issue(session.id, session.expires_at);
    let created = ApiResponse::Created(session, &token);
    app.inner()
        .presenter
        .render(&created, &request.request_id, session.created_at)
}

fn with_key(
    mut unit: UnitOfWork,
    request: &PostContext,
    response: &oncharge_ports::StoredResponse,
) -> UnitOfWork {
    if let (Some(scope), Some(idempotency)) = (request.scope(), &request.idempotency) {
        unit.key = Some(IdempotencyWrite::ReserveAndComplete {
            scope,
            fingerprint: idempotency.fingerprint,
            response: response.clone(),
            at: unit.session.created_at,
        });
    }
    unit
}
