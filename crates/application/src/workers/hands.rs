//! Bounded worker pool whose capacity is shared fairly among PSP accounts.
//!
//! An account without competition may use the whole shared capacity; accounts that compete get equal
//! shares of it. Beyond it every account is guaranteed some items of its own, so that one whose PSP
//! hangs, however much it holds, keeps nobody else's work waiting.

use std::{collections::HashMap, time::Duration};

use oncharge_ports::work_queue::{AccountName, WantedItems};
use tokio::{
    sync::Notify,
    task::{self, JoinError, JoinSet},
    time::Instant,
};
use tokio_util::sync::CancellationToken;
use tracing::warn;

use super::{
    runner::{AFTER_FAILURE, POLL},
    wakes::Wakes,
};
use crate::{App, Error};

/// Number of items in progress that accounts share equally.
const SHARED: usize = 256;
/// Number of items of one account that may be in progress whatever others hold.
const GUARANTEED: usize = 32;
/// Upper bound of items in progress: beside one account that holds all that is shared, eight more can
/// have what they are guaranteed.
const MOST: usize = SHARED + 8 * GUARANTEED;
/// Upper bound of items per claim; a claim may consist of one account's items alone.
const CLAIM: u32 = 16;
/// How long a worker sleeps while an account is busy; then wakes, which may be for that very
/// account, are not listened to.
const POLL_BESIDE_BUSY: Duration = Duration::from_millis(50);
/// A look into the queue costs by how many items of busy accounts it has to pass over. After one
/// that was in vain so many times as long goes by before the next that passes over all of them;
/// after one that found something, as long as it took.
const REST: u32 = 10;

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
    /// Accounts whose items wait, though the worker has room for them.
    fn unavailable(_app: &App) -> Vec<AccountName> {
        Vec::new()
    }
    /// The account that an item goes to.
    fn account(item: &Self::Item) -> &AccountName;
    /// Does what an item needs and gives it back or leaves it to its lease. A failure is the item's
    /// own.
    fn handle(app: App, item: Self::Item) -> impl Future<Output = ()> + Send;
}

/// Claims a batch and waits until all of it is done; returns how many.
pub(super) async fn once<Q: Queue>(app: &App) -> Result<usize, Error> {
    let wanted = WantedItems {
        limit: CLAIM,
        busy: Q::unavailable(app),
    };
    let claimed = Q::claim(app, &wanted).await?;
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
    /// The last look that passed over busy accounts in vain.
    rest: Option<Rest>,
}

/// A look that is not repeated for a while.
struct Rest {
    until: Instant,
    /// The accounts that it passed over. As soon as one of them may have more, another look finds it.
    past: Vec<AccountName>,
}

impl Hands {
    /// Claims what is due and starts it; returns the number of items.
    ///
    /// Accounts with few items in progress come first: else they would wait behind an older queue of
    /// another account for as long as that is worked off too fast to reach its share.
    async fn take<Q: Queue>(&mut self, app: &App) -> Result<usize, Error> {
        while let Some(ended) = self.tasks.try_join_next_with_id() {
            self.ended(ended);
        }
        if app.is_clock_too_far_off() {
            return Ok(0);
        }
        let served = self.left_out::<Q>(app, GUARANTEED);
        let count = self.claim_without::<Q>(app, served.clone()).await?;
        let busy = self.left_out::<Q>(app, self.share());
        if count > 0 || busy == served {
            return Ok(count);
        }
        self.claim_without::<Q>(app, busy).await
    }

