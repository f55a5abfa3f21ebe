#![allow(
    missing_docs,
    clippy::all,
    clippy::pedantic,
    clippy::unwrap_used,
    clippy::print_stdout
)]
use oncharge_adapter_sqlite::SqliteStore;
use oncharge_domain::{
    audit::AuditAction,
    idempotency::RequestFingerprint,
    session::{EventKind, Session},
};
use oncharge_ports::unit_of_work::KeyWrite;
use oncharge_ports::*;
use oncharge_testkit::{Builder, SeededEntropy};
use std::{sync::Arc, time::Instant};

#[tokio::main(worker_threads = 2)]
async fn main() {
    let dir = std::env::args().nth(1).unwrap();
    let clients: usize = std::env::args().nth(2).unwrap().parse().unwrap();
    let path = format!("{dir}/bench{clients}.db");
    let store = SqliteStore::open(
        &path,
        oncharge_conformance::keys(),
        Arc::new(SeededEntropy::new(1)),
    )
    .unwrap();
    let build = Arc::new(Builder::new(clients as u64));
    let merchant = build.merchant();
    let (k, h) = build.api_key(&merchant);
    store
        .create(
            &merchant,
            &k,
            &h,
            &build.audit(AuditAction::MerchantCreated),
        )
        .await
        .unwrap();
    let n = 6000 / clients;
    let start = Instant::now();
    let mut tasks = vec![];
    for c in 0..clients {
        let (store, build, merchant) = (store.clone(), build.clone(), merchant.clone());
        tasks.push(tokio::spawn(async move {
            let mut ids = vec![];
            for i in 0..n {
                let session = build.session(&merchant);
                let mut unit = build.unit(session.clone());
                unit.key = Some(KeyWrite::Answer {
                    scope: build.scope(&merchant, &format!("k{c}-{i}")),
                    fingerprint: RequestFingerprint::of("POST", "/", b""),
                    answer: RememberedAnswer {
                        status: 201,
                        content_type: "application/json".into(),
                        body: vec![b'x'; 300],
                    },
                    at: build.now(),
                });
                unit.session.next_sequence = 2;
                unit.events = vec![build.event(&session, 1, EventKind::PaymentAuthorized)];
                ids.push(unit.session.id);
                store.commit(unit).await.unwrap();
            }
            ids
        }));
    }
    let mut ids = vec![];
    for t in tasks {
        ids.extend(t.await.unwrap());
    }
    let e = start.elapsed();
    println!(
        "{clients} clients: {:.0} creates/s (key+session+event)",
        ids.len() as f64 / e.as_secs_f64()
    );
    let start = Instant::now();
    let mut sessions: Vec<Session> = vec![];
    for id in &ids {
        sessions.push(store.session(*id).await.unwrap().unwrap());
    }
    println!(
        "get on one thread: {:.0}/s",
        ids.len() as f64 / start.elapsed().as_secs_f64()
    );
    let start = Instant::now();
    for s in sessions.iter().take(3000) {
        store.commit(build.next_unit(s)).await.unwrap();
    }
    println!(
        "updates, one client: {:.0}/s",
        3000.0 / start.elapsed().as_secs_f64()
    );
}
