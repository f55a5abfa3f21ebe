//! Health and metrics.

use crate::support::{TestApp, get, ops, send_head, start};

#[actix_web::test]
async fn health_readiness_and_metrics_are_served() {
    let app = TestApp::start().await;
    let ops = ops(None);
    let address = start(ops.clone(), &[]);
    assert_eq!(get(address, "/healthz").await.status, 200);
    let waiting = get(address, "/readyz").await;
    assert_eq!(waiting.status, 503);
    assert!(
        waiting
            .text()
            .contains(r#""reason":"waiting_for_database""#)
    );
    ops.attach_store(app.app.clone(), None);
    assert_eq!(get(address, "/readyz").await.status, 200);
    assert_eq!(get(address, "/metrics").await.text(), "requests_total 7\n");
    let home = get(address, "/").await;
    assert_eq!((home.status, home.header("location")), (308, Some("/ops/")));
    assert_eq!(
        get(address, "/v1/refunds").await.status,
        404,
        "nothing else"
    );
    let head = send_head(address, "HEAD /readyz HTTP/1.1\r\nHost: localhost").await;
    assert_eq!((head.status, head.text()), (200, ""));
    ops.mark_stopping();
    let stopping = get(address, "/readyz").await;
    assert_eq!(stopping.status, 503);
    assert!(stopping.text().contains(r#""reason":"stopping""#));
    assert_eq!(
        get(address, "/healthz").await.status,
        200,
        "the process is not live"
    );
}
