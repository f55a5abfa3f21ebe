//! Two nodes on one PostgreSQL database, and a PSP that sends its whole backlog of notifications
//! again, in random order, to both nodes concurrently: no result is dropped.
//!
//! `ONCHARGE_REPLAY_SESSIONS` (default 60) and `ONCHARGE_REPLAY_SEED` (default: the time) configure
//! it; the seed is printed.

use std::{
    collections::BTreeMap,
    net::TcpListener,
    sync::{Arc, Mutex},
    time::{SystemTime, UNIX_EPOCH},
};

use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};
use futures_util::{StreamExt, future::join_all, stream};
use serde_json::json;

use crate::support::{Cluster, Database, Shop, eventually, node::Node, shop::GOOD_CARD};

/// Maximum number of concurrent requests.
const CONCURRENCY: usize = 16;
const NOTIFICATION_PATH: &str = "/webhooks/psp/simulator/default";
const SIGNATURE: &str = "X-Psp-Signature";

/// How long the PSP may take to finish all operations, and the nodes to apply the results, in
/// seconds.
fn time_limit(sessions: u64) -> u64 {
    120 + sessions / 5
}

/// A recorded notification of the PSP.
#[derive(Clone)]
struct Notification {
    signature: String,
    body: web::Bytes,
}

/// Receives the notifications in place of the nodes.
struct Collector {
    origin: String,
    collected: Arc<Mutex<Vec<Notification>>>,
}

impl Collector {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let origin = format!("http://{}", listener.local_addr().unwrap());
        let collected = Arc::new(Mutex::new(Vec::new()));
        let shared = collected.clone();
        let server = HttpServer::new(move || {
            let collected = shared.clone();
            let collect = move |request: HttpRequest, body: web::Bytes| {
                let signature = request.headers().get(SIGNATURE).unwrap();
                let signature = signature.to_str().unwrap().to_owned();
                let notification = Notification { signature, body };
                collected.lock().unwrap().push(notification);
                async { HttpResponse::Ok().finish() }
            };
            App::new().route(NOTIFICATION_PATH, web::post().to(collect))
        });
        let server = server.workers(1).disable_signals().listen(listener);
        tokio::spawn(server.unwrap().run());
        Self { origin, collected }
    }

    fn take(&self) -> Vec<Notification> {
        std::mem::take(&mut *self.collected.lock().unwrap())
    }
}

/// Two nodes, neither of which receives the PSP's notifications.
struct Deployment {
    cluster: Cluster,
    nodes: [Node; 2],
    shop: Shop,
    collector: Collector,
    random: fastrand::Rng,
    /// In seconds.
    time_limit: u64,
}

impl Deployment {
    async fn start(seed: u64, time_limit: u64) -> Self {
        let cluster = Cluster::start(Database::Postgres.fresh().await).await;
        let collector = Collector::start();
        let settings = [("PSP__DEFAULT__NOTIFY_URL", collector.origin.as_str())];
        let first = cluster.ready_node(&settings).await;
        let second = cluster.ready_node(&settings).await;
        Self {
            shop: cluster.merchant(&first),
            nodes: [first, second],
            cluster,
            collector,
            random: fastrand::Rng::with_seed(seed),
            time_limit,
        }
    }

    /// Runs an action for all sessions; the PSP reverses half of the executed operations. Then
    /// replays the PSP's notifications.
    async fn phase<F>(&mut self, kind: &str, sessions: &[String], act: impl Fn(String) -> F)
    where
        F: Future<Output = ()>,
    {
        let (reversed, kept): (Vec<_>, Vec<_>) =
            sessions.iter().enumerate().partition(|(n, _)| n % 2 == 0);
        // Only for authorizations does the PSP report acceptance and reversal separately. Few
        // responses are lost, so that the circuit breaker stays closed.
        let reversing = if kind == "authorise" {
            json!({ "asynchronous": true, "fail_late": [kind] })
        } else {
            json!({ "drop_after_work_rate": 0.3, "fail_late": [kind] })
        };
        let keeping = json!({ "asynchronous": true });
        for (sessions, faults) in [(kept, keeping), (reversed, reversing)] {
            self.shop.faults(faults).await;
            let acting = sessions
                .into_iter()
                .map(|(_, session)| act(session.clone()));
            stream::iter(acting)
                .buffer_unordered(CONCURRENCY)
                .collect::<Vec<()>>()
                .await;
        }
        self.replay().await;
    }

    /// Waits until the PSP has nothing left to execute or send. Then sends every notification to
    /// both nodes concurrently, in a different random order to each.
    async fn replay(&mut self) {
        self.cluster.wait_for_idle_psp(self.time_limit).await;
        let backlog = self.collector.take();
        let orders = [(); 2].map(|()| {
            let mut shuffled = backlog.clone();
            self.random.shuffle(&mut shuffled);
            shuffled
        });
        let to_each = self.nodes.iter().zip(orders);
        let sending = to_each.map(|(node, notifications)| {
            let url = format!("{}{NOTIFICATION_PATH}", node.base());
            self.send_all(url, notifications)
        });
        join_all(sending).await;
        for node in &self.nodes {
            eventually(self.time_limit, "an empty inbox", || async {
                let (_, metrics) = node.ops("/metrics").await.unwrap();
                let empty = "oncharge_queue_depth{queue=\"inbox\"} 0";
                let found = metrics.lines().find(|line| line.contains("\"inbox\""));
                let is_empty = metrics.lines().any(|line| line == empty);
                is_empty.then_some(()).ok_or_else(|| format!("{found:?}"))
            })
            .await;
        }
    }

