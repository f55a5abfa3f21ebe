//! A merchant replaces its pair by a new one.

use oncharge_domain::{
    audit::{AuditAction, AuditEntry},
    id::ApiKeyId,
    merchant::ApiKey,
};
use oncharge_ports::{CommitError, Presentable, merchant_repository::Rotation};

use crate::{App, Error, PostContext, Reply, merchants::mint};

/// How long the replaced pair goes on working, in seconds.
const GRACE_SECONDS: i64 = 14 * 86_400;

/// Makes a pair in place of the one that signed the request, whose key is `replaced`. That one works
/// 14 days more, or ends now. The new pair is shown in this answer alone; the idempotency record
/// keeps it sealed, so that an answer that was lost on the way can be asked for again while the old
/// pair works: not where it ends now, since nothing could sign the question.
///
/// A key that is replaced already cannot make another pair: one that has leaked must not outlive
/// its grace in another's shape.
///
/// Errors: the idempotency errors, `NotFound` (the key is no longer the merchant's), `KeyIsEnding`,
/// `Busy`.
pub async fn rotate(
    app: &App,
    context: PostContext,
    replaced: ApiKeyId,
    revoke_now: bool,
) -> Result<Reply, Error> {
    context.require_key()?;
    let app = app.clone();
    app.clone()
        .detached(async move {
            if let Some(reply) = context.replay(&app).await? {
                return Ok(reply);
            }
            run(&app, &context, (replaced, revoke_now)).await
        })
        .await
}

async fn run(
    app: &App,
    context: &PostContext,
    (replaced, revoke_now): (ApiKeyId, bool),
) -> Result<Reply, Error> {
    let (merchant, now) = (context.merchant.id, app.now());
    let keys = app.inner().webhooks.signing_keys(merchant, now).await?;
    let old = keys
        .iter()
        .find(|key| key.id == replaced)
        .ok_or(Error::NotFound)?;
    if old.ends_at.is_some() {
        return Err(Error::KeyIsEnding);
    }
    let grace = if revoke_now { 0 } else { GRACE_SECONDS };
    let end = now.plus_seconds(grace);
    let old = ApiKey {
        ends_at: Some(end),
        ..old.clone()
    };
    let (key, hash, pair) = mint(app, merchant);
    let shown = Presentable::PairRotated {
        api_key: &pair.api_key,
        api_secret: &pair.api_secret,
        replaced: &old,
    };
    let answer = app
        .inner()
        .presenter
        .present(&shown, &context.request_id, now);
    let rotation = Rotation {
        key,
        hash,
        replaced,
        replaced_ends_at: end,
        remembered: context.remember(&answer, now),
        audit: AuditEntry {
            id: app.new_id_in(merchant.slot()),
            at: now,
            action: AuditAction::KeyRotated,
            merchant: Some(merchant),
            session: None,
            operation: None,
            detail: format!(
                "{replaced} ends at {}",
                end.whole_seconds().as_offset_date_time()
            ),
        },
    };
    match app.inner().merchants.rotate_key(&rotation).await {
        Ok(()) => {
            // What is signed from now on is signed with the new pair, too.
            app.inner().signing_keys.invalidate(&merchant).await;
            Ok(Reply::first(answer))
        }
        Err(CommitError::KeyTaken) => context.overtaken(app, Error::IdempotencyConflict).await,
        Err(error) => Err(error.into()),
    }
}
