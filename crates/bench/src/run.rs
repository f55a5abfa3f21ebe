//! The complete run: the measurements, their order, and their ratios.

use std::{path::PathBuf, sync::Arc, time::Duration};

use anyhow::ensure;
use clap::Args;
use hyper::StatusCode;
use serde_json::json;

use crate::{
    baseline::Baseline,
    disk,
    gauges::Gauges,
    load::{Load, RequestFactory},
    merchant::{Merchant, REFUNDS, SESSIONS, order},
    payments,
    pgbench::{self, Pgbench, PgbenchResult, Script},
    print, print_note,
    sample::{Sample, as_float},
    service::Service,
    table::{self, LimitRow, Ratios, Row},
};

/// Numbers of concurrent connections: few, and more than any pool has.
const CONNECTIONS: [usize; 2] = [8, 64];
/// Duration of a load before the measurement, for opening connections and preparing statements.
const WARM_UP: Duration = Duration::from_secs(1);
/// Number of sessions to get and to refund.
const SESSIONS_TO_GET: usize = 2000;
const SESSIONS_TO_REFUND: usize = 1024;

/// The input of the measurements.
#[derive(Args)]
pub(crate) struct Arguments {
    /// The service's binary.
    #[arg(long)]
    oncharge: PathBuf,
    /// The pgbench binary.
    #[arg(long)]
    pgbench: PathBuf,
    /// An empty database on PostgreSQL.
    #[arg(long)]
    postgres_url: String,
    /// The process id of PostgreSQL's first process, to measure its CPU time.
    #[arg(long)]
    postgres_pid: Option<u32>,
    /// Duration of each measurement, in seconds.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..))]
    seconds: u64,
    /// The directory of the services' data; its disk is measured.
    #[arg(long)]
    directory: PathBuf,
}

/// The limits against which the service is compared, in calls per second.
#[derive(Default)]
struct Limits {
    rows: Vec<LimitRow>,
    /// The constant response, for each of [`CONNECTIONS`].
    baseline: Vec<f64>,
    disk: f64,
}

/// A request to the service: its factory, expected status, and statements.
struct Request {
    name: &'static str,
    script: Script,
    load: Load,
}

/// Runs all measurements and prints the tables.
pub(crate) async fn run(args: Arguments) -> anyhow::Result<()> {
    let duration = Duration::from_secs(args.seconds);
    let mut limits = Limits::default();
    print_note("disk");
    limits.disk = disk::syncs_per_second(&args.directory, Duration::from_secs(2))?;
    limits.add("4 KiB, fdatasync", 1, limits.disk, None, (None, None));
    baseline(&mut limits, duration).await?;

    let mut rows = Vec::new();
    let service = Service::start(&args.oncharge, &args.directory.join("sqlite"), None)?;
    let service = Arc::new(service);
    for request in requests(&service).await? {
        rows.extend(measure("SQLite", &request, &service.gauges(None), &limits, duration).await?);
    }
    drop(service);
    rows.extend(measure_postgres(&args, &mut limits, duration).await?);

    print(table::limits(&limits.rows))?;
    print(table::requests(&rows))?;
    check_errors(&rows)
}

/// Measures the service on PostgreSQL, each request directly after its limit, so that both run
/// under the same conditions.
async fn measure_postgres(
    args: &Arguments,
    limits: &mut Limits,
    duration: Duration,
) -> anyhow::Result<Vec<Row>> {
    let directory = args.directory.join("postgres");
    let service = Service::start(&args.oncharge, &directory, Some(&args.postgres_url))?;
    let service = Arc::new(service);
    let pgbench = Pgbench {
        program: &args.pgbench,
        url: &args.postgres_url,
        database: args.postgres_pid,
        merchant: &service.merchant_id,
        directory: &directory,
    };
    pgbench.seed()?;
    let mut rows = Vec::new();
    for (request, round) in requests(&service).await?.into_iter().zip(1..) {
        let (plain, pipelined) = statements(&pgbench, request.script, round, limits, duration)?;
        let gauges = service.gauges(args.postgres_pid);
        let measured_rows = measure("PostgreSQL", &request, &gauges, limits, duration).await?;
        rows.extend(measured_rows.into_iter().map(|mut row| {
            let by = |limit: f64| row.sample.per_second() / limit;
            row.ratios.statements = Some(by(plain));
            row.ratios.pipelined = pipelined.map(by);
            row
        }));
    }
    Ok(rows)
}

