//! Applies session deadlines: expiry, abandoned challenges, automatic captures.

use oncharge_domain::session::Input;
use oncharge_ports::work_queue::{AccountName, ClaimFilter, ClaimedSession};
use tokio::sync::Notify;
use tracing::warn;

use super::{
    lease::{LEASE, release_lease, with_lease},
    notifiers::Notifiers,
    worker_pool::{self, JobQueue},
};
use crate::{
    App, Error,
    commit::{self, ChangeContext},
    execute::execute,
};

/// Claims sessions whose deadline has passed and applies it; returns how many.
pub async fn run_once(app: &App) -> Result<usize, Error> {
    worker_pool::run_once::<DeadlineQueue>(app).await
}

/// Sessions whose deadline has passed.
pub(super) struct DeadlineQueue;

impl JobQueue for DeadlineQueue {
    type Item = ClaimedSession;
    const NAME: &'static str = "deadlines";

    fn notifier(notifiers: &Notifiers) -> &Notify {
        &notifiers.never
    }

    async fn claim(app: &App, wanted: &ClaimFilter) -> Result<Vec<ClaimedSession>, Error> {
        let work = &app.inner().store.work;
        Ok(work.claim_sessions(wanted, LEASE).await?)
    }

    fn account(item: &ClaimedSession) -> &AccountName {
        &item.account
    }

    async fn handle(app: App, item: ClaimedSession) {
        match with_lease(&app, item.lease, Box::pin(apply_deadline(&app, &item))).await {
            Ok(()) => release_lease(&app, item.lease, app.now()).await,
            // The lease expires by itself, which is the delay before the next try.
            Err(error) => {
                warn!(session = %item.session, error = &error as &dyn std::error::Error,
                    "cannot process a deadline, retrying later");
            }
        }
    }
}

async fn apply_deadline(app: &App, claimed: &ClaimedSession) -> Result<(), Error> {
    // A session's id has its merchant's slot.
    let operation = app.new_id_in(claimed.session.slot());
    let context = ChangeContext {
        lease: Some(claimed.lease),
        due_at: Some(claimed.due_at),
        ..ChangeContext::default()
    };
    let input = Input::Deadline { operation };
    let change = commit::change_session(app, claimed.session, &context, &input).await?;
    execute(app, change, None).await;
    Ok(())
}
