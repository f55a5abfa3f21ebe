//! Rate limits: GCRA limits for each API key, address and session.

pub(crate) mod address;
mod buckets;

use std::{
    num::NonZeroU32,
    time::{Duration, Instant},
};

use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue};
use oncharge_domain::id::{ApiKeyId, MerchantId, SessionId};

use self::{address::Address, buckets::Buckets};

/// Limit for payments and for abandoned challenges per session, and for endpoint tests per
/// merchant.
const TEN_A_MINUTE: Rate = Rate::every(Duration::from_secs(6), 10);

/// A rate with a burst size; permits are replenished one by one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    burst: NonZeroU32,
    every: Duration,
}

impl Rate {
    /// This many permits per second. Zero counts as one, so that no setting blocks everyone.
    pub const fn per_second(number: u32, burst: u32) -> Self {
        let time = Duration::from_secs(1).checked_div(at_least_one(number).get());
        // The divisor is at least one.
        Self::every(
            match time {
                Some(time) => time,
                None => Duration::ZERO,
            },
            burst,
        )
    }

    /// One permit per `time`, in bursts of at most `burst`.
    pub const fn every(time: Duration, burst: u32) -> Self {
        Self {
            burst: at_least_one(burst),
            every: time,
        }
    }

    /// The time in which an empty bucket fills up.
    fn capacity(self) -> Duration {
        self.every.saturating_mul(self.burst.get())
    }

    /// Seconds until this many permits are replenished.
    fn replenish_seconds(self, number: u32) -> u64 {
        let millis = self.every.saturating_mul(number).as_millis();
        u64::try_from(millis.div_ceil(1000)).unwrap_or(u64::MAX)
    }

    /// The number of permits in a bucket that is full again after this time.
    fn permits(self, full_in: Duration) -> u32 {
        let filled = self.capacity().saturating_sub(full_in).as_nanos();
        let number = filled.checked_div(self.every.as_nanos());
        let burst = self.burst.get();
        number.map_or(burst, |number| u32::try_from(number).unwrap_or(burst))
    }
}

const fn at_least_one(number: u32) -> NonZeroU32 {
    match NonZeroU32::new(number) {
        Some(number) => number,
        None => NonZeroU32::MIN,
    }
}

/// An API key's remaining quota, for the headers of the IETF draft
/// (draft-ietf-httpapi-ratelimit-headers).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RateLimitStatus {
    rate: Rate,
    remaining: u32,
}

impl RateLimitStatus {
    /// Writes `RateLimit-Policy` and `RateLimit`.
    pub(crate) fn write_headers(self, headers: &mut HeaderMap) {
        let Self { rate, remaining } = self;
        let used = rate.burst.get().saturating_sub(remaining);
        let (window, reset) = (
            rate.replenish_seconds(rate.burst.get()),
            rate.replenish_seconds(used),
        );
        let policy = format!("\"key\";q={};w={window}", rate.burst);
        let limit = format!("\"key\";r={remaining};t={reset}");
        for (name, value) in [("ratelimit-policy", policy), ("ratelimit", limit)] {
            if let Ok(value) = HeaderValue::try_from(value) {
                headers.insert(HeaderName::from_static(name), value);
            }
        }
    }
}

/// Seconds until the next request is permitted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RetryAfter(pub(crate) u64);

/// A rate-limited action of the shopper; each is counted separately.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum ShopperAction {
    /// Pay.
    Pay,
    /// Abandon a challenge.
    Abandon,
}

/// All rate limits of the API server.
pub(crate) struct Limits {
    per_key: Rate,
    keys: Buckets<Option<ApiKeyId>>,
    addresses: Buckets<Address>,
    shoppers: Buckets<Option<(SessionId, ShopperAction)>>,
    endpoint_tests: Buckets<Option<MerchantId>>,
}

