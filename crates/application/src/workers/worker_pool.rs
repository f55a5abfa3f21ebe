//! Bounded worker pool whose capacity is shared fairly among PSP accounts.
//!
//! An account without competition may use the whole shared capacity; competing accounts get equal
//! shares of it. In addition, every account is guaranteed some items of its own, so that an account
//! whose PSP hangs, however much it holds, delays no other.

use std::{collections::HashMap, time::Duration};

use oncharge_ports::work_queue::{AccountName, ClaimFilter};
use tokio::{
    sync::Notify,
    task::{self, JoinError, JoinSet},
    time::Instant,
};
use tokio_util::sync::CancellationToken;
use tracing::warn;

use super::{FAILURE_PAUSE, POLL_INTERVAL, notifiers::Notifiers};
use crate::{App, Error};

/// Number of items in progress that accounts share equally.
const SHARED_CAPACITY: usize = 256;
/// Number of items of one account that may be in progress whatever others hold.
const GUARANTEED_PER_ACCOUNT: usize = 32;
/// Upper bound of items in progress: next to one account that holds the whole shared capacity,
/// eight more can use their guaranteed number.
const MAX_IN_PROGRESS: usize = SHARED_CAPACITY + 8 * GUARANTEED_PER_ACCOUNT;
/// Upper bound of items per claim; a claim may consist of one account's items alone.
const CLAIM_LIMIT: u32 = 16;
/// How long a worker sleeps while an account is busy. Wake-ups, which may be for that very account,
/// are then ignored.
const BUSY_POLL_INTERVAL: Duration = Duration::from_millis(50);
/// After an empty scan, the next one that skips all of the same busy accounts waits for this
/// multiple of its duration, because its cost grows with the items that it skips; after a scan that
/// found items, it waits for the duration once.
const EMPTY_SCAN_COOLDOWN: u32 = 10;

/// A queue whose items each go to a PSP account.
pub(super) trait JobQueue: 'static {
    /// A claimed item.
    type Item: Send + 'static;
    /// The worker's name.
    const NAME: &'static str;

    fn notifier(notifiers: &Notifiers) -> &Notify;
    fn claim(
        app: &App,
        wanted: &ClaimFilter,
    ) -> impl Future<Output = Result<Vec<Self::Item>, Error>> + Send;
    /// Accounts whose items stay in the queue although the worker has capacity.
    fn unavailable_accounts(_app: &App) -> Vec<AccountName> {
        Vec::new()
    }
    fn account(item: &Self::Item) -> &AccountName;
    /// Processes an item, then releases it or lets its lease expire. Handles the item's errors
    /// itself.
    fn handle(app: App, item: Self::Item) -> impl Future<Output = ()> + Send;
}

/// Claims a batch and waits until all of it is done; returns how many.
pub(super) async fn run_once<Q: JobQueue>(app: &App) -> Result<usize, Error> {
    let wanted = ClaimFilter {
        limit: CLAIM_LIMIT,
        busy: Q::unavailable_accounts(app),
    };
    let claimed = Q::claim(app, &wanted).await?;
    let count = claimed.len();
    let each = claimed.into_iter().map(|item| Q::handle(app.clone(), item));
    futures_util::future::join_all(each).await;
    Ok(count)
}

/// Runs until it is stopped, then waits for the items in progress.
pub(super) async fn run<Q: JobQueue>(app: App, stop: CancellationToken) {
    let mut pool = WorkerPool::default();
    while !stop.is_cancelled() {
        let pause = match pool.start_due::<Q>(&app).await {
            Ok(0) => None,
            Ok(_) => continue,
            Err(error) => {
                warn!(
                    worker = Q::NAME,
                    error = &error as &dyn std::error::Error,
                    "the worker cannot use the database, retrying"
                );
                Some(FAILURE_PAUSE)
            }
        };
        pool.wait::<Q>(&app, &stop, pause).await;
    }
    while let Some(ended) = pool.tasks.join_next_with_id().await {
        pool.record_end(ended);
    }
}

/// The items in progress.
#[derive(Default)]
struct WorkerPool {
    tasks: JoinSet<()>,
    /// The account of each task, since the error of a panicked task contains only the task's id.
    accounts: HashMap<task::Id, AccountName>,
    /// The number of items in progress per account.
    counts: HashMap<AccountName, usize>,
    /// The last empty scan that passed over busy accounts.
    cooldown: Option<Cooldown>,
}

/// A period without scans that pass over the same accounts.
struct Cooldown {
    until: Instant,
    /// The accounts that the scan passed over. Once one of them may have more items, a new scan is
    /// allowed.
    passed_over: Vec<AccountName>,
}

impl WorkerPool {
    /// Claims what is due and starts it; returns the number of items.
    ///
    /// Accounts with few items in progress come first. Otherwise they would wait behind another
    /// account's older items for as long as those are processed too fast for that account to reach
    /// its share.
    async fn start_due<Q: JobQueue>(&mut self, app: &App) -> Result<usize, Error> {
        while let Some(ended) = self.tasks.try_join_next_with_id() {
            self.record_end(ended);
        }
        if app.is_clock_too_far_off() {
            return Ok(0);
        }
        let served = self.excluded_accounts::<Q>(app, GUARANTEED_PER_ACCOUNT);
        let count = self.claim_excluding::<Q>(app, served.clone()).await?;
        let busy = self.excluded_accounts::<Q>(app, self.fair_share());
        if count > 0 || busy == served {
            return Ok(count);
        }
        self.claim_excluding::<Q>(app, busy).await
    }

