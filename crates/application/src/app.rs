//! The application handle: everything that use cases need.

use std::{future::Future, sync::Arc, time::Duration};

use moka::future::Cache;
use oncharge_domain::{
    blocklist::Peppers,
    cursor::Cursors,
    id::{Id, Kind, MerchantId, ShardSlot},
    keyring::Keyring,
    merchant::{ApiKey, ApiKeyHash, Merchant},
    pay_token::PayTokens,
    psp::PspAccount,
    time::Timestamp,
    webhook,
};
use oncharge_ports::{Clock, Connector, Entropy, Presenter, PspRegistry, Store, WebhookSender};
use tokio::{runtime::Handle, task::JoinHandle};
use tokio_util::task::TaskTracker;
use tracing::Instrument as _;

use crate::{
    error::Error,
    hourly_quotas::{BanDisclosureQuota, UnverifiedQuota},
    keys::{ConfiguredKeys, Membership},
    locks::SessionLocks,
    principal::Principal,
    store_clock::StoreClock,
    webhooks::running_tests::RunningTests,
    workers::notifiers::Notifiers,
};

/// How long keys and merchants are cached: a change takes effect within this time.
const CACHE_TTL: Duration = Duration::from_secs(1);

/// How long an API key stays cached for verification after it was last read: long enough to verify
/// its signatures while an address floods the service.
const LAST_KNOWN_TTL: Duration = Duration::from_secs(3600);

/// The ports and settings that the use cases are wired to; cheap to clone.
#[derive(Clone)]
pub struct Dependencies {
    /// The store.
    pub store: Store,
    /// PSP accounts.
    pub psps: Arc<dyn PspRegistry>,
    /// The sender of webhooks.
    pub sender: Arc<dyn WebhookSender>,
    /// Rendering of API responses and webhook bodies.
    pub presenter: Arc<dyn Presenter>,
    /// The current time.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub entropy: Arc<dyn Entropy>,
    /// Master keys, from which the keys of pay tokens and cursors are derived.
    pub keys: Keyring,
    /// The blocklist's peppers.
    pub peppers: Keyring,
    /// The deployment's settings.
    pub settings: Settings,
}

/// The deployment's settings for use cases.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Whether this is a sandbox: `http` return URLs to loopback hosts are allowed.
    pub sandbox: bool,
    /// How long a session can be paid, in seconds.
    pub session_ttl_seconds: i64,
    /// How many `global_ban` responses a merchant gets in an hour before bans take effect only at
    /// payment; `None` for no limit.
    pub ban_answers_per_hour: Option<u32>,
    /// Whether the webhook retry schedule runs in real time or accelerated.
    pub webhook_clock: webhook::ScheduleSpeed,
}

impl Default for Settings {
    /// 30 minutes, 100 `global_ban` responses an hour, no sandbox.
    fn default() -> Self {
        Self {
            sandbox: false,
            session_ttl_seconds: 1800,
            ban_answers_per_hour: Some(100),
            webhook_clock: webhook::ScheduleSpeed::Real,
        }
    }
}

/// Everything that use cases need; cheap to clone.
#[derive(Clone)]
pub struct App(Arc<Inner>);

pub(crate) struct Inner {
    pub(crate) store: Store,
    pub(crate) psps: Arc<dyn PspRegistry>,
    pub(crate) sender: Arc<dyn WebhookSender>,
    pub(crate) presenter: Arc<dyn Presenter>,
    pub(crate) clock: StoreClock,
    pub(crate) entropy: Arc<dyn Entropy>,
    pub(crate) pay_tokens: PayTokens,
    pub(crate) cursors: Cursors,
    pub(crate) peppers: Peppers,
    pub(crate) configured_keys: ConfiguredKeys,
    pub(crate) membership: Membership,
    pub(crate) settings: Settings,
    pub(crate) locks: SessionLocks,
    pub(crate) principals: Cache<ApiKeyHash, Option<Arc<Principal>>>,
    pub(crate) last_known: Cache<ApiKeyHash, Arc<Principal>>,
    pub(crate) merchant_cache: Cache<MerchantId, Option<Arc<Merchant>>>,
    pub(crate) signing_keys: Cache<MerchantId, Arc<Vec<ApiKey>>>,
    pub(crate) ban_disclosures: BanDisclosureQuota,
    pub(crate) unverified_quota: UnverifiedQuota,
    pub(crate) running_tests: RunningTests,
    pub(crate) notifiers: Notifiers,
    tasks: TaskTracker,
    /// Runs the tasks; `None` for the caller's.
    runtime: Option<Handle>,
}

