//! Cancels an authorized session.

use oncharge_domain::session::Input;

use crate::{App, Error, PostContext, Reply};

/// Releases the reserved amount and disables automatic capture permanently.
///
/// Errors as of [`super::capture::capture`].
pub async fn cancel(app: &App, request: PostContext, id: &str) -> Result<Reply, Error> {
    let command = |operation| Input::Cancel {
        operation,
        in_flight: None,
    };
    super::modify::modify(app, request, id, command).await
}
