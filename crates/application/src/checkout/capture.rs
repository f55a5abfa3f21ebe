//! Captures an authorized session.

use oncharge_domain::session::Input;

use crate::{App, Error, PostContext, Reply};

/// Captures `amount` minor units (`None` for all); a partial capture releases the rest.
///
/// Errors: the idempotency errors, `NotFound`, `InvalidState`, `CaptureExceedsAuthorized`,
/// `PspUnavailable`, `Busy`. A refusal by the PSP is a response (409 `psp_rejected`), not an error,
/// since it is stored for replay.
pub async fn capture(
    app: &App,
    request: PostContext,
    id: &str,
    amount: Option<i64>,
) -> Result<Reply, Error> {
    request.require_key()?;
    let command = |operation| Input::Capture {
        operation,
        amount,
        in_flight: None,
    };
    super::modify::modify(app, request, id, command).await
}
