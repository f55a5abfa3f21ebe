//! Reads everything that belongs to one session.

use oncharge_ports::operator_queries::SessionHistory;

use crate::{App, Error};

/// The session's history.
///
/// Errors: `NotFound` (also for a malformed id), `Busy`.
pub async fn session_history(app: &App, id: &str) -> Result<SessionHistory, Error> {
    let id = id.parse().map_err(|_| Error::NotFound)?;
    let session_history = app
        .inner()
        .store
        .operator_queries
        .session_history(id)
        .await?;
    session_history.ok_or(Error::NotFound)
}
