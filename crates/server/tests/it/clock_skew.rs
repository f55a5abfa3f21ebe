//! Two nodes, one of which has a clock that differs from the database's.

use tokio_postgres::NoTls;

use crate::support::{Cluster, Database};

/// Replaces `now()` in connections with [`SEARCH_PATH`]: the database's time plus this many
/// seconds.
const SKEWED_CLOCK: &str = "
    CREATE SCHEMA skew;
    CREATE TABLE skew.ahead (seconds double precision NOT NULL);
    INSERT INTO skew.ahead VALUES (12);
    CREATE FUNCTION skew.now() RETURNS timestamptz LANGUAGE sql STABLE AS $$
        SELECT pg_catalog.now() + make_interval(secs => seconds) FROM skew.ahead
    $$";
const SEARCH_PATH: &str = "options=-c%20search_path%3Dpublic%2Cskew%2Cpg_catalog";
/// Two measurements of the clock, in seconds.
const MEASURED: u64 = 25;

#[tokio::test(flavor = "multi_thread")]
async fn a_node_is_not_ready_while_its_clock_is_off_by_more_than_ten_seconds() {
    let url = Database::Postgres.fresh().await.unwrap();
    let cluster = Cluster::start(Some(url.clone())).await;
    let right = cluster.ready_node(&[]).await;
    let (client, connection) = tokio_postgres::connect(&url, NoTls).await.unwrap();
    tokio::spawn(connection);
    client.batch_execute(SKEWED_CLOCK).await.unwrap();

    let skewed_url = format!("{url}?{SEARCH_PATH}");
    let off = cluster.node(&[("DATABASE__URL", &skewed_url)]);
    off.start();
    off.wait_for_log("its workers are paused").await;
    off.wait_for_status("/readyz", 503, MEASURED).await;
    off.wait_for_log("clock differs from the database's by more than 10 seconds")
        .await;
    let (_, text) = off.ops("/readyz").await.unwrap();
    assert!(text.contains(r#""reason":"clock_skew""#), "{text}");
    let (status, text) = right.ops("/readyz").await.unwrap();
    assert_eq!(status, 200, "{text}");
    // The node pauses its workers; the other node executes the work.
    let shop = cluster.merchant(&right);
    shop.captured().await;

    client
        .batch_execute("UPDATE skew.ahead SET seconds = 0")
        .await
        .unwrap();
    off.wait_for_status("/readyz", 200, MEASURED).await;
}
