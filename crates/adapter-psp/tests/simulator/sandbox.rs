//! A running simulator and an account at it, with methods for the actions of tests.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may panic"
)]

use std::{
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering},
    },
    time::Duration,
};

use oncharge_adapter_psp::{Account, ConnectorSettings, Registry, Secret, simulator::Settings};
use oncharge_domain::{
    currency::Currency,
    id::{OperationId, SessionId},
    money::Money,
    psp::{Instruction, PspAccount, PspReference, PspResponse},
    time::Timestamp,
};
use oncharge_ports::psp::{PaymentMethod, PreparedRequest, Psp, PspError, PspRegistry, PspRequest};
use oncharge_psp_simulator::{Config, Running};
use serde_json::{Value, json};

pub(crate) const APPROVED_CARD: &str = "4242424242424242";
pub(crate) const CHALLENGE_CARD: &str = "4000002500003155";

const BEARER: &str = "bearer-of-the-test";
const KEY: &str = "key-of-the-test";

/// A simulator, one account at it, and clients for a browser and an operator.
pub(crate) struct Sandbox {
    pub(crate) psp: Arc<dyn Psp>,
    pub(crate) session: SessionId,
    simulator: Running,
    http: reqwest::Client,
    operation_count: AtomicU8,
    _folder: tempfile::TempDir,
}

impl Sandbox {
    /// Starts without a receiver of notifications.
    pub(crate) async fn start() -> Self {
        Self::start_with_notifications("http://127.0.0.1:9/nobody").await
    }

    /// Starts with notifications sent to `url`.
    pub(crate) async fn start_with_notifications(url: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (bearer, key) = (
            oncharge_psp_simulator::Secret::new(BEARER),
            oncharge_psp_simulator::Secret::new(KEY),
        );
        let config = Config::new(folder.path().join("psp.db"), bearer, key);
        let simulator = oncharge_psp_simulator::start(config).await.unwrap();
        let psp = account("default", settings(simulator.url(), url));
        Self {
            psp,
            session: SessionId::from_parts(now(), [7; 10]),
            simulator,
            http: reqwest::Client::builder()
                .tls_backend_preconfigured(plain_tls())
                .no_proxy()
                .build()
                .unwrap(),
            operation_count: AtomicU8::new(0),
            _folder: folder,
        }
    }

    /// The configuration of an account at this simulator.
    pub(crate) fn settings(&self) -> Settings {
        settings(self.simulator.url(), "http://127.0.0.1:9/nobody")
    }

    pub(crate) fn url(&self) -> &str {
        self.simulator.url()
    }

    /// A new operation id.
    pub(crate) fn operation(&self) -> OperationId {
        let number = self.operation_count.fetch_add(1, Ordering::Relaxed);
        OperationId::from_parts(now(), [number; 10])
    }

    /// A token for a card, from the hosted fields.
    pub(crate) async fn token(&self, card: &str) -> PaymentMethod {
        let card = json!({"number": card, "exp_month": 12, "exp_year": next_year(), "cvc": "123"});
        let url = format!("{}/v1/tokens", self.url());
        let response = self.http.post(url).json(&card).send().await.unwrap();
        assert_eq!(response.status(), 201);
        let response: Value = response.json().await.unwrap();
        let token = response["token"].as_str().unwrap().to_owned();
        assert!(self.psp.connector().is_payment_method(&token), "{token}");
        PaymentMethod::new(token)
    }

    /// The request bytes that authorize 42.00 EUR with a new token of this card.
    pub(crate) async fn payment(
        &self,
        operation: OperationId,
        card: &str,
        capture: bool,
    ) -> PreparedRequest {
        let token = self.token(card).await;
        let instruction = Instruction::Authorize {
            amount: eur(4200),
            capture,
        };
        self.prepared(operation, instruction, Some(&token))
    }

    /// The request bytes of an instruction.
    pub(crate) fn prepared(
        &self,
        operation: OperationId,
        instruction: Instruction,
        token: Option<&PaymentMethod>,
    ) -> PreparedRequest {
        let call = PspRequest {
            operation,
            session: self.session,
            instruction,
            payment_method: token,
        };
        self.psp.connector().prepare(&call).unwrap()
    }

