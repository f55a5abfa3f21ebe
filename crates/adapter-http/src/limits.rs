//! How often somebody may call: GCRA limits for each API key, address and session.

pub(crate) mod address;

use std::{
    collections::HashMap,
    hash::Hash,
    num::NonZeroU32,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue};
use governor::{
    Quota, RateLimiter,
    clock::{Clock as _, DefaultClock},
    middleware::StateInformationMiddleware,
    state::keyed::DefaultKeyedStateStore,
};
use oncharge_domain::id::{ApiKeyId, SessionId};

use self::address::Address;

/// How many addresses, and how many sessions, are told apart at most; the rest share one count.
const TABLE: usize = 50_000;
/// How often a shopper may pay, and may abandon a challenge, for one session: 10 a minute.
const SHOPPER: Rate = Rate::one_in(Duration::from_secs(6), 10);

/// How often somebody may call: in bursts of at most so many, filled up again one by one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    burst: NonZeroU32,
    one_in: Duration,
}

impl Rate {
    /// So many a second. Zero counts as one: nobody can be shut out by a setting.
    pub const fn per_second(number: u32, burst: u32) -> Self {
        let time = Duration::from_secs(1).checked_div(at_least_one(number).get());
        // Nothing is divided by zero here.
        Self::one_in(
            match time {
                Some(time) => time,
                None => Duration::ZERO,
            },
            burst,
        )
    }

    /// One in so much time, in bursts of at most so many.
    pub const fn one_in(time: Duration, burst: u32) -> Self {
        Self {
            burst: at_least_one(burst),
            one_in: time,
        }
    }

    fn quota(self) -> Quota {
        // Without time between two there is nothing to limit; a burst of all there is says that.
        let quota = Quota::with_period(self.one_in);
        quota.map_or(Quota::per_second(NonZeroU32::MAX), |quota| {
            quota.allow_burst(self.burst)
        })
    }

    /// In how many seconds so many come back.
    fn seconds_for(self, number: u32) -> u64 {
        let millis = self.one_in.saturating_mul(number).as_millis();
        u64::try_from(millis.div_ceil(1000)).unwrap_or(u64::MAX)
    }

    /// How many come back in so much time.
    fn filled_in(self, time: Duration) -> u32 {
        let number = time.as_nanos() / self.one_in.as_nanos().max(1);
        u32::try_from(number).unwrap_or(u32::MAX)
    }
}

const fn at_least_one(number: u32) -> NonZeroU32 {
    match NonZeroU32::new(number) {
        Some(number) => number,
        None => NonZeroU32::MIN,
    }
}

/// Where an API key stands, for the headers of the IETF draft
/// (draft-ietf-httpapi-ratelimit-headers).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Standing {
    rate: Rate,
    remaining: u32,
}

impl Standing {
    /// Writes `RateLimit-Policy` and `RateLimit`.
    pub(crate) fn write(self, headers: &mut HeaderMap) {
        let Self { rate, remaining } = self;
        let used = rate.burst.get().saturating_sub(remaining);
        let (window, reset) = (rate.seconds_for(rate.burst.get()), rate.seconds_for(used));
        let policy = format!("\"key\";q={};w={window}", rate.burst);
        let limit = format!("\"key\";r={remaining};t={reset}");
        for (name, value) in [("ratelimit-policy", policy), ("ratelimit", limit)] {
            if let Ok(value) = HeaderValue::try_from(value) {
                headers.insert(HeaderName::from_static(name), value);
            }
        }
    }
}

/// The next request is welcome in so many seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Wait(pub(crate) u64);

/// What a shopper's call does; each is counted by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Act {
    /// Pays.
    Pay,
    /// Gives up a challenge.
    Abandon,
}

/// All limits of the API server.
pub(crate) struct Limits {
    keys: KeyLimits,
    addresses: Bounded<Address>,
    shoppers: Bounded<Option<(SessionId, Act)>>,
}

impl Limits {
    pub(crate) fn new(per_key: Rate, per_address: Rate) -> Self {
        Self {
            keys: KeyLimits {
                rate: per_key,
                cells: cells(per_key.quota()),
                last: Mutex::default(),
            },
            addresses: Bounded::new(per_address.quota(), Address::Crowd),
            shoppers: Bounded::new(SHOPPER.quota(), None),
        }
    }

    /// Counts a request under this key; the second is where the key stands now.
    pub(crate) fn count(&self, key: ApiKeyId) -> (Result<(), Wait>, Standing) {
        self.keys.count(key)
    }

    /// Where a key stands, without counting anything.
    pub(crate) fn standing(&self, key: ApiKeyId) -> Standing {
        self.keys.standing(key)
    }

    /// Counts a failed request from this address.
    pub(crate) fn count_failure(&self, address: Address) -> Result<(), Wait> {
        self.addresses.count(address)
    }

    /// Counts a shopper's act on this session.
    pub(crate) fn count_act(&self, session: SessionId, act: Act) -> Result<(), Wait> {
        self.shoppers.count(Some((session, act)))
    }
}

type Cells<K> = RateLimiter<K, DefaultKeyedStateStore<K>, DefaultClock, StateInformationMiddleware>;

fn cells<K: Clone + Hash + Eq>(quota: Quota) -> Cells<K> {
    RateLimiter::keyed(quota).with_middleware()
}