impl Limits {
    pub(crate) fn new(per_key: Rate, per_address: Rate) -> Self {
        Self {
            per_key,
            keys: Buckets::new(per_key, None),
            addresses: Buckets::new(per_address, Address::Shared),
            shoppers: Buckets::new(TEN_A_MINUTE, None),
            endpoint_tests: Buckets::new(TEN_A_MINUTE, None),
        }
    }

    /// Counts a request under this key; also returns the key's quota afterwards.
    pub(crate) fn count(&self, key: ApiKeyId) -> (Result<(), RetryAfter>, RateLimitStatus) {
        let permitted = self.keys.take(Some(key), Instant::now());
        let rate_limit_status = RateLimitStatus {
            rate: self.per_key,
            remaining: permitted.unwrap_or(0),
        };
        (permitted.map(drop), rate_limit_status)
    }

    /// The wait of an address that has exhausted its failed requests. Counts nothing.
    pub(crate) fn failure_wait(&self, address: Address) -> Option<RetryAfter> {
        self.addresses.wait(address, Instant::now())
    }

    /// Counts a failed request from this address.
    pub(crate) fn count_failure(&self, address: Address) -> Result<(), RetryAfter> {
        self.addresses.take(address, Instant::now()).map(drop)
    }

    /// Counts an action of the shopper on this session.
    pub(crate) fn count_shopper_action(
        &self,
        session: SessionId,
        action: ShopperAction,
    ) -> Result<(), RetryAfter> {
        let key = Some((session, action));
        self.shoppers.take(key, Instant::now()).map(drop)
    }

    /// Counts a merchant's test of its webhook endpoint.
    pub(crate) fn count_endpoint_test(&self, merchant: MerchantId) -> Result<(), RetryAfter> {
        let tests = &self.endpoint_tests;
        tests.take(Some(merchant), Instant::now()).map(drop)
    }
}

#[cfg(test)]
mod tests {
    use oncharge_domain::time::Timestamp;

    use super::*;

    fn at() -> Timestamp {
        Timestamp::from_unix_seconds(1_795_360_150).unwrap()
    }

    /// Slow enough that no permit is replenished during a test.
    fn slow(burst: u32) -> Rate {
        Rate::every(Duration::from_secs(3600), burst)
    }

    fn header(rate_limit_status: RateLimitStatus, name: &str) -> String {
        let mut headers = HeaderMap::new();
        rate_limit_status.write_headers(&mut headers);
        headers.get(name).unwrap().to_str().unwrap().to_owned()
    }

    #[test]
    fn each_key_has_its_own_burst() {
        let limits = Limits::new(slow(3), slow(1));
        let key = ApiKeyId::from_parts(at(), [1; 10]);
        let other = ApiKeyId::from_parts(at(), [2; 10]);
        for remaining in [2, 1, 0] {
            let (permitted, rate_limit_status) = limits.count(key);
            assert_eq!(
                (permitted, rate_limit_status.remaining),
                (Ok(()), remaining)
            );
        }
        let (permitted, rate_limit_status) = limits.count(key);
        assert!(permitted.is_err());
        assert_eq!(
            header(rate_limit_status, "ratelimit-policy"),
            "\"key\";q=3;w=10800"
        );
        assert_eq!(
            header(rate_limit_status, "ratelimit"),
            "\"key\";r=0;t=10800"
        );
        assert_eq!(limits.count(other).0, Ok(()));
    }

    #[test]
    fn shopper_actions_are_limited_separately() {
        let limits = Limits::new(slow(1), slow(1));
        let session = SessionId::from_parts(at(), [1; 10]);
        for action in [ShopperAction::Pay, ShopperAction::Abandon] {
            for _ in 0..10 {
                assert_eq!(limits.count_shopper_action(session, action), Ok(()));
            }
            assert!(
                limits.count_shopper_action(session, action).is_err(),
                "{action:?}"
            );
        }
        let other = SessionId::from_parts(at(), [2; 10]);
        assert_eq!(
            limits.count_shopper_action(other, ShopperAction::Pay),
            Ok(())
        );
    }
}
