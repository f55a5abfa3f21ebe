//! Measures the effect of hanging endpoints on other merchants: the time until all others have
//! received their events, with and without the hanging ones.

use std::{sync::Arc, time::Instant};

use clap::Args;
use oncharge::SystemClock;
use oncharge_adapter_webhook::HttpSender;
use oncharge_application::workers::runner;

use crate::{
    app,
    database::{DatabaseArgs, Kind},
    print, print_note,
    receiver::Receiver,
    sample, shops, table,
};

/// The input of the measurement.
#[derive(Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    databases: DatabaseArgs,
    /// Number of merchants that respond at once.
    #[arg(long, default_value_t = 900)]
    quick: usize,
    /// Number of merchants that accept a delivery and never respond.
    #[arg(long, default_value_t = 100)]
    hanging: usize,
    /// The numbers of events per merchant, one per measurement.
    #[arg(long, value_delimiter = ',', default_values_t = [1, 5])]
    events: Vec<usize>,
    /// Number of repetitions of each pair; the median counts.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
    times: u32,
}

/// Measures and prints a table.
pub(crate) async fn run(args: Arguments) -> anyhow::Result<()> {
    let mut lines = Vec::new();
    for kind in Kind::BOTH {
        for events in args.events.iter().copied() {
            let mut pairs = Vec::new();
            for time in 1..=args.times {
                let alone = seconds(&args, kind, events, 0).await?;
                let with_hanging = seconds(&args, kind, events, args.hanging).await?;
                print_note(format_args!(
                    "{}, {events} events each, {time}: {alone:.2} s alone, {with_hanging:.2} s with hanging",
                    kind.name()
                ));
                pairs.push(Pair {
                    alone,
                    with_hanging,
                });
            }
            lines.push(line(&args, kind, events, pairs));
        }
    }
    let header = [
        "database",
        "quick",
        "hanging",
        "events each",
        "seconds alone",
        "seconds with hanging",
        "ratio",
        "lowest",
        "highest",
        "deliveries/s alone",
    ];
    Ok(print(table::table(header, lines))?)
}

/// The seconds of two runs, one right after the other.
struct Pair {
    alone: f64,
    with_hanging: f64,
}

impl Pair {
    fn ratio(&self) -> f64 {
        self.with_hanging / self.alone
    }
}

/// The pair with the median ratio, and the smallest and largest ratio.
fn line(args: &Arguments, kind: Kind, events: usize, mut pairs: Vec<Pair>) -> [String; 10] {
    pairs.sort_by(|one, other| one.ratio().total_cmp(&other.ratio()));
    let median = pairs.get(pairs.len() / 2);
    let ratio_text = |pair: Option<&Pair>| table::two_decimals(pair.map(Pair::ratio));
    [
        kind.name().to_owned(),
        args.quick.to_string(),
        args.hanging.to_string(),
        events.to_string(),
        table::two_decimals(median.map(|pair| pair.alone)),
        table::two_decimals(median.map(|pair| pair.with_hanging)),
        ratio_text(median),
        ratio_text(pairs.first()),
        ratio_text(pairs.last()),
        table::integer(median.map(|pair| sample::as_float(args.quick * events) / pair.alone)),
    ]
}

/// The time until all quick merchants have received their events, on a new database. The worker has
/// no history of the merchants and starts when everything is due, the hanging ones' events first.
async fn seconds(
    args: &Arguments,
    kind: Kind,
    events: usize,
    hanging: usize,
) -> anyhow::Result<f64> {
    let database = args.databases.create(kind).await?;
    let receiver = Receiver::start()?;
    let sender = Arc::new(HttpSender::new(Arc::new(SystemClock), true)?);
    let components = app::open(&database, sender).await?;
    let slow = shops::create_merchants(&components, receiver.urls(hanging, true)).await?;
    let quick = shops::create_merchants(&components, receiver.urls(args.quick, false)).await?;
    shops::create_events(&components, &slow, events).await?;
    shops::create_events(&components, &quick, events).await?;
    let started = Instant::now();
    let workers = runner::start(&components.app);
    receiver.arrivals.wait_for(args.quick * events).await?;
    let seconds = started.elapsed().as_secs_f64();
    receiver.stop().await;
    workers.stop().await;
    Ok(seconds)
}