fn count<K: Clone + Hash + Eq>(cells: &Cells<K>, key: &K) -> Result<u32, Wait> {
    match cells.check_key(key) {
        Ok(state) => Ok(state.remaining_burst_capacity()),
        Err(not_yet) => {
            let wait = not_yet.wait_time_from(cells.clock().now());
            Err(Wait(wait.as_secs().saturating_add(1)))
        }
    }
}

/// The limits of API keys. Only keys that exist come in here, so that the table needs no bound.
struct KeyLimits {
    rate: Rate,
    cells: Cells<ApiKeyId>,
    /// How much was left when a key was last counted: governor cannot be asked without counting.
    last: Mutex<HashMap<ApiKeyId, (u32, Instant)>>,
}

impl KeyLimits {
    fn count(&self, key: ApiKeyId) -> (Result<(), Wait>, Standing) {
        let counted = count(&self.cells, &key);
        let remaining = counted.unwrap_or(0);
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        last.insert(key, (remaining, Instant::now()));
        (
            counted.map(drop),
            Standing {
                rate: self.rate,
                remaining,
            },
        )
    }

    fn standing(&self, key: ApiKeyId) -> Standing {
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let burst = self.rate.burst.get();
        let remaining = last.get(&key).map_or(burst, |(remaining, at)| {
            let filled = self.rate.filled_in(at.elapsed());
            remaining.saturating_add(filled).min(burst)
        });
        Standing {
            rate: self.rate,
            remaining,
        }
    }
}

/// Limits of keys that anybody can make up: beyond [`TABLE`] of them the new ones share one count,
/// so that memory does not grow with an attack.
struct Bounded<K: Clone + Hash + Eq> {
    cells: Cells<K>,
    shared: K,
    swept_at: Mutex<Instant>,
}

impl<K: Clone + Hash + Eq> Bounded<K> {
    fn new(quota: Quota, shared: K) -> Self {
        Self {
            cells: cells(quota),
            shared,
            swept_at: Mutex::new(Instant::now()),
        }
    }

    fn count(&self, key: K) -> Result<(), Wait> {
        if self.cells.len() >= TABLE {
            self.sweep();
        }
        let key = if self.cells.len() < TABLE {
            key
        } else {
            self.shared.clone()
        };
        count(&self.cells, &key).map(drop)
    }

    /// Forgets whose count has run off, at most once a second: a sweep walks the whole table.
    fn sweep(&self) {
        let mut swept_at = self.swept_at.lock().unwrap_or_else(PoisonError::into_inner);
        if swept_at.elapsed() >= Duration::from_secs(1) {
            self.cells.retain_recent();
            *swept_at = Instant::now();
        }
    }
}

#[cfg(test)]
mod tests {
    use oncharge_domain::time::Timestamp;

    use super::*;

    fn at() -> Timestamp {
        Timestamp::from_unix_seconds(1_795_360_150).unwrap()
    }

    /// So slow that nothing comes back while a test runs.
    fn slow(burst: u32) -> Rate {
        Rate::one_in(Duration::from_secs(3600), burst)
    }

    fn header(standing: Standing, name: &str) -> String {
        let mut headers = HeaderMap::new();
        standing.write(&mut headers);
        headers.get(name).unwrap().to_str().unwrap().to_owned()
    }

    #[test]
    fn a_key_has_its_burst_and_others_are_not_touched() {
        let limits = Limits::new(slow(3), slow(1));
        let key = ApiKeyId::from_parts(at(), [1; 10]);
        let other = ApiKeyId::from_parts(at(), [2; 10]);
        for left in [2, 1, 0] {
            let (counted, standing) = limits.count(key);
            assert_eq!((counted, standing.remaining), (Ok(()), left));
        }
        let (counted, standing) = limits.count(key);
        assert!(counted.is_err());
        assert_eq!(header(standing, "ratelimit-policy"), "\"key\";q=3;w=10800");
        assert_eq!(header(standing, "ratelimit"), "\"key\";r=0;t=10800");
        assert_eq!(limits.standing(key).remaining, 0, "asking counts nothing");
        assert_eq!(limits.standing(other).remaining, 3);
        assert_eq!(limits.count(other).0, Ok(()));
    }

    #[test]
    fn a_shopper_has_ten_of_each_act() {
        let limits = Limits::new(slow(1), slow(1));
        let session = SessionId::from_parts(at(), [1; 10]);
        for act in [Act::Pay, Act::Abandon] {
            for _ in 0..10 {
                assert_eq!(limits.count_act(session, act), Ok(()));
            }
            assert!(limits.count_act(session, act).is_err(), "{act:?}");
        }
        let other = SessionId::from_parts(at(), [2; 10]);
        assert_eq!(limits.count_act(other, Act::Pay), Ok(()));
    }

    #[test]
    fn the_table_of_addresses_is_bounded() {
        let limits = Limits::new(slow(1), slow(5));
        for number in 0..u64::try_from(TABLE).unwrap() + 1000 {
            let _ = limits.count_failure(Address::V6Net(number));
        }
        assert!(limits.addresses.cells.len() <= TABLE + 1);
        assert!(
            limits.count_failure(Address::V6Net(u64::MAX)).is_err(),
            "the crowd shares"
        );
    }
}