    async fn send_all(&self, url: String, notifications: Vec<Notification>) {
        let sending = notifications.into_iter().map(|notification| {
            let request = self.shop.http.post(&url).body(notification.body);
            let request = request.header(SIGNATURE, notification.signature);
            async move {
                let response = request.send().await;
                assert_eq!(response.unwrap().status().as_u16(), 200);
            }
        });
        stream::iter(sending)
            .buffer_unordered(CONCURRENCY)
            .collect::<Vec<()>>()
            .await;
    }

    /// Those of these sessions that have this status.
    async fn in_status(&self, sessions: &[String], status: &str) -> Vec<String> {
        let mut found = Vec::new();
        for session in sessions {
            if self.shop.session(session).await["status"] == status {
                found.push(session.clone());
            }
        }
        found
    }
}

/// The differences between the API and the PSP's ledger for a session.
async fn difference(shop: &Shop, id: &str) -> Option<String> {
    let session = shop.session(id).await;
    let mut sums: BTreeMap<String, i64> = BTreeMap::new();
    for (kind, amount) in shop.ledger(id).await {
        *sums.entry(kind).or_default() += amount;
    }
    let sum = |kind: &str| sums.get(kind).copied().unwrap_or_default();
    let (captured, refunded) = (sum("capture"), sum("refund"));
    let held = sum("authorise") - sum("void") - captured;
    let amount = |member: &str| session[member].as_i64().unwrap();
    let agrees = match session["status"].as_str().unwrap() {
        "authorized" => held == amount("amount_authorized") && captured == 0,
        "captured" => {
            captured == amount("amount_captured") && refunded == amount("amount_refunded")
        }
        // A reversed capture leaves its authorization used up.
        "error" => captured == 0,
        _ => held == 0 && captured == 0,
    };
    (!agrees).then(|| format!("{session}\n  ledger: {sums:?}"))
}

fn number_from(variable: &str, default: u64) -> u64 {
    std::env::var(variable).map_or(default, |text| text.parse().expect(variable))
}

#[tokio::test(flavor = "multi_thread")]
async fn no_result_of_a_replayed_backlog_is_dropped() {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let seed = number_from("ONCHARGE_REPLAY_SEED", now.as_secs());
    let count = number_from("ONCHARGE_REPLAY_SESSIONS", 60);
    eprintln!("{count} sessions, seed {seed}");
    let mut deployment = Deployment::start(seed, time_limit(count)).await;
    let shop = deployment.shop.clone();

    shop.faults(json!({ "asynchronous": true })).await;
    let creating = (0..count).map(|_| shop.create(json!({ "capture": "manual" })));
    let created: Vec<(String, String)> = stream::iter(creating)
        .buffer_unordered(CONCURRENCY)
        .collect()
        .await;
    let tokens: BTreeMap<String, String> = created.into_iter().collect();
    let sessions: Vec<String> = tokens.keys().cloned().collect();

    let pay = |id: String| {
        let (shop, tokens) = (&shop, &tokens);
        async move {
            let paid = shop.pay(&id, &tokens[&id], GOOD_CARD).await.expect(200);
            assert_eq!(paid["status"], "pending", "{paid}");
        }
    };
    deployment.phase("authorise", &sessions, pay).await;

    let authorized = deployment.in_status(&sessions, "authorized").await;
    let (to_cancel, to_capture) = authorized.split_at(authorized.len() / 4);
    let modify = |action: &'static str| {
        let shop = &shop;
        move |id: String| async move {
            let target = format!("/v1/checkout/sessions/{id}/{action}");
            let response = shop.post(&target, &json!({})).await;
            assert!([200, 202].contains(&response.status), "{response:?}");
        }
    };
    deployment
        .phase("cancel", to_cancel, modify("cancel"))
        .await;
    deployment
        .phase("capture", to_capture, modify("capture"))
        .await;

    let captured = deployment.in_status(&sessions, "captured").await;
    let refund = |id: String| {
        let shop = &shop;
        async move {
            let refund = json!({
                "session_id": id, "amount": 2500, "currency": "EUR", "reference": "back",
            });
            shop.post("/v1/refunds", &refund).await.expect(201);
        }
    };
    deployment.phase("refund", &captured, refund).await;

    shop.faults(json!({})).await;
    // Compensations cause further notifications.
    for _ in 0..2 {
        deployment.replay().await;
    }
    audit(&deployment, &sessions).await;
}

/// Waits until every session agrees with the PSP's ledger, after compensations have ended.
async fn audit(deployment: &Deployment, sessions: &[String]) {
    let shop = &deployment.shop;
    let mut statuses: BTreeMap<String, usize> = BTreeMap::new();
    for id in sessions {
        eventually(60, "a session that agrees with the ledger", || async {
            difference(shop, id).await.map_or(Ok(()), Err)
        })
        .await;
        let status = shop.session(id).await["status"].to_string();
        *statuses.entry(status).or_default() += 1;
    }
    eprintln!("{statuses:?}");
    assert!(
        statuses.len() >= 4,
        "not every outcome occurs: {statuses:?}"
    );
    let reconciled = deployment.nodes[0].command(&["reconcile", "--since", "2020-01-01T00:00:00Z"]);
    let found = String::from_utf8_lossy(&reconciled.stdout);
    assert!(reconciled.status.success(), "reconcile finds {found}");
}
