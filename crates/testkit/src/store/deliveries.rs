//! Selection of deliveries for workers.

use std::collections::HashMap;

use oncharge_domain::{
    id::{EventId, MerchantId},
    time::Timestamp,
};
use oncharge_ports::work_queue::DeliveryClaimFilter;

use super::state::{DeliveryRow, State, is_held};

impl State {
    /// Deliveries due at `now` and not leased at `clock`, oldest first and fair across merchants.
    pub(super) fn due_deliveries(
        &self,
        now: Timestamp,
        filter: &DeliveryClaimFilter,
    ) -> Vec<(EventId, MerchantId)> {
        let fits = |row: &DeliveryRow| {
            !is_held(row.claim, now)
                && !filter.busy.contains(&row.delivery.merchant)
                && !self.is_blocked_by_earlier(row)
        };
        let mut due: Vec<(Timestamp, EventId, MerchantId)> = self
            .deliveries
            .iter()
            .filter_map(|(id, row)| Some((row.next_try_at?, *id, row)))
            .filter(|(at, _, row)| *at <= now && fits(row))
            .map(|(at, id, row)| (at, id, row.delivery.merchant))
            .collect();
        due.sort_unstable();
        let mut taken: HashMap<MerchantId, u32> = HashMap::new();
        due.retain(|(_, _, merchant)| {
            let count = taken.entry(*merchant).or_default();
            *count += 1;
            *count <= filter.per_merchant
        });
        due.truncate(filter.limit as usize);
        let pair = |(_, event, merchant)| (event, merchant);
        due.into_iter().map(pair).collect()
    }
}
