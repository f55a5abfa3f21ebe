//! What a call is worth when the simulator does not answer: surely not sent, or unknown.

use std::time::{Duration, Instant};

use oncharge_domain::psp::{Answer, Instruction, RefusalReason};
use oncharge_ports::psp::PspError;
use serde_json::json;

use crate::sandbox::{APPROVES, Sandbox, account, reference};

#[tokio::test(flavor = "multi_thread")]
async fn while_connections_are_refused_nothing_is_sent() {
    let sandbox = Sandbox::start().await;
    let operation = sandbox.operation();
    let request = sandbox.payment(operation, APPROVES, false).await;
    // Connections that are kept for reuse are what must not be mistaken for open ones.
    let warm = std::iter::repeat_with(|| sandbox.psp.look_up(operation)).take(4);
    for found in futures_util::future::join_all(warm).await {
        assert_eq!(found.unwrap(), None);
    }
    sandbox
        .faults(json!({"refuse_connections_ms": 60_000}))
        .await;
    for _ in 0..6 {
        let result = sandbox.psp.send(&request).await;
        assert!(matches!(result, Err(PspError::NotSent(_))), "{result:?}");
    }
    let result = sandbox.psp.look_up(operation).await;
    assert!(matches!(result, Err(PspError::NotSent(_))), "{result:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn once_connections_are_taken_again_the_same_bytes_go_through() {
    let sandbox = Sandbox::start().await;
    let operation = sandbox.operation();
    let request = sandbox.payment(operation, APPROVES, false).await;
    sandbox.faults(json!({"refuse_connections_ms": 50})).await;
    let result = sandbox.psp.send(&request).await;
    assert!(matches!(result, Err(PspError::NotSent(_))), "{result:?}");
    sandbox.no_faults().await;
    assert_eq!(sandbox.look_up(operation).await, None);
    let answer = sandbox.send(&request).await;
    assert!(matches!(answer, Answer::Done { .. }), "{answer:?}");
    assert_eq!(sandbox.ledger().await, [("authorise".to_owned(), 4200)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn where_nobody_listens_nothing_is_sent() {
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
async fn a_connection_lost_after_the_work_is_unknown_and_the_look_up_knows() {
    let sandbox = Sandbox::start().await;
    let payment = sandbox.authorized().await;
    let operation = sandbox.operation();
    let request = sandbox.prepared(operation, Instruction::Cancel { payment }, None);
    sandbox.faults(json!({"drop_after_work_rate": 1.0})).await;
    for _ in 0..3 {
        let result = sandbox.psp.send(&request).await;
        assert!(matches!(result, Err(PspError::Unknown(_))), "{result:?}");
    }
    sandbox.no_faults().await;
    let found = sandbox.look_up(operation).await;
    assert!(matches!(found, Some(Answer::Done { .. })), "{found:?}");
    assert_eq!(Some(sandbox.send(&request).await), found);
    let ledger = sandbox.ledger().await;
    assert_eq!(
        ledger,
        [("authorise".to_owned(), 4200), ("void".to_owned(), 4200)]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bare_503_is_unknown_although_no_work_was_done() {
    let sandbox = Sandbox::start().await;
    let operation = sandbox.operation();
    let request = sandbox.payment(operation, APPROVES, false).await;
    sandbox.faults(json!({"error_rate": 1.0})).await;
    let result = sandbox.psp.send(&request).await;
    assert!(matches!(result, Err(PspError::Unknown(_))), "{result:?}");
    let result = sandbox.psp.look_up(operation).await;
    assert!(matches!(result, Err(PspError::Unknown(_))), "{result:?}");
    sandbox.no_faults().await;
    assert_eq!(sandbox.look_up(operation).await, None);
    assert!(matches!(sandbox.send(&request).await, Answer::Done { .. }));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_answer_is_waited_for() {
    let sandbox = Sandbox::start().await;
    let request = sandbox.payment(sandbox.operation(), APPROVES, false).await;
    sandbox.faults(json!({"latency_ms": [150, 150]})).await;
    let begun = Instant::now();
    let answer = sandbox.send(&request).await;
    assert!(matches!(answer, Answer::Done { .. }), "{answer:?}");
    assert!(begun.elapsed() >= Duration::from_millis(150));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_fault_refuses_is_refused() {
    let sandbox = Sandbox::start().await;
    let payment = sandbox.authorized().await;
    sandbox
        .faults(json!({"refuse": ["authorise", "cancel"]}))
        .await;
    let answer = sandbox
        .carry_out(Instruction::Cancel { payment })
        .await
        .unwrap();
    assert_eq!(
        answer,
        Answer::Refused(RefusalReason::parse("refused_by_fault"))
    );
    let request = sandbox.payment(sandbox.operation(), APPROVES, false).await;
    let answer = sandbox.send(&request).await;
    assert_eq!(answer, Answer::Refused(RefusalReason::CardDeclined));
}

#[tokio::test(flavor = "multi_thread")]
async fn through_all_faults_at_once_each_operation_moves_money_once() {
    let sandbox = Sandbox::start().await;
    sandbox
        .faults(json!({"error_rate": 0.2, "drop_after_work_rate": 0.2, "latency_ms": [0, 3], "seed": 11}))
        .await;
    let mut requests = Vec::new();
    for _ in 0..12 {
        requests.push(sandbox.payment(sandbox.operation(), APPROVES, false).await);
    }
    let mut references = std::collections::BTreeSet::new();
    for request in &requests {
        let answer = loop {
            match sandbox.psp.send(request).await {
                Ok(report) => break report.answer,
                Err(PspError::Unknown(_)) => {}
                Err(error @ PspError::NotSent(_)) => panic!("it was reachable: {error:?}"),
            }
        };
        references.insert(reference(&answer).as_str().to_owned());
    }
    assert_eq!(
        references.len(),
        requests.len(),
        "each operation is a payment of its own"
    );
    sandbox.no_faults().await;
    assert_eq!(
        sandbox.ledger().await.len(),
        requests.len(),
        "and no payment was made twice"
    );
}
