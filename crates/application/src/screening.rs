//! Screening of shoppers against the shared blocklist.

use oncharge_domain::{
    blocklist::{Identifier, PepperedHash},
    text::Contact,
};

use crate::{App, Error};

/// Whether a shopper with this contact data is banned now.
///
/// One HMAC per live pepper and identifier, one indexed query. A match under an old pepper is
/// rehashed under the first one, if every live node has that.
///
/// Errors with `Busy` on a node that may lack the pepper of a live ban.
pub(crate) async fn is_banned(app: &App, contact: &Contact) -> Result<bool, Error> {
    let inner = app.inner();
    let hashes: Vec<Vec<PepperedHash>> = Identifier::of_contact(contact)
        .iter()
        .map(|id| inner.peppers.hashes(id))
        .collect();
    if hashes.is_empty() {
        return Ok(false);
    }
    if !inner.membership.is_current(app.now()) {
        let cause = "the database did not confirm this node's peppers in time";
        return Err(Error::Busy(Some(cause.into())));
    }
    let live_bans = inner
        .store
        .blocklist
        .live_bans(&hashes.concat(), app.now())
        .await?;
    for ban in &live_bans {
        let newest = hashes
            .iter()
            .find(|of_identifier| of_identifier.contains(&ban.hash))
            .and_then(|h| h.first());
        if let Some(newest) = newest.filter(|newest| **newest != ban.hash) {
            let first = inner.peppers.fingerprints().first();
            if let Some(pepper) = first {
                inner.store.blocklist.rehash(ban.id, newest, pepper).await?;
            }
        }
    }
    Ok(!live_bans.is_empty())
}
