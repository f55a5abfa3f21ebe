//! Operator commands on the shared blocklist.

use oncharge_domain::{
    audit::{AuditAction, AuditEntry},
    blocklist::{Ban, Identifier},
    id::BanId,
};

use oncharge_ports::StoreError;

use crate::{
    App, Error,
    keys::{self, KeyError, KeyList},
};

/// Bans an identifier for this many days; takes effect within a second, at session creation and
/// payment.
///
/// It is hashed under the first pepper that every live node has. If there is none, errors with the
/// nodes that lack the first pepper.
pub async fn add(
    app: &App,
    identifier: &Identifier,
    days: u32,
    reason: Option<String>,
) -> Result<Ban, KeyError> {
    let inner = app.inner();
    let now = app.now();
    let id = app.new_id();
    let entry = audit(app, AuditAction::BanAdded, id);
    let hashes = inner.peppers.hashes(identifier);
    for (hash, pepper) in hashes.into_iter().zip(inner.peppers.fingerprints()) {
        let ban = Ban {
            id,
            kind: identifier.kind(),
            hash,
            source: "operator".to_owned(),
            reason: reason.clone(),
            created_at: now,
            expires_at: now.plus_seconds(i64::from(days).saturating_mul(86_400)),
            revoked_at: None,
        };
        if inner.store.blocklist.add(&ban, pepper, &entry).await? {
            return Ok(ban);
        }
    }
    keys::require_on_all_nodes(app, KeyList::Pepper).await?;
    keys::check(app).await?;
    let changed = "the nodes' peppers changed at the same time: repeat the command";
    Err(StoreError::Unavailable(changed.into()).into())
}

/// Every ban, newest first.
pub async fn list(app: &App) -> Result<Vec<Ban>, Error> {
    Ok(app.inner().store.blocklist.list().await?)
}

/// Revokes a ban; takes effect within a second.
///
/// Errors: `NotFound` if no unrevoked ban has this id.
pub async fn revoke(app: &App, id: BanId) -> Result<(), Error> {
    let entry = audit(app, AuditAction::BanRevoked, id);
    let revoked = app
        .inner()
        .store
        .blocklist
        .revoke(id, app.now(), &entry)
        .await?;
    if revoked {
        Ok(())
    } else {
        Err(Error::NotFound)
    }
}

fn audit(app: &App, action: AuditAction, ban: BanId) -> AuditEntry {
    AuditEntry {
        id: app.new_id(),
        at: app.now(),
        action,
        merchant: None,
        session: None,
        operation: None,
        detail: ban.to_string(),
    }
}
