//! The reliability harness: merchants and shoppers keep on while the PSP misbehaves, the line to
//! the database breaks and nodes are killed with SIGKILL; then, in the quiet, every cent is
//! accounted for.
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
mod line;
mod load;
mod money;
mod node;
mod plan;
#[expect(
    dead_code,
    reason = "the other tests' shop can do more than is needed here"
)]
#[path = "../it/support/shop.rs"]
mod shop;
mod story;
mod truth;

use std::{panic::resume_unwind, sync::Arc, time::Instant};

use audit::Audit;
use crew::Crew;
use node::Stage;
use plan::RoundPlan;
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
    let stage = Arc::new(Stage::set(&truth, nodes).await);
    let mut audit = Audit::default();
    for round in 0..rounds {
        let plan = RoundPlan::new(seed, round, nodes, truth.is_postgres());
        one_round((name, &truth), &stage, &plan, &mut audit).await;
        let findings = audit.findings();
        if !findings.is_empty() {
            stage.stop_all();
            panic!(
                "{name}, seed {seed}, round {round}: {} findings\n{}\nlogs:\n{}",
                findings.len(),
                findings[..findings.len().min(SHOWN)].join("\n"),
                stage.logs_about(&findings[..findings.len().min(SHOWN)].concat()),
            );
        }
    }
    println!("{name}: {}", audit.summary());
    println!("{name}: {}", truth.operations().await);
    println!("{name}: 0 lost, 0 doubled, 0 stuck in {rounds} rounds of seed {seed}");
}

async fn one_round(
    (name, truth): (&str, &Truth),
    stage: &Arc<Stage>,
    plan: &RoundPlan,
    audit: &mut Audit,
) {
    let crew = Arc::new(Crew::hire(stage, Instant::now() + plan.lasts));
    let loaded = Instant::now();
    let (mut stories, done) = tokio::join!(load::run(&crew, plan), stage.trouble(plan));
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
    let (quiet, audited) = (quiet.elapsed(), Instant::now());
    let auditors = Crew::hire(stage, Instant::now() + audit::PATIENCE);
    let seen = audit.look(&auditors, plan, stories).await;
    audit.books(truth).await;
    println!(
        "{name} round {}, {} shoppers for {:?}:\n{}\n  {seen}\n  {done}; {}\n  load {:.1} s, quiet after {:.1} s (the last: {}), audited in {:.1} s",
        plan.round,
        plan.shoppers,
        plan.lasts,
        plan.outline(),
        crew.tally(),
        loaded.as_secs_f32(),
        quiet.as_secs_f32(),
        audit.last(),
        audited.elapsed().as_secs_f32(),
    );
}
