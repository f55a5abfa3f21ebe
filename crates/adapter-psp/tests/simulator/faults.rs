//! The result of a call without a response: definitely not sent, or unknown.

use std::time::{Duration, Instant};

use oncharge_domain::psp::{Instruction, PspResponse, RefusalReason};
use oncharge_ports::psp::PspError;
use serde_json::json;

use crate::sandbox::{APPROVED_CARD, Sandbox, account, reference};

#[tokio::test(flavor = "multi_thread")]
async fn refused_connections_are_not_sent() {
    let sandbox = Sandbox::start().await;
    let operation = sandbox.operation();
    let request = sandbox.payment(operation, APPROVED_CARD, false).await;
    // Kept connections, which must not be mistaken for open ones.
    let warm = std::iter::repeat_with(|| sandbox.psp.look_up(operation)).take(4);
    for found in futures_util::future::join_all(warm).await {
        assert_eq!(found.unwrap(), None);
    }
    sandbox
        .set_faults(json!({"refuse_connections_ms": 60_000}))
        .await;
    for _ in 0..6 {
        let result = sandbox.psp.send(&request).await;
        assert!(matches!(result, Err(PspError::NotSent(_))), "{result:?}");
    }
    let result = sandbox.psp.look_up(operation).await;
    assert!(matches!(result, Err(PspError::NotSent(_))), "{result:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_request_succeeds_after_refused_connections() {
    let sandbox = Sandbox::start().await;
    let operation = sandbox.operation();
    let request = sandbox.payment(operation, APPROVED_CARD, false).await;
    sandbox
        .set_faults(json!({"refuse_connections_ms": 50}))
        .await;
    let result = sandbox.psp.send(&request).await;
    assert!(matches!(result, Err(PspError::NotSent(_))), "{result:?}");
    sandbox.clear_faults().await;
    assert_eq!(sandbox.look_up(operation).await, None);
    let response = sandbox.send(&request).await;
    assert!(matches!(response, PspResponse::Done { .. }), "{response:?}");
    assert_eq!(sandbox.ledger().await, [("authorise".to_owned(), 4200)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_closed_port_is_not_sent() {
    let sandbox = Sandbox::start().await;
    let port = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let mut settings = sandbox.settings();
    settings.base_url = format!("http://127.0.0.1:{port}");
    let result = account("nobody", settings)
        .look_up(sandbox.operation())
        .await;
    assert!(matches!(result, Err(PspError::NotSent(_))), "{result:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_lost_after_the_work_is_resolved_by_look_up() {
    let sandbox = Sandbox::start().await;
    let payment = sandbox.authorized().await;
    let operation = sandbox.operation();
    let request = sandbox.prepared(operation, Instruction::Cancel { payment }, None);
    sandbox
        .set_faults(json!({"drop_after_work_rate": 1.0}))
        .await;
    for _ in 0..3 {
        let result = sandbox.psp.send(&request).await;
        assert!(matches!(result, Err(PspError::Unknown(_))), "{result:?}");
    }
    sandbox.clear_faults().await;
    let found = sandbox.look_up(operation).await;
    assert!(matches!(found, Some(PspResponse::Done { .. })), "{found:?}");
    assert_eq!(Some(sandbox.send(&request).await), found);
    let ledger = sandbox.ledger().await;
    assert_eq!(
        ledger,
        [("authorise".to_owned(), 4200), ("void".to_owned(), 4200)]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bare_503_is_unknown() {
    let sandbox = Sandbox::start().await;
    let operation = sandbox.operation();
    let request = sandbox.payment(operation, APPROVED_CARD, false).await;
    sandbox.set_faults(json!({"error_rate": 1.0})).await;
    let result = sandbox.psp.send(&request).await;
    assert!(matches!(result, Err(PspError::Unknown(_))), "{result:?}");
    let result = sandbox.psp.look_up(operation).await;
    assert!(matches!(result, Err(PspError::Unknown(_))), "{result:?}");
    sandbox.clear_faults().await;
    assert_eq!(sandbox.look_up(operation).await, None);
    assert!(matches!(
        sandbox.send(&request).await,
        PspResponse::Done { .. }
    ));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_response_is_awaited() {
    let sandbox = Sandbox::start().await;
    let request = sandbox
        .payment(sandbox.operation(), APPROVED_CARD, false)
        .await;
    sandbox.set_faults(json!({"latency_ms": [150, 150]})).await;
    let started = Instant::now();
    let response = sandbox.send(&request).await;
    assert!(matches!(response, PspResponse::Done { .. }), "{response:?}");
    assert!(started.elapsed() >= Duration::from_millis(150));
}

#[tokio::test(flavor = "multi_thread")]
async fn refusals_by_fault_are_refusals() {
    let sandbox = Sandbox::start().await;
    let payment = sandbox.authorized().await;
    sandbox
        .set_faults(json!({"refuse": ["authorise", "cancel"]}))
        .await;
    let response = sandbox
        .execute(Instruction::Cancel { payment })
        .await
        .unwrap();
    assert_eq!(
        response,
        PspResponse::Refused(RefusalReason::parse("refused_by_fault"))
    );
    let request = sandbox
        .payment(sandbox.operation(), APPROVED_CARD, false)
        .await;
    let response = sandbox.send(&request).await;
    assert_eq!(response, PspResponse::Refused(RefusalReason::CardDeclined));
}

#[tokio::test(flavor = "multi_thread")]
async fn each_operation_moves_money_once_under_all_faults() {
    let sandbox = Sandbox::start().await;
    sandbox
        .set_faults(json!({"error_rate": 0.2, "drop_after_work_rate": 0.2, "latency_ms": [0, 3], "seed": 11}))
        .await;
    let mut requests = Vec::new();
    for _ in 0..12 {
        requests.push(
            sandbox
                .payment(sandbox.operation(), APPROVED_CARD, false)
                .await,
        );
    }
    let mut references = std::collections::BTreeSet::new();
    for request in &requests {
        let response = loop {
            match sandbox.psp.send(request).await {
                Ok(report) => break report.response,
                Err(PspError::Unknown(_)) => {}
                Err(error @ PspError::NotSent(_)) => {
                    panic!("the simulator was reachable: {error:?}")
                }
            }
        };
        references.insert(reference(&response).as_str().to_owned());
    }
    assert_eq!(
        references.len(),
        requests.len(),
        "each operation has its own payment"
    );
    sandbox.clear_faults().await;
    assert_eq!(
        sandbox.ledger().await.len(),
        requests.len(),
        "a payment was made twice"
    );
}
