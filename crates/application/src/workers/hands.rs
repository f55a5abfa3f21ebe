//! How workers that call PSPs take their work: claim, do it beside what is in hand, claim again.
//!
//! An account whose PSP hangs holds a bounded part of a worker's hands, for as long as it takes;
//! while it has them full, its items are left in the queue and those of all others are claimed.

use std::{collections::HashMap, time::Duration};

use oncharge_ports::work_queue::{AccountName, WantedItems};
use tokio::{
    sync::Notify,
    task::{self, JoinError, JoinSet},
};
use tokio_util::sync::CancellationToken;
use tracing::warn;

use super::{
    runner::{AFTER_FAILURE, POLL},
    wakes::Wakes,
};
use crate::{App, Error};

/// How many items a worker has in hand at most: eight accounts may hang, and the others go on.
const HANDS: usize = 256;
/// How many items one claim takes at most.
const CLAIM: u32 = 16;
/// An account with more than so many in hand gets no more: with a whole claim on top it never has
/// more than 32.
const BUSY: usize = 16;
/// How long a worker sleeps while an account is busy. A wake may be for that very account, whose
/// queue may be long: passing over it for each would cost more than a short wait.
const POLL_BESIDE_BUSY: Duration = Duration::from_millis(100);

/// A queue whose items each go to a PSP account.
pub(super) trait Queue: 'static {
    /// A claimed item.
    type Item: Send + 'static;
    /// The worker's name.
    const NAME: &'static str;

    /// Who wakes the worker.
    fn wake(wakes: &Wakes) -> &Notify;
    /// Claims what is due.
    fn claim(
        app: &App,
        wanted: &WantedItems,
    ) -> impl Future<Output = Result<Vec<Self::Item>, Error>> + Send;
    /// The account that an item goes to.
    fn account(item: &Self::Item) -> &AccountName;
    /// Does what an item needs and gives it back or leaves it to its lease. A failure is the item's
    /// own.
    fn handle(app: App, item: Self::Item) -> impl Future<Output = ()> + Send;
}

/// Claims a batch and waits until all of it is done; returns how many.
pub(super) async fn once<Q: Queue>(app: &App) -> Result<usize, Error> {
    let claimed = Q::claim(app, &WantedItems::up_to(CLAIM)).await?;
    let count = claimed.len();
    let each = claimed.into_iter().map(|item| Q::handle(app.clone(), item));
    futures_util::future::join_all(each).await;
    Ok(count)
}

/// Works until it is stopped, then waits for what is in hand.
pub(super) async fn run<Q: Queue>(app: App, stop: CancellationToken) {
    let mut hands = Hands::default();
    while !stop.is_cancelled() {
        let pause = match hands.take::<Q>(&app).await {
            Ok(0) => None,
            Ok(_) => continue,
            Err(error) => {
                warn!(worker = Q::NAME, %error, "the worker waits for the store");
                Some(AFTER_FAILURE)
            }
        };
        hands.wait::<Q>(&app, &stop, pause).await;
    }
    while let Some(ended) = hands.tasks.join_next_with_id().await {
        hands.ended(ended);
    }
}

/// What is in hand.
#[derive(Default)]
struct Hands {
    tasks: JoinSet<()>,
    /// The account of each task: one that ends badly says no more than its id.
    accounts: HashMap<task::Id, AccountName>,
    /// How many items of each account.
    counts: HashMap<AccountName, usize>,
}

impl Hands {
    /// Claims what is due and begins with it; returns how much.
    async fn take<Q: Queue>(&mut self, app: &App) -> Result<usize, Error> {
        while let Some(ended) = self.tasks.try_join_next_with_id() {
            self.ended(ended);
        }
        let room = u32::try_from(self.room()).unwrap_or(u32::MAX);
        if room == 0 {
            return Ok(0);
        }
        let wanted = WantedItems {
            limit: room.min(CLAIM),
            busy: self.busy(),
        };
        let claimed = Q::claim(app, &wanted).await?;
        let count = claimed.len();
        for item in claimed {
            let account = Q::account(&item).clone();
            let task = self.tasks.spawn(Q::handle(app.clone(), item));
            let held = self.counts.entry(account.clone()).or_default();
            *held = held.saturating_add(1);
            self.accounts.insert(task.id(), account);
        }
        Ok(count)
    }

    /// Waits until there may be something to claim: after a wake, the poll's time, or as soon as an
    /// end lets a busy account have more.
    async fn wait<Q: Queue>(
        &mut self,
        app: &App,
        stop: &CancellationToken,
        pause: Option<Duration>,
    ) {
        let is_any_busy = self.room() == 0 || !self.busy().is_empty();
        let poll = if is_any_busy { POLL_BESIDE_BUSY } else { POLL };
        let sleep = tokio::time::sleep(pause.unwrap_or(poll));
        tokio::pin!(sleep);
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = &mut sleep => return,
                () = Q::wake(&app.inner().wakes).notified(), if pause.is_none() && !is_any_busy => return,
                Some(ended) = self.tasks.join_next_with_id() => {
                    if self.ended(ended) && pause.is_none() {
                        return;
                    }
                }
            }
        }
    }

    /// An item is done, well or badly; whether its account is busy no more, or there is room again.
    fn ended(&mut self, ended: Result<(task::Id, ()), JoinError>) -> bool {
        let had_room = self.room() > 0;
        let task = match ended {
            Ok((task, ())) => task,
            Err(error) => {
                warn!(%error, "a piece of work ended badly");
                error.id()
            }
        };
        let Some(account) = self.accounts.remove(&task) else {
            return false;
        };
        let held = self.counts.get(&account).copied().unwrap_or_default();
        let left = held.saturating_sub(1);
        if left == 0 {
            self.counts.remove(&account);
        } else {
            self.counts.insert(account, left);
        }
        !had_room || left == BUSY
    }

    fn room(&self) -> usize {
        HANDS.saturating_sub(self.accounts.len())
    }

    /// The accounts that get no more for now.
    fn busy(&self) -> Vec<AccountName> {
        let busy = self.counts.iter().filter(|(_, held)| **held > BUSY);
        busy.map(|(account, _)| account.clone()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_piece_of_work_that_ends_badly_leaves_its_account_a_hand_free() {
        let mut hands = Hands::default();
        let account = AccountName::from_text("simulator/default".to_owned());
        for _ in 0..=BUSY {
            let task = hands.tasks.spawn(std::future::pending());
            hands.accounts.insert(task.id(), account.clone());
        }
        hands.counts.insert(account.clone(), BUSY + 1);
        assert_eq!(hands.busy(), [account]);
        hands.tasks.abort_all();
        let ended = hands.tasks.join_next_with_id().await.unwrap();
        assert!(hands.ended(ended), "the account may have more");
        assert_eq!(hands.busy(), []);
        assert_eq!(hands.room(), HANDS - BUSY);
    }
}
