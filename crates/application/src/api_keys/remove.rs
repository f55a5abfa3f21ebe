//! Ends one of a merchant's API keys.

use std::sync::Arc;

use oncharge_domain::audit::{AuditAction, AuditEntry};
use oncharge_ports::merchant_repository::KeyRemoval;

use crate::{App, Error, authenticate::Principal};

/// Ends a key of the merchant at once: within a second, requests signed with it are refused, and it
/// signs no more webhooks. A key in its grace period can end only itself.
///
/// Errors: `KeyIsEnding`, `NotFound` (also for a key that has ended, and for a malformed id),
/// `LastActiveKey`, `Busy`.
pub async fn remove(app: &App, signer: Arc<Principal>, id: &str) -> Result<(), Error> {
    if *id != signer.key.id.to_string() {
        signer.require_active()?;
    }
    let id = id.parse().map_err(|_| Error::NotFound)?;
    let app = app.clone();
    app.clone()
        .spawn_detached(async move {
            let (merchant, now) = (signer.merchant.id, app.now());
            let audit = AuditEntry {
                id: app.new_id_in(merchant.slot()),
                at: now,
                action: AuditAction::KeyRevoked,
                merchant: Some(merchant),
                session: None,
                operation: None,
                detail: format!("{id}, by {}", signer.key.id),
            };
            let merchants = &app.inner().store.merchants;
            match merchants.remove_key(merchant, id, now, &audit).await? {
                KeyRemoval::Ended => {}
                KeyRemoval::LastActive => return Err(Error::LastActiveKey),
                KeyRemoval::NotFound => return Err(Error::NotFound),
            }
            if id == signer.key.id {
                signer.invalidate_cache(&app).await;
            }
            app.inner().signing_keys.invalidate(&merchant).await;
            Ok(())
        })
        .await
}
