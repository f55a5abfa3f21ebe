//! What the clock brings: expiry, abandoned challenges, automatic captures.

use oncharge_domain::session::Input;
use oncharge_ports::work_queue::{AccountName, ClaimedSession, WantedItems};
use tokio::sync::Notify;
use tracing::warn;

use super::{
    hands::{self, Queue},
    lease::{LEASE, give_back, holding},
    wakes::Wakes,
};
use crate::{
    App, Error,
    carrying_out::carry_out,
    committing::{self, Intent},
};

/// Claims sessions whose deadline has come and does what is due; returns how many.
pub async fn run_once(app: &App) -> Result<usize, Error> {
    hands::once::<Deadlines>(app).await
}

/// Sessions whose deadline has come.
pub(super) struct Deadlines;

impl Queue for Deadlines {
    type Item = ClaimedSession;
    const NAME: &'static str = "deadlines";

    fn wake(wakes: &Wakes) -> &Notify {
        &wakes.never
    }

    async fn claim(app: &App, wanted: &WantedItems) -> Result<Vec<ClaimedSession>, Error> {
        let work = &app.inner().work;
        Ok(work.claim_sessions(wanted, LEASE).await?)
    }

    fn account(item: &ClaimedSession) -> &AccountName {
        &item.account
    }

    async fn handle(app: App, item: ClaimedSession) {
        match holding(&app, item.lease, Box::pin(meet(&app, &item))).await {
            Ok(()) => give_back(&app, item.lease, app.now()).await,
            // The lease runs out by itself: that is the pause before the next try.
            Err(error) => {
                warn!(session = %item.session, %error, "a deadline will be met later");
            }
        }
    }
}

async fn meet(app: &App, claimed: &ClaimedSession) -> Result<(), Error> {
    // A session's id has its merchant's slot.
    let operation = app.new_id_in(claimed.session.slot());
    let intent = Intent {
        lease: Some(claimed.lease),
        due_at: Some(claimed.due_at),
        ..Intent::default()
    };
    let input = Input::Deadline { operation };
    let intended = committing::intend(app, claimed.session, &intent, &input).await?;
    carry_out(app, intended, None).await;
    Ok(())
}
