//! An operator reads everything that belongs to one session.

use oncharge_ports::oversight::Story;

use crate::{App, Error};

/// The story of this session.
///
/// Errors: `NotFound` (also for an id of another form), `Busy`.
pub async fn story(app: &App, id: &str) -> Result<Story, Error> {
    let id = id.parse().map_err(|_| Error::NotFound)?;
    let story = app.inner().oversight.story(id).await?;
    story.ok_or(Error::NotFound)
}