    /// Executes an instruction under a new operation.
    pub(crate) async fn execute(&self, instruction: Instruction) -> Result<PspResponse, PspError> {
        let request = self.prepared(self.operation(), instruction, None);
        self.psp.send(&request).await.map(|report| report.response)
    }

    /// Sends a request; returns the response without the card.
    pub(crate) async fn send(&self, request: &PreparedRequest) -> PspResponse {
        self.psp.send(request).await.unwrap().response
    }

    /// Looks an operation up; returns the response without the card.
    pub(crate) async fn look_up(&self, operation: OperationId) -> Option<PspResponse> {
        let found = self.psp.look_up(operation).await.unwrap();
        found.map(|report| report.response)
    }

    /// An authorization with an uncaptured amount.
    pub(crate) async fn authorized(&self) -> PspReference {
        let request = self.payment(self.operation(), APPROVED_CARD, false).await;
        reference(&self.send(&request).await)
    }

    pub(crate) async fn set_faults(&self, faults: Value) {
        let url = format!("{}/v1/faults", self.url());
        let response = self.http.put(url).json(&faults).send().await.unwrap();
        assert_eq!(response.status(), 200);
    }

    /// Removes all faults; waits while connections are refused.
    pub(crate) async fn clear_faults(&self) {
        let url = format!("{}/v1/faults", self.url());
        for _ in 0..500 {
            if self.http.delete(&url).send().await.is_ok() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("the simulator still refuses connections");
    }

    /// The ledger entries of the session: (kind, amount), in order.
    pub(crate) async fn ledger(&self) -> Vec<(String, i64)> {
        let url = format!("{}/v1/ledger?reference={}", self.url(), self.session);
        let response: Value = self
            .http
            .get(url)
            .send()
            .await
            .unwrap()
            .json()
            .await
            .unwrap();
        let entries = response["entries"].as_array().unwrap().iter();
        entries
            .map(|entry| {
                let kind = entry["kind"].as_str().unwrap().to_owned();
                (kind, entry["amount"].as_i64().unwrap())
            })
            .collect()
    }

    /// Ends a challenge, as the shopper would.
    pub(crate) async fn end_challenge(&self, url: &str, outcome: &'static str) {
        let form = self
            .http
            .post(url)
            .header("Content-Type", "application/x-www-form-urlencoded")
            .body(format!("outcome={outcome}"));
        assert!(form.send().await.unwrap().status().is_success());
    }
}

/// An account of this name, from the registry.
pub(crate) fn account(name: &str, settings: Settings) -> Arc<dyn Psp> {
    let account = Account {
        name: name.to_owned(),
        connector: ConnectorSettings::Simulator(settings),
    };
    let registry = Registry::new([account]).unwrap();
    let name = PspAccount::new("simulator", name).unwrap();
    registry.account(&name).unwrap()
}

pub(crate) fn settings(base_url: &str, notification_url: &str) -> Settings {
    Settings {
        base_url: base_url.to_owned(),
        bearer: Secret::new(BEARER),
        notification_key: Secret::new(KEY),
        notification_url: notification_url.to_owned(),
    }
}

/// The tests use plain HTTP; reqwest requires a TLS configuration anyway.
fn plain_tls() -> rustls::ClientConfig {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(rustls::RootCertStore::empty())
        .with_no_client_auth()
}

pub(crate) fn eur(minor: i64) -> Money {
    Money::new(minor, Currency::parse("EUR").unwrap()).unwrap()
}

/// The reference in a response that has one.
pub(crate) fn reference(response: &PspResponse) -> PspReference {
    match response {
        PspResponse::Done { reference, .. } | PspResponse::Accepted { reference } => {
            reference.clone()
        }
        PspResponse::ActionRequired(challenge) => challenge.reference.clone(),
        PspResponse::Refused(reason) => panic!("refused: {reason:?}"),
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the simulator checks the expiry of cards against the real date"
)]
fn next_year() -> u64 {
    let since_1970 = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    1971 + since_1970.unwrap().as_secs() / (365 * 24 * 3600 + 6 * 3600)
}

fn now() -> Timestamp {
    Timestamp::from_unix_seconds(1_795_360_150).unwrap()
}
