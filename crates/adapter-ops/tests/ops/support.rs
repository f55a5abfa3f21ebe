//! A deployment under the test's control, and the operators' server over it.

use std::{collections::BTreeMap, net::SocketAddr, sync::Arc};

use oncharge_adapter_ops::{Ops, serve};
use oncharge_application::{
    App, Dependencies, PostContext, Settings,
    checkout::{
        create::{self, CaptureMode, NewCheckout},
        pay,
    },
    merchants::{self, NewPair},
};
use oncharge_domain::{
    branding::Branding,
    id::SessionId,
    keyring::{KeyId, Keyring},
    merchant::Merchant,
    text::{Contact, MerchantName, Metadata, OrderId, Reference, ReturnUrl},
};
use oncharge_ports::Store;
pub(crate) use oncharge_testkit::http::{Response, send_head};
use oncharge_testkit::{
    FakeClock, MemoryStore, PlainPresenter, ScriptedPsp, ScriptedSender, SeededEntropy, build,
};

/// The use cases with one merchant, over a store, a PSP and a clock under the test's control.
pub(crate) struct TestApp {
    pub(crate) app: App,
    pub(crate) store: Arc<MemoryStore>,
    pub(crate) psp: ScriptedPsp,
    pub(crate) clock: Arc<FakeClock>,
    pub(crate) merchant: Arc<Merchant>,
    pub(crate) pair: NewPair,
}

/// A created session.
pub(crate) struct Checkout {
    pub(crate) id: SessionId,
    pub(crate) token: String,
}

impl TestApp {
    pub(crate) async fn start() -> Self {
        let clock = Arc::new(FakeClock::new());
        let store = Arc::new(MemoryStore::new(Arc::clone(&clock) as _));
        let psp = ScriptedPsp::new();
        let keys = Keyring::parse(&Keyring::entry(&KeyId::parse("k1").unwrap(), &[7; 32])).unwrap();
        let app = App::new(Dependencies {
            store: Store::new(Arc::clone(&store)),
            sender: Arc::new(ScriptedSender::new()),
            psps: Arc::new(psp.clone()),
            presenter: Arc::new(PlainPresenter),
            clock: Arc::clone(&clock) as _,
            entropy: Arc::new(SeededEntropy::new(1)),
            keys: keys.clone(),
            peppers: keys,
            settings: Settings::default(),
        });
        let new = merchants::NewMerchant {
            name: MerchantName::parse("Shop & Söhne").unwrap(),
            account: build::account(),
            capture_delay_seconds: 3600,
            branding: Branding::default(),
        };
        let (merchant, pair) = merchants::create(&app, new).await.unwrap();
        Self {
            app,
            store,
            psp,
            clock,
            merchant: Arc::new(merchant),
            pair,
        }
    }

    pub(crate) async fn create(&self, new: NewCheckout) -> Checkout {
        let context = PostContext {
            merchant: Arc::clone(&self.merchant),
            idempotency: None,
            request_id: "req_1".to_owned(),
        };
        let reply = create::create(&self.app, context, new).await.unwrap();
        let text = String::from_utf8(reply.response.body).unwrap();
        let (id, token) = text
            .strip_prefix("created ")
            .and_then(|text| text.split_once(' '))
            .unwrap();
        Checkout {
            id: id.parse().unwrap(),
            token: token.to_owned(),
        }
    }

    /// A session over 100.00 EUR that the merchant captures.
    pub(crate) async fn created(&self) -> Checkout {
        self.create(new_checkout("order-42", None)).await
    }

    pub(crate) async fn pay(&self, checkout: &Checkout, token: &str) {
        let id = checkout.id.to_string();
        pay::pay(&self.app, &id, &checkout.token, token.to_owned())
            .await
            .unwrap();
    }
}

/// A session over 100.00 EUR that the merchant captures.
pub(crate) fn new_checkout(reference: &str, order_id: Option<&str>) -> NewCheckout {
    NewCheckout {
        amount: build::eur(10_000),
        reference: Reference::parse(reference).unwrap(),
        order_id: order_id.map(|text| OrderId::parse(text).unwrap()),
        return_url: ReturnUrl::parse("https://shop.example.com/thank-you", false).unwrap(),
        metadata: Metadata::new(BTreeMap::new()).unwrap(),
        contact: Contact::default(),
        capture: Some(CaptureMode::Manual),
    }
}

/// The state of a server over this store, or over none.
pub(crate) fn ops(app: Option<&TestApp>) -> Ops {
    let ops = Ops::new(|| "requests_total 7\n".to_owned());
    if let Some(test) = app {
        ops.attach_store(test.app.clone(), None);
    }
    ops
}

/// Starts a server with these names.
pub(crate) fn start(ops: Ops, hosts: &[String]) -> SocketAddr {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    actix_web::rt::spawn(serve(ops, hosts, listener).unwrap());
    address
}

/// Starts a server over this store, or over none.
pub(crate) fn start_ops_server(app: Option<&TestApp>) -> SocketAddr {
    start(ops(app), &[])
}

/// Requests a path as `localhost`.
pub(crate) async fn get(address: SocketAddr, path: &str) -> Response {
    send_head(address, &format!("GET {path} HTTP/1.1\r\nHost: localhost")).await
}

/// The page at this path.
pub(crate) async fn page(address: SocketAddr, path: &str) -> String {
    let response = get(address, path).await;
    assert_eq!(response.status, 200, "{path}: {response:?}");
    response.text().to_owned()
}
