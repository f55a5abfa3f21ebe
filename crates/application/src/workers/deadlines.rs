//! What the clock brings: expiry, abandoned challenges, automatic captures.

use oncharge_domain::session::{Input, Session};
use oncharge_ports::work_queue::ClaimedSession;
use tracing::warn;

use super::{
    lease::{LEASE, holding},
    runner::BATCH,
};
use crate::{
    App, Error,
    carrying_out::carry_out,
    committing::{self, Intent},
};

/// Claims sessions whose deadline has come and does what is due; returns how many.
pub async fn run_once(app: &App) -> Result<usize, Error> {
    let claimed = app
        .inner()
        .work
        .claim_sessions(app.now(), BATCH, LEASE)
        .await?;
    let count = claimed.len();
    let each = claimed.into_iter().map(|claimed| async move {
        match holding(app, claimed.lease, Box::pin(meet(app, claimed))).await {
            Ok(()) => app.inner().work.release(claimed.lease, app.now()).await,
            Err(error) => {
                // The lease runs out by itself: that is the pause before the next try.
                warn!(session = %claimed.session, %error, "a deadline will be met later");
                Ok(())
            }
        }
    });
    for released in futures_util::future::join_all(each).await {
        released?;
    }
    Ok(count)
}

async fn meet(app: &App, claimed: ClaimedSession) -> Result<(), Error> {
    let operation = app.new_id();
    let intent = Intent {
        lease: Some(claimed.lease),
        ..Intent::default()
    };
    let decide = |session: &Session, now| session.decide(Input::Deadline { operation }, now);
    let intended = committing::intend(app, claimed.session, &intent, decide).await?;
    carry_out(app, intended, None).await;
    Ok(())
}
