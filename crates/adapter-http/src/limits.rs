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
/// How often a shopper may pay, and may abandon a challenge, for one session in a minute.
const SHOPPER_PER_MINUTE: u32 = 10;

/// So many requests a second, in bursts of at most so many.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    per_second: NonZeroU32,
    burst: NonZeroU32,
}

impl Rate {
    /// Zero counts as one: nobody can be shut out by a setting.
    pub const fn new(per_second: u32, burst: u32) -> Self {
        Self {
            per_second: at_least_one(per_second),
            burst: at_least_one(burst),
        }
    }

    fn quota(self) -> Quota {
        Quota::per_second(self.per_second).allow_burst(self.burst)
    }

    /// In how many seconds an empty bucket is full again.
    fn window(self) -> u32 {
        self.burst.get().div_ceil(self.per_second.get())
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
        let reset = used.div_ceil(rate.per_second.get());
        let policy = format!("\"key\";q={};w={}", rate.burst, rate.window());
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
        let shopper = Quota::per_minute(at_least_one(SHOPPER_PER_MINUTE));
        Self {
            keys: KeyLimits {
                rate: per_key,
                cells: cells(per_key.quota()),
                last: Mutex::default(),
            },
            addresses: Bounded::new(per_address.quota(), Address::Crowd),
            shoppers: Bounded::new(shopper, None),
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
        let Rate { per_second, burst } = self.rate;
        let remaining = last.get(&key).map_or(burst.get(), |(remaining, at)| {
            let millis = u32::try_from(at.elapsed().as_millis()).unwrap_or(u32::MAX);
            let refilled = per_second.get().saturating_mul(millis) / 1000;
            remaining.saturating_add(refilled).min(burst.get())
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

    fn header(standing: Standing, name: &str) -> String {
        let mut headers = HeaderMap::new();
        standing.write(&mut headers);
        headers.get(name).unwrap().to_str().unwrap().to_owned()
    }

    #[test]
    fn a_key_has_its_burst_and_others_are_not_touched() {
        let limits = Limits::new(Rate::new(1, 3), Rate::new(1, 1));
        let key = ApiKeyId::from_parts(at(), [1; 10]);
        let other = ApiKeyId::from_parts(at(), [2; 10]);
        for left in [2, 1, 0] {
            let (counted, standing) = limits.count(key);
            assert_eq!((counted, standing.remaining), (Ok(()), left));
        }
        let (counted, standing) = limits.count(key);
        assert_eq!(counted, Err(Wait(1)));
        assert_eq!(header(standing, "ratelimit-policy"), "\"key\";q=3;w=3");
        assert_eq!(header(standing, "ratelimit"), "\"key\";r=0;t=3");
        assert_eq!(limits.standing(key).remaining, 0, "asking counts nothing");
        assert_eq!(limits.standing(other).remaining, 3);
        assert_eq!(limits.count(other).0, Ok(()));
    }

    #[test]
    fn a_shopper_has_ten_of_each_act() {
        let limits = Limits::new(Rate::new(1, 1), Rate::new(1, 1));
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
        let limits = Limits::new(Rate::new(1, 1), Rate::new(1, 5));
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