/// The request's statements per second through pgbench: one by one, and pipelined like the
/// service's.
fn statements(
    pgbench: &Pgbench<'_>,
    script: Script,
    round: u32,
    limits: &mut Limits,
    duration: Duration,
) -> anyhow::Result<(f64, Option<f64>)> {
    let (plain, pipelined) = match script {
        Script::Create => ("pgbench: create", Some("pgbench: create, pipelined")),
        Script::CreateOnce => (
            "pgbench: create with key",
            Some("pgbench: create with key, pipelined"),
        ),
        Script::Refund => ("pgbench: refund", None),
        Script::Get | Script::Seed => ("pgbench: get", None),
    };
    let mut run_script = |name: &'static str, is_pipelined: bool, round: u32| {
        print_note(name);
        let PgbenchResult {
            sample,
            database_seconds,
        } = pgbench.run(script, is_pipelined, round, duration)?;
        let connections = usize::try_from(pgbench::CLIENTS)?;
        limits.add(
            name,
            connections,
            sample.per_second(),
            Some(&sample),
            (None, database_seconds),
        );
        anyhow::Ok(sample.per_second())
    };
    let first = run_script(plain, false, 2 * round)?;
    let second = pipelined
        .map(|name| run_script(name, true, 2 * round + 1))
        .transpose()?;
    Ok((first, second))
}

async fn baseline(limits: &mut Limits, duration: Duration) -> anyhow::Result<()> {
    let server = Baseline::start()?;
    let merchant = Merchant::new(server.address, "ock_constant".to_owned(), "ocs_constant");
    let make_request: RequestFactory = Arc::new(move |_, _| merchant.get(SESSIONS));
    let load = Load {
        address: server.address,
        make_request,
        expected: StatusCode::OK,
    };
    let gauges = Gauges {
        server: server.pid(),
        database: None,
        operators: None,
    };
    for connections in CONNECTIONS {
        print_note(format_args!("constant response, {connections} connections"));
        let result = run_load(&load, connections, &gauges, duration).await?;
        let rate = result.sample.per_second();
        limits.baseline.push(rate);
        let name = "actix-web: a constant response";
        limits.add(
            name,
            connections,
            rate,
            Some(&result.sample),
            result.seconds,
        );
    }
    Ok(())
}

/// The requests, with the sessions that they use.
async fn requests(service: &Arc<Service>) -> anyhow::Result<Vec<Request>> {
    print_note("sessions to get and to refund");
    let (to_get, to_refund) = (
        payments::create_sessions(service, SESSIONS_TO_GET).await?,
        payments::capture_sessions(service, SESSIONS_TO_REFUND).await?,
    );
    let request = |name, script, make_request: RequestFactory, expected| Request {
        name,
        script,
        load: Load {
            address: service.merchant.address,
            make_request,
            expected,
        },
    };
    let create = |with_key: bool| -> RequestFactory {
        let (service, body) = (Arc::clone(service), order().to_string());
        Arc::new(move |_, _| {
            let key = with_key.then(|| service.merchant.new_key());
            service.merchant.post(SESSIONS, body.clone(), key)
        })
    };
    Ok(vec![
        request("create", Script::Create, create(false), StatusCode::CREATED),
        request(
            "create with key",
            Script::CreateOnce,
            create(true),
            StatusCode::CREATED,
        ),
        request("get", Script::Get, get(service, to_get), StatusCode::OK),
        request(
            "refund with key",
            Script::Refund,
            refund(service, to_refund),
            StatusCode::CREATED,
        ),
    ])
}

