//! A restart on the same file keeps all state; a second simulator on it is refused.

use oncharge_psp_simulator::{Config, Secret, start};
use serde_json::json;

use crate::sandbox::{APPROVED_CARD, CHALLENGE_CARD, Sandbox, payment, send};

#[tokio::test]
async fn all_state_survives_a_restart() {
    let mut sandbox = Sandbox::start().await;
    let held = sandbox.authorized("held").await;
    let refused = sandbox.capture("c0", &held, 2000).await;
    let token = sandbox.token(APPROVED_CARD).await;
    let challenge = sandbox
        .pay("ch", CHALLENGE_CARD, json!({"reference": "ch"}))
        .await;
    let faults = json!({"refuse": ["refund"]});
    sandbox.set_faults(faults.clone()).await;
    sandbox.restart().await;

    assert_eq!(
        send(sandbox.client.get(sandbox.url("/v1/faults")))
            .await
            .body,
        faults
    );
    assert_eq!(sandbox.ledger("held").await, ["authorise 1000"]);
    assert_eq!(sandbox.capture("c0", &held, 2000).await.body, refused.body);
    assert_eq!(
        sandbox.capture("c1", &held, 1000).await.result(),
        ("done", None)
    );
    assert_eq!(
        sandbox.refund("r", &held, 1).await.result(),
        ("refused", Some("refused_by_fault"))
    );
    let paid = sandbox
        .post("/v1/payments", "later", &payment(&token, json!({})))
        .await;
    assert_eq!(paid.result(), ("authorised", None));
    let url = challenge.text("challenge_url");
    sandbox.end_challenge(&url, "pass").await;
    assert_eq!(sandbox.ledger("ch").await, ["authorise 1000"]);
}

#[tokio::test]
async fn a_second_simulator_on_the_same_file_is_refused() {
    let sandbox = Sandbox::start().await;
    let database = sandbox.folder.path().join("deep/psp.sqlite");
    let second = start(Config::new(database, Secret::new("a"), Secret::new("b"))).await;
    let Err(error) = second else {
        panic!("two simulators share a file")
    };
    assert!(
        format!("{error:#}").contains("another simulator"),
        "{error:#}"
    );
}

#[tokio::test]
async fn a_taken_port_is_an_error() {
    let sandbox = Sandbox::start().await;
    let folder = tempfile::tempdir().unwrap();
    let mut config = Config::new(
        folder.path().join("x.sqlite"),
        Secret::new("a"),
        Secret::new("b"),
    );
    config.port = sandbox
        .address()
        .rsplit(':')
        .next()
        .unwrap()
        .parse()
        .unwrap();
    let Err(error) = start(config).await else {
        panic!("two simulators share a port")
    };
    assert!(format!("{error:#}").contains("cannot listen"), "{error:#}");
}
