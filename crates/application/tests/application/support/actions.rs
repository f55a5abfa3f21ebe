//! The actions of merchants, shoppers and the PSP, and their visible results.

use std::collections::BTreeMap;

use oncharge_application::{
    Error, Idempotency, PostContext, Reply as StoredReply,
    checkout::{self, ShopperState, create::NewCheckout},
    refunds::{self, request::NewRefund},
    workers::psp_inbox,
};
use oncharge_domain::{
    currency::Currency,
    id::{OperationId, SessionId},
    idempotency::{IdempotencyKey, RequestFingerprint},
    money::Money,
    operation::Operation,
    session::{Session, StatusName},
    text::{Contact, Metadata, Reference, ReturnUrl},
};
use oncharge_ports::CheckoutRepository;
use oncharge_testkit::{Call, Fault, Reply, ScriptedPsp, build::eur};

use super::World;

/// A session and its pay token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Order {
    pub(crate) id: SessionId,
    pub(crate) pay_token: String,
}

impl Order {
    /// The content of a response to a creation.
    pub(crate) fn of(reply: &StoredReply) -> Self {
        let text = String::from_utf8(reply.response.body.clone()).unwrap();
        let words: Vec<&str> = text.split(' ').collect();
        assert_eq!(words[0], "created", "{text}");
        Self {
            id: words[1].parse().unwrap(),
            pay_token: words[2].to_owned(),
        }
    }

    pub(crate) fn text(&self) -> String {
        self.id.to_string()
    }
}

/// The PSP's behavior for one call.
#[derive(Clone, Debug)]
pub(crate) enum PspBehavior {
    /// It responds.
    Replies(Reply),
    /// The call fails.
    Fails(Fault),
}

impl PspBehavior {
    /// Plans this for the next call of this kind.
    pub(crate) fn plan(&self, psp: &ScriptedPsp, call: Call) {
        match self.clone() {
            Self::Replies(reply) => psp.reply(call, reply),
            Self::Fails(fault) => psp.fail(call, fault),
        }
    }
}

/// A short description of a response: `202 accepted authorized`, `409 psp_rejected`, or the error.
pub(crate) fn describe(response: &Result<StoredReply, Error>) -> String {
    let reply = match response {
        Ok(reply) => reply,
        Err(error) => return format!("{error:?}"),
    };
    let text = String::from_utf8(reply.response.body.clone()).unwrap();
    let words = text.split(' ').filter(|word| {
        let ids = ["cs_", "ref_", "pt_", "req_", "op_"];
        !ids.iter().any(|prefix| word.starts_with(prefix))
    });
    let words: Vec<&str> = words.collect();
    format!("{} {}", reply.response.status, words.join(" "))
}

/// The request of [`World::open`]: 100.00 EUR.
pub(crate) fn default_checkout() -> NewCheckout {
    NewCheckout {
        amount: eur(10_000),
        reference: Reference::parse("order-42").unwrap(),
        order_id: None,
        return_url: ReturnUrl::parse("https://shop.example.com/thanks", false).unwrap(),
        metadata: Metadata::new(BTreeMap::new()).unwrap(),
        contact: Contact::default(),
        capture: None,
    }
}

impl World {
    /// A request for this target and body under this key (`""` for none).
    pub(crate) fn post(&self, key: &str, target: &str, body: &str) -> PostContext {
        let idempotency = (!key.is_empty()).then(|| {
            let fingerprint = RequestFingerprint::of("POST", target, body.as_bytes());
            Idempotency::new(IdempotencyKey::parse(key).unwrap(), fingerprint)
        });
        PostContext {
            merchant: self.merchant.clone(),
            idempotency,
            request_id: format!("req_{}", self.fault_plan.reached().commits),
        }
    }

    pub(crate) async fn create(&self, key: &str, new: NewCheckout) -> Result<StoredReply, Error> {
        let body = format!("{} {:?}", new.amount.minor(), new.capture);
        let request = self.post(key, "/v1/checkout/sessions", &body);
        checkout::create::create(&self.app, request, new).await
    }

    /// A new session over 100.00 EUR.
    pub(crate) async fn open(&self) -> Order {
        self.open_with(default_checkout()).await
    }

    pub(crate) async fn open_with(&self, new: NewCheckout) -> Order {
        Order::of(&self.create("", new).await.unwrap())
    }

    /// The session of this key, created now or earlier.
    pub(crate) async fn try_open(&self, key: &str) -> Result<Order, Error> {
        Ok(Order::of(&self.create(key, default_checkout()).await?))
    }

    /// A new session that is authorized.
    pub(crate) async fn authorized(&self) -> Order {
        let order = self.open().await;
        self.pay(&order, "tok_first").await.unwrap();
        assert_eq!(self.status(&order).await, StatusName::Authorized);
        order
    }

    /// A new session that is captured.
    pub(crate) async fn captured(&self) -> Order {
        let order = self.authorized().await;
        self.capture(&order, "", None).await.unwrap();
        assert_eq!(self.status(&order).await, StatusName::Captured);
        order
    }

    pub(crate) async fn pay(&self, order: &Order, token: &str) -> Result<ShopperState, Error> {
        let (id, token) = (order.text(), token.to_owned());
        checkout::pay::pay(&self.app, &id, &order.pay_token, token).await
    }

