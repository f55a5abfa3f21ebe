//! Replaces a merchant's API key pair.

use std::sync::Arc;

use oncharge_domain::{
    audit::{AuditAction, AuditEntry},
    merchant::ApiKey,
};
use oncharge_ports::{
    ApiResponse, CommitError,
    merchant_repository::{KeyRotation, RotationOutcome},
};

use crate::{App, Error, PostContext, Reply, authenticate::Principal, merchants::mint};

/// How long the replaced pair keeps working, in seconds.
const GRACE_SECONDS: i64 = 14 * 86_400;
/// How long the response is replayed, in seconds; short because it contains a secret.
const REPLAY_SECONDS: i64 = 600;

/// What happens to the pair that signed the request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OldKeyPolicy {
    /// It works for 14 more days.
    Grace,
    /// It ends at once.
    Revoked,
}

/// Creates a pair that replaces the one that signed the request. Only this response shows the new
/// pair. The idempotency record keeps it sealed, so that within ten minutes a lost response can be
/// requested again, but only with the replaced pair; not if that pair ends at once, since nothing
/// could sign the request.
///
/// A key in its grace period cannot create another pair: a leaked key must not outlive its grace
/// period through a successor.
///
/// Errors: the idempotency errors, `KeyIsEnding` (already rotated or ended), `TooManyEndingKeys`,
/// `Busy`.
pub async fn rotate(
    app: &App,
    context: PostContext,
    signer: Arc<Principal>,
    old: OldKeyPolicy,
) -> Result<Reply, Error> {
    context.require_key()?;
    let context = context.replayed_to(signer.key.id, REPLAY_SECONDS);
    let app = app.clone();
    app.clone()
        .spawn_detached(async move {
            if let Some(reply) = context.replay(&app).await? {
                return Ok(reply);
            }
            signer.require_active()?;
            run(&app, &context, &signer, old).await
        })
        .await
}

async fn run(
    app: &App,
    context: &PostContext,
    signer: &Principal,
    old: OldKeyPolicy,
) -> Result<Reply, Error> {
    let (merchant, now) = (signer.merchant.id, app.now());
    let end = match old {
        OldKeyPolicy::Grace => now.plus_seconds(GRACE_SECONDS),
        OldKeyPolicy::Revoked => now,
    };
    let replaced = ApiKey {
        ends_at: Some(end),
        ..signer.key.clone()
    };
    let (key, hash, pair) = mint(app, merchant);
    let response = ApiResponse::KeyRotated {
        api_key: &pair.api_key,
        api_secret: &pair.api_secret,
        replaced: &replaced,
    };
    let presenter = &app.inner().presenter;
    let rendered = presenter.render(&response, &context.request_id, now);
    let detail = format!(
        "{} in place of {}, which ends at {}",
        key.id,
        replaced.id,
        end.whole_seconds().as_offset_date_time()
    );
    let rotation = KeyRotation {
        key,
        hash,
        replaced: replaced.id,
        at: now,
        replaced_ends_at: end,
        remembered: context.remember(&rendered, now),
        audit: AuditEntry {
            id: app.new_id_in(merchant.slot()),
            at: now,
            action: AuditAction::KeyRotated,
            merchant: Some(merchant),
            session: None,
            operation: None,
            detail,
        },
    };
    match app.inner().store.merchants.rotate_key(&rotation).await {
        Ok(RotationOutcome::Rotated) => {
            signer.invalidate_cache(app).await;
            app.inner().signing_keys.invalidate(&merchant).await;
            Ok(Reply::first(rendered))
        }
        Ok(RotationOutcome::NotActive) => Err(Error::KeyIsEnding),
        Ok(RotationOutcome::TooManyEnding) => Err(Error::TooManyEndingKeys),
        // A concurrent equal request won, or the stored response is too old to be replayed.
        Err(CommitError::IdempotencyKeyTaken) => context.replay_or(app, Error::KeyIsEnding).await,
        Err(error) => Err(error.into()),
    }
}
