//! A merchant replaces its pair by a new one.

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

/// How long the replaced pair goes on working, in seconds.
const GRACE_SECONDS: i64 = 14 * 86_400;
/// How long the response is replayed, in seconds: it shows a secret.
const REPLAY_SECONDS: i64 = 600;

/// What becomes of the pair that signed the request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OldKeyPolicy {
    /// It works for 14 more days.
    Grace,
    /// It ends at once.
    Revoked,
}

/// Makes a pair in place of the one that signed the request. The new pair is shown in this response
/// alone; the idempotency record keeps it sealed, so that a response that was lost can be asked for
/// again within ten minutes, by the pair that was replaced and no other: not where that one ends at
/// once, since nothing could sign the request.
///
/// A key in its grace period cannot make another pair: one that has leaked must not outlive its
/// grace period in another's shape.
///
/// Errors: the idempotency errors, `KeyIsEnding` (it was rotated or has ended), `TooManyEndingKeys`,
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
    let answer = presenter.render(&response, &context.request_id, now);
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
        remembered: context.remember(&answer, now),
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
    match app.inner().merchants.rotate_key(&rotation).await {
        Ok(RotationOutcome::Rotated) => {
            signer.invalidate_cache(app).await;
            app.inner().signing_keys.invalidate(&merchant).await;
            Ok(Reply::first(answer))
        }
        Ok(RotationOutcome::NotActive) => Err(Error::KeyIsEnding),
        Ok(RotationOutcome::TooManyEnding) => Err(Error::TooManyEndingKeys),
        // An equal request was faster, or has been answered too long ago to be replayed.
        Err(CommitError::IdempotencyKeyTaken) => context.replay_or(app, Error::KeyIsEnding).await,
        Err(error) => Err(error.into()),
    }
}