    pub(crate) async fn abandon(&self, order: &Order) -> Result<ShopperState, Error> {
        checkout::abandon::abandon(&self.app, &order.text(), &order.pay_token).await
    }

    /// The response to the shopper's status call.
    pub(crate) async fn shopper_state(&self, order: &Order) -> ShopperState {
        checkout::shopper_view::status(&self.app, &order.text(), &order.pay_token)
            .await
            .unwrap()
    }

    pub(crate) async fn capture(
        &self,
        order: &Order,
        key: &str,
        amount: Option<i64>,
    ) -> Result<StoredReply, Error> {
        let target = format!("/v1/checkout/sessions/{}/capture", order.id);
        let request = self.post(key, &target, &format!("{amount:?}"));
        checkout::capture::capture(&self.app, request, &order.text(), amount).await
    }

    pub(crate) async fn cancel(&self, order: &Order, key: &str) -> Result<StoredReply, Error> {
        let request = self.post(
            key,
            &format!("/v1/checkout/sessions/{}/cancel", order.id),
            "",
        );
        checkout::cancel::cancel(&self.app, request, &order.text()).await
    }

    pub(crate) async fn expire(&self, order: &Order, key: &str) -> Result<StoredReply, Error> {
        let request = self.post(
            key,
            &format!("/v1/checkout/sessions/{}/expire", order.id),
            "",
        );
        checkout::expire::expire(&self.app, request, &order.text()).await
    }

    pub(crate) async fn refund(
        &self,
        order: &Order,
        key: &str,
        minor: i64,
    ) -> Result<StoredReply, Error> {
        self.refund_in(order, key, minor, "EUR").await
    }

    pub(crate) async fn refund_in(
        &self,
        order: &Order,
        key: &str,
        minor: i64,
        currency: &str,
    ) -> Result<StoredReply, Error> {
        let body = format!("{} {minor} {currency}", order.id);
        let new = NewRefund {
            session_id: order.text(),
            amount: Money::new(minor, Currency::parse(currency).unwrap()).unwrap(),
            reference: Reference::parse("back-42").unwrap(),
        };
        refunds::request::request(&self.app, self.post(key, "/v1/refunds", &body), new).await
    }

    /// The PSP sends a notification with the current state of this operation.
    pub(crate) async fn notify(&self, operation: OperationId) -> Result<(), Error> {
        self.deliver(&self.psp.notification_body(operation)).await
    }

    /// Receives a correctly signed notification for the account of all sessions, and applies it if
    /// possible.
    pub(crate) async fn deliver(&self, body: &[u8]) -> Result<(), Error> {
        self.receive(body).await?;
        while psp_inbox::run_once(&self.app).await? > 0 {}
        Ok(())
    }

    /// Receives a notification with this body, which is stored.
    pub(crate) async fn receive(&self, body: &[u8]) -> Result<(), Error> {
        let header = |name: &str| {
            (name == ScriptedPsp::SIGNATURE_HEADER).then(|| ScriptedPsp::SIGNATURE.to_owned())
        };
        let account = &self.merchant.account;
        checkout::receive_notification::receive(
            &self.app,
            account.connector(),
            account.account(),
            None,
            &header,
            body,
        )
        .await
    }

    pub(crate) async fn session(&self, order: &Order) -> Session {
        self.store.session(order.id).await.unwrap().unwrap()
    }

    /// The current status.
    pub(crate) async fn status(&self, order: &Order) -> StatusName {
        self.session(order).await.status_at(self.now())
    }

    /// The name of the session's failure; `""` for none.
    pub(crate) async fn failure(&self, order: &Order) -> &'static str {
        let failure = self.session(order).await.failure();
        failure.map_or("", |code| code.name())
    }

    /// All operations, oldest first; those of the same time in any order.
    pub(crate) fn operations(&self, order: &Order) -> Vec<Operation> {
        let mut operations = self.store.operations_of(order.id);
        operations.sort_by_key(|operation| operation.created_at);
        operations
    }

    /// The one operation of this kind.
    pub(crate) fn operation(&self, order: &Order, kind: &str) -> Operation {
        let mut found = self.operations(order);
        found.retain(|operation| operation.kind.name() == kind);
        assert_eq!(found.len(), 1, "operations of kind {kind}: {found:?}");
        found.remove(0)
    }

    /// The number of operations of this kind.
    pub(crate) fn count(&self, order: &Order, kind: &str) -> usize {
        let operations = self.operations(order);
        operations.iter().filter(|o| o.kind.name() == kind).count()
    }

    /// The names of the merchant's events, in order, without the prefix `payment.`.
    pub(crate) fn events(&self, order: &Order) -> Vec<&'static str> {
        let events = self.store.events_of(order.id);
        let names = events.iter().map(|stored| stored.event.kind.name());
        names
            .map(|name| name.strip_prefix("payment.").unwrap_or(name))
            .collect()
    }

    /// The actions in the audit log about this session.
    pub(crate) fn audit_actions(&self, order: &Order) -> Vec<&'static str> {
        let entries = self.store.audit();
        let of_session = entries
            .iter()
            .filter(|entry| entry.session == Some(order.id));
        of_session.map(|entry| entry.action.name()).collect()
    }
}