    /// Claims items of all accounts but the busy ones, unless a cooldown for those is running.
    async fn claim_excluding<Q: JobQueue>(
        &mut self,
        app: &App,
        busy: Vec<AccountName>,
    ) -> Result<usize, Error> {
        let (free_slots, start) = (self.free_slots(), Instant::now());
        if free_slots == 0 || self.cooldown_until(&busy, start).is_some() {
            return Ok(0);
        }
        let limit = u32::try_from(free_slots)
            .unwrap_or(u32::MAX)
            .min(CLAIM_LIMIT);
        let wanted = ClaimFilter { limit, busy };
        let claimed = Q::claim(app, &wanted).await?;
        let (count, took) = (claimed.len(), start.elapsed());
        let has_passed_over = !wanted.busy.is_empty();
        if count == 0 && has_passed_over {
            self.start_cooldown(took, wanted.busy);
        }
        for item in claimed {
            let account = Q::account(&item).clone();
            let task = self.tasks.spawn(Q::handle(app.clone(), item));
            let held = self.counts.entry(account.clone()).or_default();
            *held = held.saturating_add(1);
            self.accounts.insert(task.id(), account);
        }
        if count > 0 && has_passed_over {
            // Otherwise, if each finds a few items, such scans would follow each other without a
            // pause.
            tokio::time::sleep(took).await;
        }
        Ok(count)
    }

