//! Expires an unpaid session at the merchant's request.

use oncharge_domain::session::Input;

use crate::{App, Error, PostContext, Reply};

/// Expires a session that has not been paid; no PSP is called.
///
/// Errors: the idempotency errors, `NotFound`, `InvalidState`, `Busy`.
pub async fn expire(app: &App, request: PostContext, id: &str) -> Result<Reply, Error> {
    super::modify::modify(app, request, id, |_| Input::Expire).await
}
