//! How many events go out in a second, to one merchant and to many, and what of it is the store's.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use clap::Args;
use oncharge_adapter_webhook::HttpSender;
use oncharge_application::workers::runner;
use oncharge_ports::WebhookSender;

use crate::{
    gauges, note,
    place::{Kind, Places},
    receiver::{Nowhere, Receiver},
    sample, say, shops, table,
    wired::{SystemClock, Wired},
};

/// After so long what was under way when the last event arrived is written down.
const WRITTEN: Duration = Duration::from_millis(300);

/// What to measure with.
#[derive(Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    places: Places,
    /// How many events there are in all.
    #[arg(long, default_value_t = 4000)]
    events: usize,
    /// How many merchants they are shared among, in one measurement after the other.
    #[arg(long, value_delimiter = ',', default_values_t = [1, 20, 1000])]
    merchants: Vec<usize>,
}

/// Measures and prints a table.
pub(crate) async fn run(with: Arguments) -> anyhow::Result<()> {
    let mut lines = Vec::new();
    for kind in Kind::BOTH {
        for merchants in with.merchants.iter().copied() {
            for http in [true, false] {
                let line = measure(&with, kind, (merchants, http)).await?;
                note(line.join(", "));
                lines.push(line);
            }
        }
    }
    let head = [
        "database",
        "merchants",
        "sent by",
        "deliveries/s",
        "round trips",
        "this process CPU µs",
        "PostgreSQL CPU µs",
    ];
    Ok(say(table::table(&head, lines.into_iter()))?)
}

/// One measurement; the processor time of this process is that of the merchants' server, too.
async fn measure(
    with: &Arguments,
    kind: Kind,
    (merchants, http): (usize, bool),
) -> anyhow::Result<Vec<String>> {
    let place = with.places.fresh(kind).await?;
    let receiver = Receiver::start()?;
    let arrivals = receiver.arrivals.clone();
    let sender: Arc<dyn WebhookSender> = if http {
        Arc::new(HttpSender::new(Arc::new(SystemClock), true)?)
    } else {
        Arc::new(Nowhere(arrivals.clone()))
    };
    let wired = Wired::open(&place, sender).await?;
    let shops = shops::open(&wired, receiver.urls(merchants, false)).await?;
    shops::tell(&wired, &shops, with.events.div_ceil(merchants)).await?;
    let all = with.events.div_ceil(merchants) * merchants;
    let database = with.places.postgres_pid.filter(|_| kind == Kind::Postgres);
    let look = || {
        let trips = wired.round_trips.as_ref().map(|count| count());
        let own = gauges::processor_seconds(std::process::id())?;
        let theirs = database.map(gauges::family_seconds).transpose()?;
        anyhow::Ok((trips, own, theirs))
    };
    let before = look()?;
    let started = Instant::now();
    let workers = runner::start(&wired.app);
    arrivals.wait(all).await?;
    let lasted = started.elapsed();
    tokio::time::sleep(WRITTEN).await;
    let after = look()?;
    workers.stop().await;
    receiver.stop().await;
    let count = sample::as_float(all);
    let trips = after.0.zip(before.0).map(|(after, before)| after - before);
    let trips = trips.and_then(|trips| u32::try_from(trips).ok());
    let theirs = after.2.zip(before.2).map(|(after, before)| after - before);
    Ok(vec![
        kind.name().to_owned(),
        merchants.to_string(),
        if http { "HTTP" } else { "nothing" }.to_owned(),
        table::whole(Some(count / lasted.as_secs_f64())),
        table::two(trips.map(|trips| f64::from(trips) / count)),
        table::micros(Some((after.1 - before.1) / count)),
        table::micros(theirs.map(|seconds| seconds / count)),
    ])
}
