//! A server under test, with a method for each request.

mod psps;
mod request;

use std::{
    net::SocketAddr,
    sync::{Arc, atomic::AtomicBool},
    time::Duration,
};

use oncharge_adapter_http::{Api, JsonPresenter, Rate, Settings, serve_api};
use oncharge_application::{
    App, Dependencies, merchants,
    workers::{psp_inbox, webhook_delivery},
};
use oncharge_domain::{
    branding::Branding,
    id::{MerchantId, SessionId},
    keyring::{KeyId, Keyring},
    merchant::ApiKeyHash,
    psp::PspAccount,
    text::MerchantName,
};
use oncharge_ports::{Clock as _, MerchantRepository, Store};
pub(crate) use oncharge_testkit::http::Response;
use oncharge_testkit::{FakeClock, MemoryStore, ScriptedPsp, ScriptedSender, SeededEntropy};
use serde_json::{Value, json};

use self::psps::{FailingInbox, SingleAccountPsps};
pub(crate) use self::request::Request;

/// A merchant's API key and secret.
#[derive(Clone)]
pub(crate) struct Pair {
    pub(crate) key: String,
    pub(crate) secret: String,
}

/// A server with one merchant, over an in-memory store and PSP and a clock that the test sets.
pub(crate) struct TestApp {
    pub(crate) address: SocketAddr,
    pub(crate) app: App,
    pub(crate) store: Arc<MemoryStore>,
    pub(crate) psp: ScriptedPsp,
    pub(crate) sender: ScriptedSender,
    pub(crate) inbox_is_unavailable: Arc<AtomicBool>,
    pub(crate) clock: Arc<FakeClock>,
    pub(crate) pair: Pair,
}

impl TestApp {
    /// A server with settings that restrict no test.
    pub(crate) async fn start() -> Self {
        Self::with(settings()).await
    }

    /// A server with these settings.
    pub(crate) async fn with(settings: Settings) -> Self {
        let clock = Arc::new(FakeClock::new());
        let store = Arc::new(MemoryStore::new(Arc::clone(&clock) as _));
        let (psp, sender) = (ScriptedPsp::new(), ScriptedSender::new());
        let inbox_is_unavailable = Arc::new(AtomicBool::new(false));
        let keys = Keyring::parse(&Keyring::entry(&KeyId::parse("k1").unwrap(), &[7; 32])).unwrap();
        let app = App::new(Dependencies {
            store: Store {
                inbox: Arc::new(FailingInbox {
                    store: Arc::clone(&store),
                    is_unavailable: Arc::clone(&inbox_is_unavailable),
                }),
                ..Store::new(Arc::clone(&store))
            },
            sender: Arc::new(sender.clone()),
            psps: Arc::new(SingleAccountPsps(psp.clone())),
            presenter: Arc::new(JsonPresenter),
            clock: Arc::clone(&clock) as _,
            entropy: Arc::new(SeededEntropy::new(1)),
            keys: keys.clone(),
            peppers: keys,
            settings: oncharge_application::Settings::default(),
        });
        let pair = merchant(&app).await;
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let server = serve_api(Api::new(app.clone(), settings), listener, 1).unwrap();
        actix_web::rt::spawn(server);
        Self {
            address,
            app,
            store,
            psp,
            sender,
            inbox_is_unavailable,
            clock,
            pair,
        }
    }

    /// The merchant of the pair.
    pub(crate) async fn merchant(&self) -> MerchantId {
        let hash = ApiKeyHash::of(&self.pair.key);
        let found = MerchantRepository::key(&*self.store, &hash).await.unwrap();
        found.unwrap().1.id
    }

    /// Creates another merchant; returns its pair.
    pub(crate) async fn another_merchant(&self) -> Pair {
        merchant(&self.app).await
    }

    /// The time of the test clock, in Unix seconds.
    pub(crate) fn now(&self) -> i64 {
        self.clock.now().unix_seconds()
    }

