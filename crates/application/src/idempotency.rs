//! Idempotency of merchants' requests: replays the first response byte for byte.

use std::sync::Arc;

use oncharge_domain::{
    id::{ApiKeyId, OperationId},
    idempotency::{IDEMPOTENCY_RETENTION_SECONDS, IdempotencyKey, RequestFingerprint},
    merchant::Merchant,
    time::Timestamp,
};
use oncharge_ports::{
    ApiResponse, CommitError, StoredResponse,
    unit_of_work::{IdempotencyRecord, IdempotencyScope, IdempotencyWrite},
};

use crate::{App, Error};

/// A request's idempotency key and fingerprint.
#[derive(Debug, Clone)]
pub struct Idempotency {
    /// The key.
    pub key: IdempotencyKey,
    /// The fingerprint of method, target and body.
    pub fingerprint: RequestFingerprint,
    /// How long the response is replayed, in seconds; the key stays taken for longer.
    pub replayed_seconds: i64,
}

impl Idempotency {
    /// For a request with this key and fingerprint.
    pub fn new(key: IdempotencyKey, fingerprint: RequestFingerprint) -> Self {
        Self {
            key,
            fingerprint,
            replayed_seconds: IDEMPOTENCY_RETENTION_SECONDS,
        }
    }
}

/// The merchant and idempotency key of a `POST` request.
#[derive(Debug, Clone)]
pub struct PostContext {
    /// The merchant.
    pub merchant: Arc<Merchant>,
    /// The idempotency key, if the request has one.
    pub idempotency: Option<Idempotency>,
    /// The request's id, which error bodies carry.
    pub request_id: String,
}

/// A response to a `POST`.
#[derive(Debug, Clone)]
pub struct Reply {
    /// Status and bytes.
    pub response: StoredResponse,
    /// Whether it is a replayed one.
    pub replayed: bool,
}

impl Reply {
    /// A response that is given for the first time.
    pub(crate) fn first(response: StoredResponse) -> Self {
        Self {
            response,
            replayed: false,
        }
    }
}

impl PostContext {
    /// The scope of the request's key, if it has one.
    pub(crate) fn scope(&self) -> Option<IdempotencyScope> {
        let key = self.idempotency.as_ref()?.key.clone();
        Some(IdempotencyScope {
            merchant: self.merchant.id,
            key,
        })
    }

    /// Errors if the merchant's settings require a key and there is none.
    pub(crate) fn require_key(&self) -> Result<(), Error> {
        let missing = self.merchant.require_idempotency_key && self.idempotency.is_none();
        if missing {
            Err(Error::IdempotencyKeyRequired)
        } else {
            Ok(())
        }
    }

    /// The same request, whose response is replayed only to this API key and for this many seconds.
    pub(crate) fn replayed_to(mut self, api_key: ApiKeyId, seconds: i64) -> Self {
        if let Some(idempotency) = &mut self.idempotency {
            idempotency.fingerprint = idempotency.fingerprint.for_api_key(api_key);
            idempotency.replayed_seconds = seconds;
        }
        self
    }

    /// The stored response, if this request was already completed.
    pub(crate) async fn replay(&self, app: &App) -> Result<Option<Reply>, Error> {
        let (Some(scope), Some(idempotency)) = (self.scope(), &self.idempotency) else {
            return Ok(None);
        };
        let Some(record) = app.inner().store.checkout.key(&scope).await? else {
            return Ok(None);
        };
        reply_from_record(app, record, idempotency).await
    }

    /// The idempotency record with this response, if the request has a key.
    pub(crate) fn remember(
        &self,
        response: &StoredResponse,
        at: Timestamp,
    ) -> Option<IdempotencyWrite> {
        let (scope, idempotency) = self.scope().zip(self.idempotency.as_ref())?;
        Some(IdempotencyWrite::ReserveAndComplete {
            scope,
            fingerprint: idempotency.fingerprint,
            response: response.clone(),
            at,
        })
    }

    /// Returns a response that guards no change of a session, and stores it. If a concurrent equal
    /// request stored its response first, replays that.
    pub(crate) async fn respond(
        &self,
        app: &App,
        response: &ApiResponse<'_>,
    ) -> Result<Reply, Error> {
        let now = app.now();
        let rendered = app
            .inner()
            .presenter
            .render(response, &self.request_id, now);
        let Some(record) = self.remember(&rendered, now) else {
            return Ok(Reply::first(rendered));
        };
        match app
            .inner()
            .store
            .checkout
            .write_idempotency_record(record)
            .await
        {
            Ok(()) => Ok(Reply::first(rendered)),
            Err(CommitError::IdempotencyKeyTaken) => {
                self.replay_or(app, Error::IdempotencyConflict).await
            }
            Err(error) => Err(error.into()),
        }
    }

    /// The response when the intent was refused: a concurrent equal request may have caused the
    /// refusal, and then its stored response takes precedence.
    pub(crate) async fn replay_or(&self, app: &App, refusal: Error) -> Result<Reply, Error> {
        self.replay(app).await?.ok_or(refusal)
    }
}

async fn reply_from_record(
    app: &App,
    record: IdempotencyRecord,
    request: &Idempotency,
) -> Result<Option<Reply>, Error> {
    let now = app.now();
    let is_older_than = |seconds| {
        let answered = record.responded_at;
        answered.is_some_and(|at| now > at.plus_seconds(seconds))
    };
    let is_old = is_older_than(IDEMPOTENCY_RETENTION_SECONDS);
    if is_old && !is_open(app, record.operation).await? {
        return Ok(None);
    }
    if record.fingerprint != request.fingerprint {
        return Err(Error::IdempotencyKeyReused);
    }
    if !is_old && is_older_than(request.replayed_seconds) {
        return Ok(None);
    }
    match record.response {
        Some(response) => Ok(Some(Reply {
            response,
            replayed: true,
        })),
        None => Err(Error::IdempotencyConflict),
    }
}

/// Whether the operation that a request started is still open: until it has ended, its key must not
/// start another one.
async fn is_open(app: &App, operation: Option<OperationId>) -> Result<bool, Error> {
    let Some(operation) = operation else {
        return Ok(false);
    };
    let found = app.inner().store.checkout.operation(operation).await?;
    Ok(found.is_some_and(|operation| operation.is_open()))
}
