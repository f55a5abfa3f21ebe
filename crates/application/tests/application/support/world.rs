//! A deployment: a store, a PSP, a clock, and the process that uses them.

use std::sync::Arc;

use futures_util::FutureExt;
use oncharge_application::{App, Dependencies, Settings};
use oncharge_domain::{
    audit::AuditAction, keyring::Keyring, merchant::Merchant, psp::PspAccount, time::Timestamp,
};
use oncharge_ports::{Clock, MerchantRepository, Store, WebhookRepository};
use oncharge_testkit::{
    Builder, FakeClock, MemoryStore, PlainPresenter, ScriptedPsp, ScriptedSender, SeededEntropy,
};

use super::{
    fault_plan::FaultPlan, faulty_psp::FaultyPsp, faulty_store::FaultyStore,
    faulty_webhooks::FaultySender,
};

/// A deployment with one merchant who has a webhook endpoint; `app` is the process, and everything
/// else survives its crash.
#[derive(Clone)]
pub(crate) struct World {
    pub(crate) app: App,
    pub(crate) clock: Arc<FakeClock>,
    pub(crate) store: Arc<MemoryStore>,
    /// The PSP of the merchant's account.
    pub(crate) psp: ScriptedPsp,
    pub(crate) merchant_server: ScriptedSender,
    pub(crate) fault_plan: Arc<FaultPlan>,
    pub(crate) merchant: Arc<Merchant>,
    pub(crate) build: Arc<Builder>,
    psps: [ScriptedPsp; 2],
    /// What each process of the deployment is wired to.
    dependencies: Dependencies,
}

impl World {
    /// With sessions captured by the merchant.
    pub(crate) fn new() -> Self {
        Self::with(|merchant, _| merchant.automatic_capture = false)
    }

    /// With automatic capture after this many seconds.
    pub(crate) fn capturing_after(seconds: u32) -> Self {
        Self::with(|merchant, _| merchant.capture_delay_seconds = seconds)
    }

    /// With changed settings of the merchant (default: automatic capture after an hour) or the
    /// deployment.
    pub(crate) fn with(change: impl FnOnce(&mut Merchant, &mut Settings)) -> Self {
        let build = Arc::new(Builder::new(7));
        let (mut merchant, mut settings) = (build.merchant(), Settings::default());
        change(&mut merchant, &mut settings);
        let clock = Arc::new(FakeClock::new());
        let store = Arc::new(MemoryStore::new(clock.clone()));
        add_merchant(&store, &build, &merchant);
        let psps = [ScriptedPsp::new(), ScriptedPsp::new()];
        let (psp, fault_plan) = (psps[0].clone(), Arc::new(FaultPlan::new()));
        let merchant_server = ScriptedSender::new();
        let dependencies = dependencies(
            &store,
            &psps,
            &merchant_server,
            &fault_plan,
            &clock,
            settings,
        );
        Self {
            app: App::new(dependencies.clone()),
            clock,
            store,
            psp,
            merchant_server,
            fault_plan,
            merchant: Arc::new(merchant),
            build,
            psps,
            dependencies,
        }
    }

    /// The same deployment with a new process, which has no in-memory state.
    pub(crate) fn restarted(&self) -> Self {
        self.as_merchant(self.merchant.clone())
    }

    /// The same deployment, used by another merchant.
    pub(crate) fn of_another_merchant(&self) -> Self {
        let merchant = self.build.merchant();
        add_merchant(&self.store, &self.build, &merchant);
        self.as_merchant(Arc::new(merchant))
    }

    /// The same deployment, used by a merchant whose account is at another PSP, which becomes
    /// `psp`.
    pub(crate) fn at_another_psp(&self) -> Self {
        let mut merchant = self.build.merchant();
        merchant.automatic_capture = self.merchant.automatic_capture;
        merchant.capture_delay_seconds = self.merchant.capture_delay_seconds;
        merchant.account = PspAccount::new("simulator", "second").unwrap();
        add_merchant(&self.store, &self.build, &merchant);
        Self {
            psp: self.psps[1].clone(),
            ..self.as_merchant(Arc::new(merchant))
        }
    }

    /// The same deployment on another node, whose clock is this many seconds ahead of the store's.
    pub(crate) fn on_a_node_ahead(&self, seconds: i64) -> (Self, Arc<FakeClock>) {
        let clock = Arc::new(FakeClock::new());
        clock.set(self.now().plus_seconds(seconds));
        let app = App::new(Dependencies {
            clock: clock.clone(),
            ..self.dependencies.clone()
        });
        let node = Self {
            app,
            ..self.clone()
        };
        (node, clock)
    }

    fn as_merchant(&self, merchant: Arc<Merchant>) -> Self {
        Self {
            app: App::new(self.dependencies.clone()),
            merchant,
            ..self.clone()
        }
    }

    /// Another process of this deployment with these keys and peppers.
    pub(crate) fn process_with(&self, keys: Keyring, peppers: Keyring) -> App {
        App::new(Dependencies {
            keys,
            peppers,
            ..self.dependencies.clone()
        })
    }

    /// The same deployment through another process.
    pub(crate) fn at(&self, app: App) -> Self {
        Self {
            app,
            ..self.clone()
        }
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }
}

fn add_merchant(store: &MemoryStore, build: &Builder, merchant: &Merchant) {
    let (key, hash) = build.api_key(merchant);
    let audit = build.audit(AuditAction::MerchantCreated);
    let adding = store.create(merchant, &key, &hash, &audit);
    adding
        .now_or_never()
        .expect("no waiting in memory")
        .unwrap();
    let endpoint = build.endpoint(merchant, &key);
    let audit = build.audit(AuditAction::EndpointSet);
    let setting = store.set_endpoint(&endpoint, &audit);
    setting
        .now_or_never()
        .expect("no waiting in memory")
        .unwrap();
}

fn dependencies(
    store: &Arc<MemoryStore>,
    psps: &[ScriptedPsp; 2],
    merchant_server: &ScriptedSender,
    fault_plan: &Arc<FaultPlan>,
    clock: &Arc<FakeClock>,
    settings: Settings,
) -> Dependencies {
    let keys = "k1:AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=";
    let peppers = "p2:AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgI= \
                   p1:AwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwM=";
    let faulty = Arc::new(FaultyStore {
        inner: store.clone(),
        fault_plan: fault_plan.clone(),
    });
    Dependencies {
        store: Store {
            checkout: faulty.clone(),
            inbox: faulty.clone(),
            webhooks: faulty,
            ..Store::new(store.clone())
        },
        sender: Arc::new(FaultySender {
            inner: merchant_server.clone(),
            fault_plan: fault_plan.clone(),
        }),
        psps: Arc::new(FaultyPsp {
            inner: psps[0].clone(),
            other: psps[1].clone(),
            fault_plan: fault_plan.clone(),
        }),
        presenter: Arc::new(PlainPresenter),
        clock: clock.clone(),
        entropy: Arc::new(SeededEntropy::new(11)),
        keys: Keyring::parse(keys).unwrap(),
        peppers: Keyring::parse(peppers).unwrap(),
        settings,
    }
}
