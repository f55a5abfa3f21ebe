//! A backlog of one merchant, whose endpoint is down, does not delay other merchants.

use std::{collections::BTreeMap, time::Duration};

use diesel::connection::SimpleConnection;
use oncharge_domain::id::MerchantId;
use oncharge_ports::{WorkQueue, work_queue::DeliveryClaimFilter};

use crate::fixture::Fixture;

/// Creates older due deliveries of another merchant, in sessions with three events each.
const BACKLOG: &str = "PRAGMA foreign_keys = OFF;
    WITH RECURSIVE number (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM number WHERE n < 19999)
    INSERT INTO deliveries (event_id, session_id, merchant_id, sequence, endpoint_id, url, state,
        attempts, failures, round, created_at, next_try_at)
    SELECT randomblob(16), CAST(printf('%016d', n / 3) AS BLOB), zeroblob(16), n % 3 + 1,
        zeroblob(16), 'https://slow.example.com/', 'pending', 0, 0, 0, n, n FROM number";

#[tokio::test]
async fn a_merchants_backlog_does_not_delay_another_merchant() {
    let fixture = Fixture::new().await;
    fixture.raw().batch_execute(BACKLOG).unwrap();
    let slow = MerchantId::from_uuid(uuid::Uuid::nil());
    let late = fixture.build.now().plus_seconds(9999);
    let claim = async |busy: Vec<MerchantId>| {
        let wanted = DeliveryClaimFilter {
            limit: 10,
            per_merchant: 4,
            busy,
        };
        let lease = Duration::from_secs(60);
        let claimed = fixture.at(late).claim_deliveries(&wanted, lease).await;
        let mut by_merchant: BTreeMap<MerchantId, u32> = BTreeMap::new();
        for delivery in claimed.unwrap() {
            *by_merchant.entry(delivery.merchant).or_default() += 1;
        }
        by_merchant
    };
    let own = fixture.merchant.id;
    let first = claim(Vec::new()).await;
    assert_eq!(first, BTreeMap::from([(slow, 4), (own, 1)]));
    // Leased deliveries are skipped, and only the first event of each session is claimed.
    assert_eq!(claim(Vec::new()).await, BTreeMap::from([(slow, 4)]));
    assert_eq!(claim(vec![slow]).await, BTreeMap::new());
}