    /// Claims items of all accounts but the busy ones, unless it is too early to look past those.
    async fn claim_without<Q: Queue>(
        &mut self,
        app: &App,
        busy: Vec<AccountName>,
    ) -> Result<usize, Error> {
        let (room, start) = (self.room(), Instant::now());
        if room == 0 || self.rests(&busy, start).is_some() {
            return Ok(0);
        }
        let limit = u32::try_from(room).unwrap_or(u32::MAX).min(CLAIM);
        let wanted = WantedItems { limit, busy };
        let claimed = Q::claim(app, &wanted).await?;
        let (count, took) = (claimed.len(), start.elapsed());
        let has_passed_over = !wanted.busy.is_empty();
        if count == 0 && has_passed_over {
            self.rest(took, wanted.busy);
        }
        for item in claimed {
            let account = Q::account(&item).clone();
            let task = self.tasks.spawn(Q::handle(app.clone(), item));
            let held = self.counts.entry(account.clone()).or_default();
            *held = held.saturating_add(1);
            self.accounts.insert(task.id(), account);
        }
        if count > 0 && has_passed_over {
            // Else, where each finds a little, such looks would follow each other without a pause.
            tokio::time::sleep(took).await;
        }
        Ok(count)
    }

    /// Waits until there may be something to claim: after a wake, the poll's time, or as soon as an
    /// end lets a busy account have more.
    async fn wait<Q: Queue>(
        &mut self,
        app: &App,
        stop: &CancellationToken,
        failed: Option<Duration>,
    ) {
        let now = Instant::now();
        let is_any_busy = self.room() == 0 || !self.above(GUARANTEED).is_empty();
        let poll = if is_any_busy { POLL_BESIDE_BUSY } else { POLL };
        let mut until = now + failed.unwrap_or(poll);
        if failed.is_none() {
            until = until.max(self.next_look::<Q>(app, now));
        }
        let wakes = &app.inner().wakes;
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep_until(until) => return,
                () = Q::wake(wakes).notified(), if failed.is_none() && !is_any_busy => return,
                Some(ended) = self.tasks.join_next_with_id() => {
                    if self.ended(ended) && failed.is_none() {
                        until = self.next_look::<Q>(app, Instant::now()).min(until);
                    }
                }
            }
        }
    }

    /// Records the end of an item, successful or not; `true` where an account may now have more.
    fn ended(&mut self, ended: Result<(task::Id, ()), JoinError>) -> bool {
        let before = self.limits_met();
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
        self.limits_met() != before
    }

    /// Number of limits that keep an account from having more; each end lowers it or leaves it.
    fn limits_met(&self) -> usize {
        let full = usize::from(self.room() == 0);
        full + self.above(GUARANTEED).len() + self.above(self.share()).len()
    }

    /// A look that passed over these accounts took so long, and was in vain.
    fn rest(&mut self, took: Duration, past: Vec<AccountName>) {
        let until = Instant::now() + (took * REST).min(AFTER_FAILURE);
        self.rest = Some(Rest { until, past });
    }

    /// Until when there is no look past these accounts, where it is too early for one.
    fn rests(&self, busy: &[AccountName], now: Instant) -> Option<Instant> {
        let rest = self.rest.as_ref()?;
        let is_such = rest.past.iter().all(|account| busy.contains(account));
        (is_such && now < rest.until).then_some(rest.until)
    }

    /// When the next claim may look past busy accounts; `now` where one may at once.
    fn next_look<Q: Queue>(&self, app: &App, now: Instant) -> Instant {
        let served = self.rests(&self.left_out::<Q>(app, GUARANTEED), now);
        let busy = self.rests(&self.left_out::<Q>(app, self.share()), now);
        served.zip(busy).map_or(now, |(one, other)| one.min(other))
    }

    /// The accounts whose items are not claimed for now, if each may have this number.
    fn left_out<Q: Queue>(&self, app: &App, limit: usize) -> Vec<AccountName> {
        let mut accounts = self.above(limit);
        accounts.extend(Q::unavailable(app));
        accounts.sort_unstable();
        accounts.dedup();
        accounts
    }

    fn room(&self) -> usize {
        MOST.saturating_sub(self.accounts.len())
    }

    /// Number of items that each account may have in progress now.
    fn share(&self) -> usize {
        if self.accounts.len() >= SHARED {
            return GUARANTEED;
        }
        (SHARED / self.counts.len().max(1)).max(GUARANTEED)
    }

    /// The accounts that a whole claim would bring over this number of items.
    fn above(&self, limit: usize) -> Vec<AccountName> {
        let most = limit.saturating_sub(usize::try_from(CLAIM).unwrap_or(limit));
        let above = self.counts.iter().filter(|(_, held)| **held > most);
        let mut above: Vec<AccountName> = above.map(|(account, _)| account.clone()).collect();
        above.sort_unstable();
        above
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> AccountName {
        AccountName::from_text(text.to_owned())
    }

    /// So many items of this account in progress, none of which ends by itself.
    fn hold(hands: &mut Hands, account: &AccountName, items: usize) {
        for _ in 0..items {
            let task = hands.tasks.spawn(std::future::pending());
            hands.accounts.insert(task.id(), account.clone());
        }
        *hands.counts.entry(account.clone()).or_default() += items;
    }

    #[tokio::test]
    async fn an_item_that_panics_makes_room_for_its_account() {
        let mut hands = Hands::default();
        let account = name("simulator/default");
        hold(&mut hands, &account, SHARED - 15);
        assert_eq!(hands.above(hands.share()), [account]);
        hands.tasks.abort_all();
        let ended = hands.tasks.join_next_with_id().await.unwrap();
        assert!(hands.ended(ended), "the account may have more");
        assert_eq!(hands.above(hands.share()), []);
        assert_eq!(hands.room(), MOST - SHARED + 16);
    }

    #[tokio::test]
    async fn an_account_alone_gets_all_that_is_shared_and_competitors_get_equal_parts() {
        let (one, two, three) = (name("a/1"), name("a/2"), name("a/3"));
        let mut hands = Hands::default();
        hold(&mut hands, &one, SHARED - 16);
        assert_eq!(hands.above(hands.share()), [], "a whole claim fits");
        hold(&mut hands, &two, 1);
        assert_eq!(hands.share(), SHARED / 2);
        assert_eq!(hands.above(hands.share()), std::slice::from_ref(&one));
        hold(&mut hands, &one, 15);
        // Nothing is left of what is shared, and others can still begin.
        assert_eq!(hands.share(), GUARANTEED);
        assert_eq!(hands.above(hands.share()), std::slice::from_ref(&one));
        hold(&mut hands, &two, 16);
        hold(&mut hands, &three, 16);
        assert_eq!(hands.above(hands.share()), [one, two]);
    }

    #[tokio::test(start_paused = true)]
    async fn looks_past_a_long_queue_take_a_small_part_of_the_time() {
        let (mut hands, busy) = (Hands::default(), [name("a/slow")]);
        let start = Instant::now();
        let rests = |hands: &Hands, after| hands.rests(&busy, start + after).is_some();
        assert!(!rests(&hands, Duration::ZERO));
        hands.rest(Duration::from_millis(30), busy.to_vec());
        assert!(rests(&hands, Duration::from_millis(299)));
        assert!(!rests(&hands, Duration::from_millis(300)));
        hands.rest(Duration::from_secs(5), busy.to_vec());
        assert!(
            !rests(&hands, AFTER_FAILURE),
            "a slow store is no long queue"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn an_account_that_may_have_more_does_not_rest_for_one_that_hangs() {
        let (quick, slow, other) = (name("a/quick"), name("a/slow"), name("a/other"));
        let mut hands = Hands::default();
        let now = Instant::now();
        hands.rest(Duration::from_millis(30), vec![quick.clone(), slow.clone()]);
        let until = Some(now + Duration::from_millis(300));
        assert_eq!(hands.rests(&[slow.clone(), quick.clone()], now), until);
        let and_more = [slow.clone(), other, quick];
        assert_eq!(hands.rests(&and_more, now), until, "all that, and more");
        assert_eq!(
            hands.rests(&[slow], now),
            None,
            "the quick one may have more"
        );
        assert_eq!(hands.rests(&[], now), None);
    }
}
