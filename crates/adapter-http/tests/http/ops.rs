//! The operators' server.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use oncharge_adapter_http::{Ops, serve_ops};

use crate::support::raw;

#[actix_web::test]
async fn it_says_whether_it_lives_is_ready_and_what_it_has_done() {
    let is_ready = Arc::new(AtomicBool::new(true));
    let asked = Arc::clone(&is_ready);
    let ops = Ops {
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
        app: Arc::new(|| None),
    };
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    actix_web::rt::spawn(serve_ops(ops, listener).unwrap());
    let get = async |path: &str| {
        let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        raw(address, request.as_bytes()).await
    };
    assert_eq!(get("/healthz").await.status, 200);
    assert_eq!(get("/readyz").await.status, 200);
    assert_eq!(get("/metrics").await.text(), "requests_total 7\n");
    assert_eq!(get("/v1/refunds").await.status, 404, "nothing else");
    is_ready.store(false, Ordering::SeqCst);
    let answer = get("/readyz").await;
    assert_eq!(answer.status, 503);
    assert!(
        !answer.text().contains("stopping"),
        "the reason is for the log"
    );
    assert_eq!(get("/healthz").await.status, 200, "alive all the same");
}