impl App {
    /// Wires the use cases. Their tasks run on the Tokio runtime in which this is called, since a
    /// caller's may end before they do: each worker of the HTTP server has a runtime of its own.
    /// Outside a runtime, they run on their caller's.
    pub fn new(with: Dependencies) -> Self {
        Self(Arc::new(Inner {
            pay_tokens: PayTokens::new(&with.keys),
            cursors: Cursors::new(&with.keys),
            peppers: Peppers::new(&with.peppers),
            configured_keys: ConfiguredKeys::of(&with.keys, &with.peppers),
            membership: Membership::default(),
            store: with.store,
            psps: with.psps,
            sender: with.sender,
            presenter: with.presenter,
            clock: StoreClock::new(with.clock),
            entropy: with.entropy,
            settings: with.settings,
            locks: SessionLocks::default(),
            principals: cache(CACHE_TTL),
            last_known: cache(LAST_KNOWN_TTL),
            merchant_cache: cache(CACHE_TTL),
            signing_keys: cache(CACHE_TTL),
            ban_disclosures: BanDisclosureQuota::default(),
            unverified_quota: UnverifiedQuota::default(),
            running_tests: RunningTests::default(),
            notifiers: Notifiers::default(),
            tasks: TaskTracker::new(),
            runtime: Handle::try_current().ok(),
        }))
    }

    /// The current time by the store's clock, corrected as last measured ([`store_clock`]).
    ///
    /// [`store_clock`]: crate::store_clock
    pub fn now(&self) -> Timestamp {
        self.0.clock.now()
    }

    /// By how much this node's clock is ahead of the store's; negative if it is behind.
    pub fn clock_skew(&self) -> time::Duration {
        self.0.clock.ahead()
    }

    /// Whether this node's clock differs so much from the store's (more than 10 s) that it must not
    /// work.
    pub fn is_clock_too_far_off(&self) -> bool {
        self.0.clock.exceeds_max_skew()
    }

    /// The deployment's settings.
    pub fn settings(&self) -> &Settings {
        &self.0.settings
    }

    /// A new id for a merchant, or for something that belongs to no merchant (such as a request).
    pub fn new_id<K: Kind>(&self) -> Id<K> {
        self.0.entropy.id(self.now())
    }

    /// A new id for something that belongs to the merchant of this slot.
    pub(crate) fn new_id_in<K: Kind>(&self, slot: ShardSlot) -> Id<K> {
        self.0.entropy.id_in(slot, self.now())
    }

    pub(crate) fn inner(&self) -> &Inner {
        &self.0
    }

    /// Runs a use case to completion in its own task: a client that resets its connection drops
    /// only the returned future. That future stays small, since the use case's state lives in the
    /// task.
    pub(crate) fn spawn_detached<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T, Error>> + Send + 'static,
    ) -> impl Future<Output = Result<T, Error>> {
        // Its log lines belong to the request that started it.
        let task = self.spawn(work.in_current_span());
        async move {
            match task.await {
                Ok(result) => result,
                Err(failed) => Err(Error::internal(failed)),
            }
        }
    }

    /// The connector of an account; logs a warning if it is not configured, since merchants and
    /// sessions may name accounts that were removed from the configuration.
    pub(crate) fn connector(&self, account: &PspAccount) -> Option<Arc<dyn Connector>> {
        let psp = self.0.psps.account(account);
        if psp.is_none() {
            tracing::warn!(
                psp_account = format!("{}/{}", account.connector(), account.account()),
                "the PSP account is not configured: payments of its merchants fail"
            );
        }
        psp.map(|psp| psp.connector())
    }

    /// Runs work that no request waits for; a clean shutdown waits for it.
    pub(crate) fn spawn_background(&self, work: impl Future<Output = ()> + Send + 'static) {
        self.spawn(work);
    }

    fn spawn<T: Send + 'static>(
        &self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> JoinHandle<T> {
        match &self.0.runtime {
            Some(runtime) => self.0.tasks.spawn_on(work, runtime),
            None => self.0.tasks.spawn(work),
        }
    }

    /// Waits until all running use cases have finished; for a clean shutdown.
    pub async fn drain(&self) {
        self.0.tasks.close();
        self.0.tasks.wait().await;
        self.0.tasks.reopen();
    }

    /// The merchant's keys that can sign a webhook, at most a second old.
    pub(crate) async fn signing_keys(
        &self,
        merchant: MerchantId,
    ) -> Result<Arc<Vec<ApiKey>>, Error> {
        let cache = &self.0.signing_keys;
        if let Some(cached) = cache.get(&merchant).await {
            return Ok(cached);
        }
        let keys = self
            .0
            .store
            .webhooks
            .signing_keys(merchant, self.now())
            .await?;
        let keys = Arc::new(keys);
        cache.insert(merchant, keys.clone()).await;
        Ok(keys)
    }

    /// The merchant, at most a second old.
    pub(crate) async fn merchant(&self, id: MerchantId) -> Result<Arc<Merchant>, Error> {
        let cache = &self.0.merchant_cache;
        if let Some(cached) = cache.get(&id).await {
            return cached.ok_or(Error::NotFound);
        }
        let found = self.0.store.merchants.merchant(id).await?.map(Arc::new);
        cache.insert(id, found.clone()).await;
        found.ok_or(Error::NotFound)
    }
}

/// A cache whose entries expire after this time.
fn cache<K, V>(age: Duration) -> Cache<K, V>
where
    K: std::hash::Hash + Eq + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
{
    Cache::builder()
        .max_capacity(10_000)
        .time_to_live(age)
        .build()
}
