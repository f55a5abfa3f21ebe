//! The operators' server.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use oncharge_adapter_http::Ops;

use crate::support::view::{ask, ops, serve};

#[actix_web::test]
async fn it_says_whether_it_lives_is_ready_and_what_it_has_done() {
    let is_ready = Arc::new(AtomicBool::new(true));
    let asked = Arc::clone(&is_ready);
    let address = serve(Ops {
        ready: Arc::new(move || {
            let ready = asked.load(Ordering::SeqCst);
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
        ask(address, &head).await
    };
    assert_eq!(get("/healthz").await.status, 200);
    assert_eq!(get("/readyz").await.status, 200);
    assert_eq!(get("/metrics").await.text(), "requests_total 7\n");
    let home = get("/").await;
    assert_eq!((home.status, home.header("location")), (308, Some("/ops/")));
    assert_eq!(get("/v1/refunds").await.status, 404, "nothing else");
    let head = ask(address, "HEAD /readyz HTTP/1.1\r\nHost: localhost").await;
    assert_eq!((head.status, head.text()), (200, ""));
    is_ready.store(false, Ordering::SeqCst);
    let answer = get("/readyz").await;
    assert_eq!(answer.status, 503);
    assert!(
        !answer.text().contains("stopping"),
        "the reason is for the log"
    );
    assert_eq!(get("/healthz").await.status, 200, "alive all the same");
}