    /// A signed `GET`.
    pub(crate) fn get(&self, target: &str) -> Request<'_> {
        Request::new(self, "GET", target, Vec::new())
    }

    /// A signed `POST` of these bytes.
    pub(crate) fn post(&self, target: &str, body: impl Into<Vec<u8>>) -> Request<'_> {
        Request::new(self, "POST", target, body.into())
    }

    /// A signed `PUT` of these bytes.
    pub(crate) fn put(&self, target: &str, body: impl Into<Vec<u8>>) -> Request<'_> {
        Request::new(self, "PUT", target, body.into())
    }

    /// A signed request.
    pub(crate) fn request(&self, method: &str, target: &str) -> Request<'_> {
        Request::new(self, method, target, Vec::new())
    }

    /// Creates a session from this body; panics unless it is created.
    pub(crate) async fn create(&self, body: &Value) -> Checkout {
        let response = self
            .post("/v1/checkout/sessions", body.to_string())
            .send()
            .await;
        assert_eq!(response.status, 201, "{response:?}");
        let json = response.json();
        let text = |name: &str| json[name].as_str().unwrap().to_owned();
        Checkout {
            id: text("session_id"),
            token: text("pay_token"),
        }
    }

    /// A session over 100.00 EUR that the merchant captures.
    pub(crate) async fn created(&self) -> Checkout {
        self.create(&new_session(&json!({"capture": "manual"})))
            .await
    }

    /// An authorized session.
    pub(crate) async fn authorized(&self) -> Checkout {
        let checkout = self.created().await;
        let response = self.pay(&checkout, "tok_good").await;
        assert_eq!(response.json()["status"], "authorized", "{response:?}");
        checkout
    }

    /// A captured session.
    pub(crate) async fn captured(&self) -> Checkout {
        let checkout = self.authorized().await;
        let response = self.post(&checkout.path("/capture"), "").send().await;
        assert_eq!(response.json()["status"], "captured", "{response:?}");
        checkout
    }

    /// Pays as the page does.
    pub(crate) async fn pay(&self, checkout: &Checkout, token: &str) -> Response {
        let body = json!({"payment_method": token}).to_string();
        self.shopper("POST", checkout, "/pay", &body).send().await
    }

    /// A request of the shopper's page, with the session's token.
    pub(crate) fn shopper(
        &self,
        method: &str,
        checkout: &Checkout,
        path: &str,
        body: &str,
    ) -> Request<'_> {
        let target = format!("/checkout/{}{path}", checkout.id);
        Request::new(self, method, &target, body.into())
            .unsigned()
            .set("Authorization", &format!("Bearer {}", checkout.token))
    }

    /// Requests a refund of this many minor units.
    pub(crate) async fn refund(&self, checkout: &Checkout, amount: i64) -> Response {
        let body = json!({
            "session_id": checkout.id, "amount": amount, "currency": "EUR", "reference": "back-42",
        });
        self.post("/v1/refunds", body.to_string()).send().await
    }

    /// Sets this pair's webhook endpoint.
    pub(crate) async fn set_endpoint(&self, pair: &Pair, url: &str) -> Value {
        let body = json!({"url": url}).to_string();
        let put = self.put("/v1/webhook_endpoint", body).by(pair);
        let response = put.at(self.now()).send().await;
        assert_eq!(response.status, 200, "{response:?}");
        response.json()
    }

    /// Executes all delivery attempts that are due.
    pub(crate) async fn deliver(&self) {
        while webhook_delivery::run_once(&self.app).await.unwrap() > 0 {}
    }

    /// Applies all waiting notifications.
    pub(crate) async fn process_inbox(&self) {
        while psp_inbox::run_once(&self.app).await.unwrap() > 0 {}
    }

    /// The session in the merchant API.
    pub(crate) async fn session(&self, checkout: &Checkout) -> Value {
        let response = self.get(&checkout.path("")).send().await;
        assert_eq!(response.status, 200, "{response:?}");
        response.json()
    }
}

/// A created session.
pub(crate) struct Checkout {
    pub(crate) id: String,
    pub(crate) token: String,
}

impl Checkout {
    /// Its path in the merchant API.
    pub(crate) fn path(&self, rest: &str) -> String {
        format!("/v1/checkout/sessions/{}{rest}", self.id)
    }

    /// Its id, parsed.
    pub(crate) fn session_id(&self) -> SessionId {
        self.id.parse().unwrap()
    }
}

/// The URL of merchants' endpoints.
pub(crate) const ENDPOINT_URL: &str = "https://shop.example.com/?wc-api=oncharge_callback";

/// Settings that restrict no test.
pub(crate) fn settings() -> Settings {
    Settings {
        per_key: Rate::per_second(100_000, 100_000),
        per_address: Rate::per_second(100_000, 100_000),
        body_timeout: Duration::from_secs(5),
        ..Settings::production()
    }
}

/// A valid body for a new session, with these fields replaced; null removes a field.
pub(crate) fn new_session(changes: &Value) -> Value {
    let mut body = json!({
        "amount": 10_000,
        "currency": "EUR",
        "reference": "order-42",
        "return_url": "https://shop.example.com/thank-you",
    });
    for (name, value) in changes.as_object().unwrap() {
        body[name] = value.clone();
    }
    body
}

async fn merchant(app: &App) -> Pair {
    let new = merchants::NewMerchant {
        name: MerchantName::parse("Shop & Söhne").unwrap(),
        account: PspAccount::new("simulator", "default").unwrap(),
        capture_delay_seconds: 3600,
        branding: Branding::default(),
    };
    let (_, pair) = merchants::create(app, new).await.unwrap();
    Pair {
        key: pair.api_key,
        secret: pair.api_secret.to_string(),
    }
}
