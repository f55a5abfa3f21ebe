//! Measures how many events are delivered per second, to one merchant and to many, and the store's
//! share of the time.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use clap::Args;
use oncharge::SystemClock;
use oncharge_adapter_webhook::HttpSender;
use oncharge_application::workers::runner;
use oncharge_ports::WebhookSender;

use crate::{
    app,
    database::{DatabaseArgs, Kind},
    gauges, print, print_note,
    receiver::{NullSender, Receiver},
    sample, shops, table,
};

/// The wait after the last event's arrival until the final writes are completed.
const WRITE_DELAY: Duration = Duration::from_millis(300);

/// The input of the measurement.
#[derive(Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    databases: DatabaseArgs,
    /// Total number of events.
    #[arg(long, default_value_t = 4000)]
    events: usize,
    /// The numbers of merchants, one per measurement; the events are divided among them.
    #[arg(long, value_delimiter = ',', default_values_t = [1, 20, 1000])]
    merchants: Vec<usize>,
}

/// Measures and prints a table.
pub(crate) async fn run(args: Arguments) -> anyhow::Result<()> {
    let mut lines = Vec::new();
    for kind in Kind::BOTH {
        for merchants in args.merchants.iter().copied() {
            for http in [true, false] {
                let line = measure(&args, kind, merchants, http).await?;
                print_note(line.join(", "));
                lines.push(line);
            }
        }
    }
    let header = [
        "database",
        "merchants",
        "sent by",
        "deliveries/s",
        "round trips",
        "this process CPU µs",
        "PostgreSQL CPU µs",
    ];
    Ok(print(table::table(header, lines))?)
}

/// One measurement; the CPU time of this process includes that of the merchants' server.
async fn measure(
    args: &Arguments,
    kind: Kind,
    merchants: usize,
    http: bool,
) -> anyhow::Result<[String; 7]> {
    let database = args.databases.create(kind).await?;
    let receiver = Receiver::start()?;
    let arrivals = receiver.arrivals.clone();
    let sender: Arc<dyn WebhookSender> = if http {
        Arc::new(HttpSender::new(Arc::new(SystemClock), true)?)
    } else {
        Arc::new(NullSender(arrivals.clone()))
    };
    let components = app::open(&database, sender).await?;
    let merchant_ids =
        shops::create_merchants(&components, receiver.urls(merchants, false)).await?;
    shops::create_events(&components, &merchant_ids, args.events.div_ceil(merchants)).await?;
    let all = args.events.div_ceil(merchants) * merchants;
    let postgres_pid = args
        .databases
        .postgres_pid
        .filter(|_| kind == Kind::Postgres);
    let read_counters = || {
        let trips = components.round_trips.as_ref().map(|count| count());
        let process_seconds = gauges::cpu_seconds(std::process::id())?;
        let postgres_seconds = postgres_pid.map(gauges::process_tree_seconds).transpose()?;
        anyhow::Ok((trips, process_seconds, postgres_seconds))
    };
    let before = read_counters()?;
    let started = Instant::now();
    let workers = runner::start(&components.app);
    arrivals.wait_for(all).await?;
    let elapsed = started.elapsed();
    tokio::time::sleep(WRITE_DELAY).await;
    let after = read_counters()?;
    workers.stop().await;
    receiver.stop().await;
    let count = sample::as_float(all);
    let trips = after.0.zip(before.0).map(|(after, before)| after - before);
    let trips = trips.and_then(|trips| u32::try_from(trips).ok());
    let postgres_seconds = after.2.zip(before.2).map(|(after, before)| after - before);
    Ok([
        kind.name().to_owned(),
        merchants.to_string(),
        if http { "HTTP" } else { "nothing" }.to_owned(),
        table::integer(Some(count / elapsed.as_secs_f64())),
        table::two_decimals(trips.map(|trips| f64::from(trips) / count)),
        table::micros(Some((after.1 - before.1) / count)),
        table::micros(postgres_seconds.map(|seconds| seconds / count)),
    ])
}
