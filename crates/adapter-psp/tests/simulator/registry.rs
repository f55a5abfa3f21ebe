//! The accounts of the registry, their circuit breakers and metrics.

use metrics_exporter_prometheus::PrometheusBuilder;
use oncharge_adapter_psp::{Account, ConnectorSettings, Registry, RegistryError};
use oncharge_domain::psp::PspAccount;
use oncharge_ports::psp::{PspError, PspRegistry};
use serde_json::json;

use crate::sandbox::{APPROVED_CARD, Sandbox, account};

#[tokio::test(flavor = "multi_thread")]
async fn ten_consecutive_failures_open_the_breaker_and_are_counted() {
    let recorder = PrometheusBuilder::new().build_recorder();
    let metrics = recorder.handle();
    // The only test that reads metrics, so it may install the process's recorder.
    metrics::set_global_recorder(recorder).unwrap();
    let sandbox = Sandbox::start().await;
    let metered = account("metered", sandbox.settings());
    let operation = sandbox.operation();
    let request = sandbox.payment(operation, APPROVED_CARD, false).await;
    assert_eq!(metered.look_up(operation).await.unwrap(), None);
    assert!(
        metrics
            .render()
            .contains(r#"oncharge_psp_breaker_open{connector="simulator",account="metered"} 0"#)
    );

    sandbox.set_faults(json!({"error_rate": 1.0})).await;
    for call in 1..=10 {
        let result = metered.send(&request).await;
        assert!(
            matches!(result, Err(PspError::Unknown(_))),
            "call {call}: {result:?}"
        );
    }
    sandbox.clear_faults().await;
    let result = metered.send(&request).await;
    assert!(matches!(result, Err(PspError::NotSent(_))), "{result:?}");
    assert_eq!(
        sandbox.look_up(operation).await,
        None,
        "the breaker of another account is open"
    );

    let text = metrics.render();
    let expected = [
        r#"oncharge_psp_calls_total{connector="simulator",account="metered",kind="look_up",outcome="not_found"} 1"#,
        r#"oncharge_psp_calls_total{connector="simulator",account="metered",kind="authorize",outcome="unknown"} 10"#,
        r#"oncharge_psp_calls_total{connector="simulator",account="metered",kind="authorize",outcome="not_sent"} 1"#,
        r#"oncharge_psp_call_seconds_count{connector="simulator",account="metered",kind="authorize"} 11"#,
        r#"oncharge_psp_breaker_open{connector="simulator",account="metered"} 1"#,
    ];
    for line in expected {
        assert!(text.contains(line), "{line} is not in\n{text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_whose_breaker_is_open_is_unavailable() {
    let sandbox = Sandbox::start().await;
    let configured = |name: &str| Account {
        name: name.to_owned(),
        connector: ConnectorSettings::Simulator(sandbox.settings()),
    };
    let registry = Registry::new([configured("default"), configured("second")]).unwrap();
    assert_eq!(registry.unavailable_accounts(), []);
    let second = PspAccount::new("simulator", "second").unwrap();
    let psp = registry.account(&second).unwrap();
    sandbox.set_faults(json!({"error_rate": 1.0})).await;
    for _ in 0..10 {
        assert!(psp.look_up(sandbox.operation()).await.is_err());
    }
    assert_eq!(registry.unavailable_accounts(), [second]);
}

#[tokio::test(flavor = "multi_thread")]
async fn accounts_are_found_by_connector_and_name() {
    let sandbox = Sandbox::start().await;
    let configured = |name: &str| Account {
        name: name.to_owned(),
        connector: ConnectorSettings::Simulator(sandbox.settings()),
    };
    let registry = Registry::new([configured("default"), configured("second")]).unwrap();
    for (connector, name, found) in [
        ("simulator", "default", true),
        ("simulator", "second", true),
        ("simulator", "third", false),
        ("stripe", "default", false),
    ] {
        let account = PspAccount::new(connector, name).unwrap();
        assert_eq!(
            registry.account(&account).is_some(),
            found,
            "{connector}/{name}"
        );
    }
    let twice = Registry::new([configured("default"), configured("default")]);
    assert!(matches!(
        twice,
        Err(RegistryError::Duplicate("simulator", _))
    ));
    assert!(matches!(
        Registry::new([configured("Not A Name")]),
        Err(RegistryError::Name(..))
    ));
    let mut broken = configured("default");
    let ConnectorSettings::Simulator(settings) = &mut broken.connector;
    settings.base_url = "nowhere".to_owned();
    let error = Registry::new([broken]).unwrap_err();
    assert!(
        matches!(error, RegistryError::Settings("simulator", ..)),
        "{error:?}"
    );
}
