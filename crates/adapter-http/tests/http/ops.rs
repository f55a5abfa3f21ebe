//! The operators' server.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use oncharge_adapter_http::Ops;

use crate::support::ops_server::{ops, send_head, serve};

#[actix_web::test]
async fn health_readiness_and_metrics_are_served() {
    let is_ready = Arc::new(AtomicBool::new(true));
    let ready_flag = Arc::clone(&is_ready);
    let address = serve(Ops {
        ready: Arc::new(move || {
            let ready = ready_flag.load(Ordering::SeqCst);
            Box::pin(async move {
                if ready {
                    Ok(())
                } else {
                    Err("stopping".into())
                }
            })
        }),
        metrics: Arc::new(|| Box::pin(async { "requests_total 7\n".to_owned() })),
        ..ops(None)
    });
    let get = async |path: &str| {
        let head = format!("GET {path} HTTP/1.1\r\nHost: localhost");
        send_head(address, &head).await
    };
    assert_eq!(get("/healthz").await.status, 200);
    assert_eq!(get("/readyz").await.status, 200);
    assert_eq!(get("/metrics").await.text(), "requests_total 7\n");
    let home = get("/").await;
    assert_eq!((home.status, home.header("location")), (308, Some("/ops/")));
    assert_eq!(get("/v1/refunds").await.status, 404, "nothing else");
    let head = send_head(address, "HEAD /readyz HTTP/1.1\r\nHost: localhost").await;
    assert_eq!((head.status, head.text()), (200, ""));
    is_ready.store(false, Ordering::SeqCst);
    let response = get("/readyz").await;
    assert_eq!(response.status, 503);
    assert!(
        !response.text().contains("stopping"),
        "the response shows the cause"
    );
    assert_eq!(get("/healthz").await.status, 200, "the process is not live");
}
