//! Quotas that start anew with each hour.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Mutex, PoisonError},
};

use oncharge_domain::{id::MerchantId, psp::PspAccount, time::Timestamp};

/// The number of unverified notifications stored per hour: per account, and per source address of
/// an account. The first one of each source is stored beyond the account's limit, for at most
/// `MAX_SOURCES` sources, so that a flood from one source does not hide those of another.
const UNVERIFIED_PER_HOUR: u32 = 240;
const UNVERIFIED_PER_SOURCE: u32 = 12;
const MAX_SOURCES: usize = 1000;

/// Limits `global_ban` responses per merchant and hour, so that the API cannot be used to probe the
/// blocklist.
#[derive(Default)]
pub(crate) struct BanDisclosureQuota(Mutex<HashMap<MerchantId, (i64, u32)>>);

impl BanDisclosureQuota {
    /// Whether one more may be given in this hour.
    pub(crate) fn may_disclose(
        &self,
        merchant: MerchantId,
        limit: Option<u32>,
        now: Timestamp,
    ) -> bool {
        let Some(limit) = limit else { return true };
        let hour = now.unix_seconds().div_euclid(3600);
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (counted_hour, count) = counts.entry(merchant).or_insert((hour, 0));
        if *counted_hour != hour {
            (*counted_hour, *count) = (hour, 0);
        }
        *count = count.saturating_add(1);
        *count <= limit
    }
}

/// Counts the unverified notifications that were stored, by account and hour.
#[derive(Default)]
pub(crate) struct UnverifiedQuota(Mutex<HashMap<PspAccount, HourlyCounts>>);

/// The counts of one account in one hour.
#[derive(Default)]
struct HourlyCounts {
    hour: i64,
    all: u32,
    by_source: HashMap<Option<IpAddr>, u32>,
}

impl UnverifiedQuota {
    /// Whether one more may be stored in this hour. The table is bounded, since only configured
    /// accounts occur.
    pub(crate) fn may_store(
        &self,
        account: &PspAccount,
        source: Option<IpAddr>,
        now: Timestamp,
    ) -> bool {
        let hour = now.unix_seconds().div_euclid(3600);
        let mut accounts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let counts = accounts.entry(account.clone()).or_default();
        if counts.hour != hour {
            *counts = HourlyCounts {
                hour,
                ..HourlyCounts::default()
            };
        }
        let of_source = counts.by_source.get(&source).copied().unwrap_or(0);
        let may_store = if of_source == 0 {
            counts.by_source.len() < MAX_SOURCES
        } else {
            of_source < UNVERIFIED_PER_SOURCE && counts.all < UNVERIFIED_PER_HOUR
        };
        if may_store {
            counts.all = counts.all.saturating_add(1);
            counts.by_source.insert(source, of_source.saturating_add(1));
        }
        may_store
    }
}
