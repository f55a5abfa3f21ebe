//! A merchant withdraws an unpaid session.

use oncharge_domain::session::Input;

use crate::{App, Error, PostContext, Reply};

/// Withdraws a session that nobody has paid; no PSP is asked.
///
/// Errors: the idempotency errors, `NotFound`, `InvalidState`, `Busy`.
pub async fn expire(app: &App, request: PostContext, id: &str) -> Result<Reply, Error> {
    super::modify::modify(app, request, id, |_| Input::Expire).await
}
