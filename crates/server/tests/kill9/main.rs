//! The reliability harness: merchants and shoppers keep on while the PSP and the merchants' own
//! servers misbehave, the line to the database breaks and nodes are killed with SIGKILL; then, in
//! the quiet, every cent and every event is accounted for.
//!
//! `ONCHARGE_KILL9_ROUNDS` (1) and `ONCHARGE_KILL9_SEED` (7): the seed gives the same plan of
//! orders, faults and kills again; what meets what is up to the machine. `just kill9` runs many.
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
mod crew;
mod done;
mod events;
mod evidence;
mod faults;
mod line;
mod load;
mod look;
mod money;
mod mood;
mod node;
mod operators;
mod plan;
mod receiver;
mod shop;
mod stage;
mod story;
mod truth;

use std::{panic::resume_unwind, sync::Arc, time::Instant};

use audit::Audit;
use crew::Crew;
use plan::RoundPlan;
use stage::Stage;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};
use truth::Truth;

/// How many findings a failing test shows at most.
const SHOWN: usize = 12;

#[tokio::test(flavor = "multi_thread")]
async fn one_node_on_the_embedded_file() {
    run("sqlite", Truth::embedded(), 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_nodes_on_one_postgres() {
    run("postgres", Truth::postgres().await, 2).await;
}

fn number_from(variable: &str, default: u64) -> u64 {
    std::env::var(variable).map_or(default, |text| text.parse().expect(variable))
}

async fn run(name: &'static str, truth: Truth, nodes: usize) {
    let truth = Arc::new(truth);
    let rounds = tokio::spawn(all_rounds(name, truth.clone(), nodes));
    let ended = rounds.await;
    truth.drop_database().await;
    if let Err(failed) = ended {
        resume_unwind(failed.into_panic());
    }
}

async fn all_rounds(name: &'static str, truth: Arc<Truth>, nodes: usize) {
    let (rounds, seed) = (
        number_from("ONCHARGE_KILL9_ROUNDS", 1),
        number_from("ONCHARGE_KILL9_SEED", 7),
    );
    let (began, stage) = (now(), Arc::new(Stage::set(&truth, nodes).await));
    let mut audit = Audit::default();
    for round in 0..rounds {
        let plan = RoundPlan::new((seed, round), &stage.cast());
        one_round((name, &truth), &stage, &plan, &mut audit).await;
        if round + 1 == rounds && audit.findings().is_empty() {
            // Once more over everything.
            audit.operators(&stage, &began).await;
        }
        let findings = audit.findings();
        if !findings.is_empty() {
            stage.stop_all();
            let shown = &findings[..findings.len().min(SHOWN)];
            let run = format!("{name}-seed{seed}-round{round}");
            panic!(
                "{name}, seed {seed}, round {round}:\n{}\n{} findings\n{}\n{}",
                plan.outline(),
                findings.len(),
                shown.join("\n"),
                evidence::keep(&truth, &stage, &run, shown).await,
            );
        }
    }
    println!("{name}: {}", audit.summary());
    println!("{name}: {}", truth.operations().await);
    println!("{name}: {}", truth.traffic().await);
    println!("{name}: 0 lost, 0 doubled, 0 stuck in {rounds} rounds of seed {seed}");
}

fn now() -> String {
    OffsetDateTime::now_utc().format(&Rfc3339).unwrap()
}

async fn one_round(
    (name, truth): (&str, &Truth),
    stage: &Arc<Stage>,
    plan: &RoundPlan,
    audit: &mut Audit,
) {
    for receiver in &stage.receivers {
        receiver.forget();
    }
    let crew = Arc::new(Crew::hire(stage, Instant::now() + plan.lasts));
    let (began, loaded) = (now(), Instant::now());
    let (mut stories, done) = tokio::join!(load::run(&crew, plan), stage.trouble(plan));
    audit.add(&done);
    stage.all_well().await;
    let loaded = loaded.elapsed();
    // In the quiet: what is open comes to its end, and who got no answer asks once more.
    let quiet = Instant::now();
    audit.quiet(truth, quiet + audit::QUIET).await;
    if !audit.findings().is_empty() {
        return;
    }
    let late = Crew::hire(stage, Instant::now() + audit::PATIENCE);
    load::ask_again(&late, &mut stories).await;
    audit.quiet(truth, quiet + audit::QUIET).await;
    let (last, quiet) = (audit.last().to_owned(), quiet.elapsed());
    let audited = Instant::now();
    let auditors = Crew::hire(stage, Instant::now() + audit::PATIENCE);
    audit.redeliver(&auditors, (stage, truth)).await;
    let seen = audit.look(&auditors, (stage, plan), &stories).await;
    audit.books(truth).await;
    audit.operators(stage, &began).await;
    println!(
        "{name} round {}, {} shoppers for {:?}:\n{}\n  {seen}\n  {done}; {}\n  so far: {}\n  load {:.1} s, quiet after {:.1} s (the last: {last}), audited in {:.1} s",
        plan.round,
        plan.shoppers,
        plan.lasts,
        plan.outline(),
        crew.tally(),
        truth.traffic().await,
        loaded.as_secs_f32(),
        quiet.as_secs_f32(),
        audited.elapsed().as_secs_f32(),
    );
}
