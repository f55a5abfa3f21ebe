//! What operators do with the shared blocklist.

use oncharge_domain::{
    audit::{AuditAction, AuditEntry},
    blocklist::{Ban, Identifier},
    id::BanId,
};

use crate::{App, Error};

/// Bans an identifier for so many days; it counts within a second, at creation and at payment.
pub async fn add(
    app: &App,
    identifier: &Identifier,
    days: u32,
    reason: Option<String>,
) -> Result<Ban, Error> {
    let hashes = app.inner().peppers.hashes(identifier);
    let hash = hashes
        .into_iter()
        .next()
        .ok_or_else(|| Error::internal("no pepper"))?;
    let now = app.now();
    let ban = Ban {
        id: app.new_id(),
        kind: identifier.kind(),
        hash,
        source: "operator".to_owned(),
        reason,
        created_at: now,
        expires_at: now.plus_seconds(i64::from(days).saturating_mul(86_400)),
        revoked_at: None,
    };
    app.inner()
        .blocklist
        .add(&ban, &audit(app, AuditAction::BanAdded, ban.id))
        .await?;
    Ok(ban)
}

/// Every ban, newest first.
pub async fn list(app: &App) -> Result<Vec<Ban>, Error> {
    Ok(app.inner().blocklist.list().await?)
}

/// Revokes a ban; the shopper is served again within a second.
///
/// Errors: `NotFound` where there is none of this id that is not revoked yet.
pub async fn revoke(app: &App, id: BanId) -> Result<(), Error> {
    let entry = audit(app, AuditAction::BanRevoked, id);
    let revoked = app.inner().blocklist.revoke(id, app.now(), &entry).await?;
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
