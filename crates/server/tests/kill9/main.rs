//! The reliability harness: merchants and shoppers send requests while the PSP and the merchants'
//! servers fail, database connections break and nodes are killed with SIGKILL; then the load stops,
//! and every cent and every event is accounted for.
//!
//! `ONCHARGE_KILL9_ROUNDS` (default 1) and `ONCHARGE_KILL9_SEED` (default 7) configure it. A seed
//! repeats the plan of orders, faults and kills, but not the timing. `just kill9` runs many rounds.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "a test may panic, print, and look at the clock and the environment"
)]

mod audit;
mod behavior;
mod clients;
mod cluster;
mod database_state;
mod disruption_counts;
mod events;
mod evidence;
mod faults;
mod load;
mod money;
mod node;
mod operators;
mod order_check;
mod order_record;
mod plan;
mod receiver;
#[path = "../shared/shared.rs"]
mod shared;

use std::{panic::resume_unwind, sync::Arc, time::Instant};

use audit::Audit;
use clients::Clients;
use cluster::Cluster;
use database_state::DatabaseState;
use plan::RoundPlan;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

/// Maximum number of findings that a failing test prints.
const MAX_SHOWN: usize = 12;

#[tokio::test(flavor = "multi_thread")]
async fn one_node_on_the_embedded_file() {
    run_test("sqlite", DatabaseState::embedded(), 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_nodes_on_one_postgres() {
    run_test("postgres", DatabaseState::postgres().await, 2).await;
}

fn number_from(variable: &str, default: u64) -> u64 {
    std::env::var(variable).map_or(default, |text| text.parse().expect(variable))
}

async fn run_test(name: &'static str, database_state: DatabaseState, nodes: usize) {
    let database_state = Arc::new(database_state);
    let rounds = tokio::spawn(run_all_rounds(name, database_state.clone(), nodes));
    let ended = rounds.await;
    database_state.drop_database().await;
    if let Err(failed) = ended {
        resume_unwind(failed.into_panic());
    }
}

async fn run_all_rounds(name: &'static str, database_state: Arc<DatabaseState>, nodes: usize) {
    let (rounds, seed) = (
        number_from("ONCHARGE_KILL9_ROUNDS", 1),
        number_from("ONCHARGE_KILL9_SEED", 7),
    );
    let (began, cluster) = (
        now(),
        Arc::new(Cluster::start(&database_state, nodes).await),
    );
    let mut audit = Audit::default();
    for round in 0..rounds {
        let plan = RoundPlan::new(seed, round, &cluster.participants());
        run_round(name, &database_state, &cluster, &plan, &mut audit).await;
        if round + 1 == rounds && audit.findings().is_empty() {
            // A final check over all rounds.
            audit.operators(&cluster, &began).await;
        }
        let findings = audit.findings();
        if !findings.is_empty() {
            cluster.stop_all();
            let shown = &findings[..findings.len().min(MAX_SHOWN)];
            let run = format!("{name}-seed{seed}-round{round}");
            let saved = evidence::save(&database_state, &cluster, &run, shown).await;
            // Before the panic, so that the nodes do not print their logs.
            drop(cluster);
            panic!(
                "{name}, seed {seed}, round {round}:\n{}\n{} findings\n{}\n{saved}",
                plan.outline(),
                findings.len(),
                shown.join("\n"),
            );
        }
    }
    println!("{name}: {}", audit.summary());
    println!("{name}: {}", database_state.operations().await);
    println!("{name}: {}", database_state.statistics().await);
    println!("{name}: 0 lost, 0 doubled, 0 stuck in {rounds} rounds of seed {seed}");
}

fn now() -> String {
    OffsetDateTime::now_utc().format(&Rfc3339).unwrap()
}

async fn run_round(
    name: &str,
    database_state: &DatabaseState,
    cluster: &Arc<Cluster>,
    plan: &RoundPlan,
    audit: &mut Audit,
) {
    for receiver in &cluster.receivers {
        receiver.clear();
    }
    let clients = Arc::new(Clients::new(cluster, Instant::now() + plan.duration));
    let (began, loaded) = (now(), Instant::now());
    let (mut order_records, disruption_counts) =
        tokio::join!(load::run(&clients, plan), cluster.run_faults(plan));
    audit.add(&disruption_counts);
    cluster.wait_until_ready().await;
    let loaded = loaded.elapsed();
    // After the load: open work ends, and requests without a response are repeated.
    let quiet = Instant::now();
    audit
        .wait_for_quiescence(database_state, quiet + audit::QUIESCENCE_TIMEOUT)
        .await;
    if !audit.findings().is_empty() {
        return;
    }
    let retrying_clients = Clients::new(cluster, Instant::now() + audit::READ_TIMEOUT);
    load::retry_without_response(&retrying_clients, &mut order_records).await;
    audit
        .wait_for_quiescence(database_state, quiet + audit::QUIESCENCE_TIMEOUT)
        .await;
    let (last, quiet) = (audit.last().to_owned(), quiet.elapsed());
    let audited = Instant::now();
    let auditors = Clients::new(cluster, Instant::now() + audit::READ_TIMEOUT);
    audit.redeliver(&auditors, cluster, database_state).await;
    let seen = audit
        .check_orders(&auditors, cluster, plan, &order_records)
        .await;
    audit.check_databases(database_state).await;
    audit.operators(cluster, &began).await;
    println!(
        "{name} round {}, {} shoppers for {:?}:\n{}\n  {seen}\n  {disruption_counts}; {}\n  so far: {}\n  load {:.1} s, quiet after {:.1} s (the last: {last}), audited in {:.1} s",
        plan.round,
        plan.shoppers,
        plan.duration,
        plan.outline(),
        clients.tally(),
        database_state.statistics().await,
        loaded.as_secs_f32(),
        quiet.as_secs_f32(),
        audited.elapsed().as_secs_f32(),
    );
}