    /// Waits until there may be something to claim: after a wake-up, the poll interval, or as soon
    /// as the end of an item lets a busy account have more.
    async fn wait<Q: JobQueue>(
        &mut self,
        app: &App,
        stop: &CancellationToken,
        failure_pause: Option<Duration>,
    ) {
        let now = Instant::now();
        let is_any_busy =
            self.free_slots() == 0 || !self.accounts_above(GUARANTEED_PER_ACCOUNT).is_empty();
        let poll = if is_any_busy {
            BUSY_POLL_INTERVAL
        } else {
            POLL_INTERVAL
        };
        let mut until = now + failure_pause.unwrap_or(poll);
        if failure_pause.is_none() {
            until = until.max(self.next_scan::<Q>(app, now));
        }
        let notifiers = &app.inner().notifiers;
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep_until(until) => return,
                () = Q::notifier(notifiers).notified(), if failure_pause.is_none() && !is_any_busy => return,
                Some(ended) = self.tasks.join_next_with_id() => {
                    if self.record_end(ended) && failure_pause.is_none() {
                        until = self.next_scan::<Q>(app, Instant::now()).min(until);
                    }
                }
            }
        }
    }

    /// Records the end of an item, successful or not; `true` if an account may now have more.
    fn record_end(&mut self, ended: Result<(task::Id, ()), JoinError>) -> bool {
        let before = self.limits_reached();
        let task = match ended {
            Ok((task, ())) => task,
            Err(error) => {
                warn!(
                    error = &error as &dyn std::error::Error,
                    "a job task failed"
                );
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
        self.limits_reached() != before
    }

    /// Number of limits that keep an account from having more; each end lowers it or leaves it
    /// unchanged.
    fn limits_reached(&self) -> usize {
        let full = usize::from(self.free_slots() == 0);
        full + self.accounts_above(GUARANTEED_PER_ACCOUNT).len()
            + self.accounts_above(self.fair_share()).len()
    }

    /// Starts a cooldown after an empty scan that took this long and passed over these accounts.
    fn start_cooldown(&mut self, took: Duration, passed_over: Vec<AccountName>) {
        let until = Instant::now() + (took * EMPTY_SCAN_COOLDOWN).min(FAILURE_PAUSE);
        self.cooldown = Some(Cooldown { until, passed_over });
    }

    /// The end of the cooldown for scans that pass over these accounts, if one is running.
    fn cooldown_until(&self, busy: &[AccountName], now: Instant) -> Option<Instant> {
        let cooldown = self.cooldown.as_ref()?;
        let covers_all = cooldown
            .passed_over
            .iter()
            .all(|account| busy.contains(account));
        (covers_all && now < cooldown.until).then_some(cooldown.until)
    }

    /// When the next claim may pass over busy accounts; `now` if at once.
    fn next_scan<Q: JobQueue>(&self, app: &App, now: Instant) -> Instant {
        let served = self.cooldown_until(
            &self.excluded_accounts::<Q>(app, GUARANTEED_PER_ACCOUNT),
            now,
        );
        let busy = self.cooldown_until(&self.excluded_accounts::<Q>(app, self.fair_share()), now);
        served.zip(busy).map_or(now, |(one, other)| one.min(other))
    }

    /// The accounts whose items are not claimed now, if each may have this number.
    fn excluded_accounts<Q: JobQueue>(&self, app: &App, limit: usize) -> Vec<AccountName> {
        let mut accounts = self.accounts_above(limit);
        accounts.extend(Q::unavailable_accounts(app));
        accounts.sort_unstable();
        accounts.dedup();
        accounts
    }

    fn free_slots(&self) -> usize {
        MAX_IN_PROGRESS.saturating_sub(self.accounts.len())
    }

    /// Number of items that each account may have in progress now.
    fn fair_share(&self) -> usize {
        if self.accounts.len() >= SHARED_CAPACITY {
            return GUARANTEED_PER_ACCOUNT;
        }
        (SHARED_CAPACITY / self.counts.len().max(1)).max(GUARANTEED_PER_ACCOUNT)
    }

    /// The accounts that a full claim could bring over this number of items.
    fn accounts_above(&self, limit: usize) -> Vec<AccountName> {
        let most = limit.saturating_sub(usize::try_from(CLAIM_LIMIT).unwrap_or(limit));
        let accounts_above = self.counts.iter().filter(|(_, held)| **held > most);
        let mut accounts_above: Vec<AccountName> =
            accounts_above.map(|(account, _)| account.clone()).collect();
        accounts_above.sort_unstable();
        accounts_above
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> AccountName {
        AccountName::from_text(text.to_owned())
    }

    /// Adds this many items of the account, none of which ends by itself.
    fn add_items(pool: &mut WorkerPool, account: &AccountName, items: usize) {
        for _ in 0..items {
            let task = pool.tasks.spawn(std::future::pending());
            pool.accounts.insert(task.id(), account.clone());
        }
        *pool.counts.entry(account.clone()).or_default() += items;
    }

    #[tokio::test]
    async fn a_panicking_item_frees_its_slot() {
        let mut pool = WorkerPool::default();
        let account = name("simulator/default");
        add_items(&mut pool, &account, SHARED_CAPACITY - 15);
        assert_eq!(pool.accounts_above(pool.fair_share()), [account]);
        pool.tasks.abort_all();
        let ended = pool.tasks.join_next_with_id().await.unwrap();
        assert!(pool.record_end(ended), "the account can start more items");
        assert_eq!(pool.accounts_above(pool.fair_share()), []);
        assert_eq!(pool.free_slots(), MAX_IN_PROGRESS - SHARED_CAPACITY + 16);
    }

    #[tokio::test]
    async fn shared_capacity_is_split_equally_among_accounts() {
        let (one, two, three) = (name("a/1"), name("a/2"), name("a/3"));
        let mut pool = WorkerPool::default();
        add_items(&mut pool, &one, SHARED_CAPACITY - 16);
        assert_eq!(
            pool.accounts_above(pool.fair_share()),
            [],
            "a whole claim fits"
        );
        add_items(&mut pool, &two, 1);
        assert_eq!(pool.fair_share(), SHARED_CAPACITY / 2);
        assert_eq!(
            pool.accounts_above(pool.fair_share()),
            std::slice::from_ref(&one)
        );
        add_items(&mut pool, &one, 15);
        // The shared capacity is used up, and other accounts can still start items.
        assert_eq!(pool.fair_share(), GUARANTEED_PER_ACCOUNT);
        assert_eq!(
            pool.accounts_above(pool.fair_share()),
            std::slice::from_ref(&one)
        );
        add_items(&mut pool, &two, 16);
        add_items(&mut pool, &three, 16);
        assert_eq!(pool.accounts_above(pool.fair_share()), [one, two]);
    }

    #[tokio::test(start_paused = true)]
    async fn an_empty_scan_starts_a_cooldown() {
        let (mut pool, busy) = (WorkerPool::default(), [name("a/slow")]);
        let start = Instant::now();
        let cooldown_until =
            |pool: &WorkerPool, after| pool.cooldown_until(&busy, start + after).is_some();
        assert!(!cooldown_until(&pool, Duration::ZERO));
        pool.start_cooldown(Duration::from_millis(30), busy.to_vec());
        assert!(cooldown_until(&pool, Duration::from_millis(299)));
        assert!(!cooldown_until(&pool, Duration::from_millis(300)));
        pool.start_cooldown(Duration::from_secs(5), busy.to_vec());
        assert!(
            !cooldown_until(&pool, FAILURE_PAUSE),
            "a slow store does not count as a long queue"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_cooldown_ends_for_an_account_below_its_limit() {
        let (quick, slow, other) = (name("a/quick"), name("a/slow"), name("a/other"));
        let mut pool = WorkerPool::default();
        let now = Instant::now();
        pool.start_cooldown(Duration::from_millis(30), vec![quick.clone(), slow.clone()]);
        let until = Some(now + Duration::from_millis(300));
        assert_eq!(
            pool.cooldown_until(&[slow.clone(), quick.clone()], now),
            until
        );
        let and_more = [slow.clone(), other, quick];
        assert_eq!(
            pool.cooldown_until(&and_more, now),
            until,
            "all that, and more"
        );
        assert_eq!(
            pool.cooldown_until(&[slow], now),
            None,
            "the quick account can start more items"
        );
        assert_eq!(pool.cooldown_until(&[], now), None);
    }
}
