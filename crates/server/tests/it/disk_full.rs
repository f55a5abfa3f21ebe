//! The disk of the embedded database is full: requests are refused with an error, and no data is
//! lost.

use diesel::{
    Connection, QueryableByName, RunQueryDsl, SqliteConnection, sql_query, sql_types::Text,
};
use serde_json::json;

use crate::support::{Cluster, shop::order};

/// Maximum size of a file, in KiB: enough for the initial data, not for a thousand sessions.
const LIMIT: u64 = 1024;

#[derive(QueryableByName)]
struct Check {
    #[diesel(sql_type = Text)]
    integrity_check: String,
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_refuses_and_loses_nothing() {
    let cluster = Cluster::start(None).await;
    // The log would fill its own file as well, which this test is not about.
    let node = cluster.ready_node(&[("LOG__FILTER", "warn")]).await;
    let shop = cluster.merchant(&node);
    assert!(node.terminate().0.success());

    node.start_with_file_size_limit(LIMIT);
    node.ready().await;
    let mut acknowledged = Vec::new();
    let padding = "x".repeat(400);
    let metadata: serde_json::Map<_, _> = (0..20)
        .map(|number| (format!("member-{number}"), json!(padding)))
        .collect();
    let full = loop {
        let more = json!({ "reference": "big", "metadata": metadata });
        let response = shop.post("/v1/checkout/sessions", &order(more)).await;
        if response.status != 201 {
            break response;
        }
        acknowledged.push(response.json()["session_id"].as_str().unwrap().to_owned());
        assert!(
            acknowledged.len() < 2000,
            "the disk is not full after 2000 sessions"
        );
    };
    assert!(!acknowledged.is_empty());
    assert_eq!(full.expect(503)["error"], "busy", "{full:?}");
    // The server stays up, serves reads, and refuses further writes.
    let (alive, _) = node.ops("/healthz").await.unwrap();
    assert_eq!(alive, 200);
    let last = acknowledged.last().unwrap();
    assert_eq!(shop.session(last).await["status"], "created");
    let again = json!({ "reference": "big", "metadata": metadata });
    let again = shop.post("/v1/checkout/sessions", &order(again)).await;
    assert_eq!(again.status, 503, "{again:?}");
    let log = node.log();
    let reasons = ["disk I/O error", "disk is full"];
    assert!(reasons.iter().any(|text| log.contains(text)), "{log}");
    assert!(node.terminate().0.success());

    // After the restart the limit is gone.
    let file = node.dir.join(".oncharge/oncharge.db");
    node.start();
    node.ready().await;
    for id in &acknowledged {
        assert_eq!(shop.session(id).await["status"], "created");
    }
    let refused = shop.get("/v1/checkout/sessions?limit=1").await.expect(200);
    let newest = refused["data"][0]["session_id"].as_str().unwrap();
    assert_eq!(newest, last, "a refused session is stored");
    shop.create(json!({})).await;
    let mut connection = SqliteConnection::establish(file.to_str().unwrap()).unwrap();
    let found: Vec<Check> = sql_query("PRAGMA integrity_check")
        .load(&mut connection)
        .unwrap();
    let found: Vec<_> = found
        .iter()
        .map(|row| row.integrity_check.as_str())
        .collect();
    assert_eq!(found, ["ok"]);
}