fn get(service: &Arc<Service>, ids: Vec<String>) -> RequestFactory {
    let service = Arc::clone(service);
    Arc::new(move |connection, turn| {
        // Both steps are coprime to the count, so that every session is used.
        let at = (connection * 7919 + turn * 31) % ids.len();
        let id = ids.get(at).map_or("", String::as_str);
        service.merchant.get(&format!("{SESSIONS}/{id}"))
    })
}

/// Each connection refunds its own sessions one by one: concurrent refunds of one session would
/// measure lock contention.
fn refund(service: &Arc<Service>, ids: Vec<String>) -> RequestFactory {
    let service = Arc::clone(service);
    let max_connections = CONNECTIONS.into_iter().max().unwrap_or(1);
    Arc::new(move |connection, turn| {
        let at = connection + max_connections * (turn % (ids.len() / max_connections));
        let session = ids.get(at).map_or("", String::as_str);
        let body = json!({
            "session_id": session, "amount": 1, "currency": "EUR", "reference": "refund-1",
        });
        service
            .merchant
            .post(REFUNDS, body.to_string(), Some(service.merchant.new_key()))
    })
}

/// A load and its cost for each of [`CONNECTIONS`].
async fn measure(
    database: &'static str,
    request: &Request,
    gauges: &Gauges,
    limits: &Limits,
    duration: Duration,
) -> anyhow::Result<Vec<Row>> {
    let mut rows = Vec::new();
    for (connections, baseline) in CONNECTIONS.into_iter().zip(&limits.baseline) {
        print_note(format_args!(
            "{database}: {}, {connections} connections",
            request.name
        ));
        let LoadResult {
            sample,
            round_trips,
            seconds,
            resident,
        } = run_load(&request.load, connections, gauges, duration).await?;
        let rate = sample.per_second();
        let writes = request.script != Script::Get;
        rows.push(Row {
            database,
            request: request.name,
            connections,
            round_trips,
            seconds,
            resident,
            ratios: Ratios {
                baseline: Some(rate / baseline),
                disk: writes.then_some(rate / limits.disk),
                ..Ratios::default()
            },
            sample,
        });
    }
    Ok(rows)
}

/// A load with its cost per request.
struct LoadResult {
    sample: Sample,
    round_trips: Option<f64>,
    seconds: (Option<f64>, Option<f64>),
    resident: f64,
}

async fn run_load(
    load: &Load,
    connections: usize,
    gauges: &Gauges,
    duration: Duration,
) -> anyhow::Result<LoadResult> {
    load.run(connections, WARM_UP).await?;
    let before = gauges.read().await?;
    let sample = load.run(connections, duration).await?;
    let after = gauges.read().await?;
    let count = as_float(sample.count());
    let per_request = |after: Option<f64>, before: Option<f64>| Some((after? - before?) / count);
    Ok(LoadResult {
        round_trips: per_request(after.round_trips, before.round_trips),
        seconds: (
            per_request(Some(after.server_seconds), Some(before.server_seconds)),
            per_request(after.database_seconds, before.database_seconds),
        ),
        resident: after.resident,
        sample,
    })
}

/// Errors if any response was wrong.
fn check_errors(rows: &[Row]) -> anyhow::Result<()> {
    let (mut count, mut errors) = (0, 0);
    for row in rows {
        (count, errors) = (count + row.sample.count(), errors + row.sample.errors);
        if let Some(error) = &row.sample.first_error {
            let (database, request) = (row.database, row.request);
            print_note(format_args!(
                "{database}, {request}, {}: {error}",
                row.connections
            ));
        }
    }
    print(format_args!(
        "{errors} errors in {} requests",
        count + errors
    ))?;
    ensure!(errors == 0, "{errors} responses were wrong");
    Ok(())
}

impl Limits {
    fn add(
        &mut self,
        name: &'static str,
        connections: usize,
        per_second: f64,
        sample: Option<&Sample>,
        seconds: (Option<f64>, Option<f64>),
    ) {
        let latency = sample.map(|sample| (sample.percentile(50.0), sample.percentile(99.0)));
        self.rows.push(LimitRow {
            name,
            connections,
            per_second,
            latency,
            seconds,
        });
    }
}
