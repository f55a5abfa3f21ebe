//! What merchants whose endpoints hang cost everybody else: the time until all others have their
//! events, with and without the hanging ones.

use std::{sync::Arc, time::Instant};

use clap::Args;
use oncharge_adapter_webhook::HttpSender;
use oncharge_application::workers::runner;

use crate::{
    note,
    place::{Kind, Places},
    receiver::Receiver,
    sample, say, shops, table,
    wired::{SystemClock, Wired},
};

/// What to measure with.
#[derive(Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    places: Places,
    /// How many merchants answer at once.
    #[arg(long, default_value_t = 900)]
    quick: usize,
    /// How many merchants accept a delivery and never answer.
    #[arg(long, default_value_t = 100)]
    hanging: usize,
    /// How many events each merchant gets, in one measurement after the other.
    #[arg(long, value_delimiter = ',', default_values_t = [1, 5])]
    events: Vec<usize>,
    /// How often each pair is measured; the middle one counts.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
    times: u32,
}

/// Measures and prints a table.
pub(crate) async fn run(with: Arguments) -> anyhow::Result<()> {
    let mut lines = Vec::new();
    for kind in Kind::BOTH {
        for events in with.events.iter().copied() {
            let mut pairs = Vec::new();
            for time in 1..=with.times {
                let alone = seconds(&with, kind, (events, 0)).await?;
                let beside = seconds(&with, kind, (events, with.hanging)).await?;
                note(format_args!(
                    "{}, {events} events each, {time}: {alone:.2} s alone, {beside:.2} s beside",
                    kind.name()
                ));
                pairs.push((alone, beside));
            }
            lines.push(line(&with, (kind, events), pairs));
        }
    }
    let head = [
        "database",
        "quick",
        "hanging",
        "events each",
        "seconds alone",
        "seconds beside them",
        "ratio",
        "lowest",
        "highest",
        "deliveries/s alone",
    ];
    Ok(say(table::table(&head, lines.into_iter()))?)
}

/// The pair whose ratio is the middle one, and how far the others are off.
fn line(
    with: &Arguments,
    (kind, events): (Kind, usize),
    mut pairs: Vec<(f64, f64)>,
) -> Vec<String> {
    let ratio = |(alone, beside): &(f64, f64)| beside / alone;
    pairs.sort_by(|one, other| ratio(one).total_cmp(&ratio(other)));
    let middle = pairs.get(pairs.len() / 2);
    let of = |pair: Option<&(f64, f64)>| table::two(pair.map(ratio));
    vec![
        kind.name().to_owned(),
        with.quick.to_string(),
        with.hanging.to_string(),
        events.to_string(),
        table::two(middle.map(|(alone, _)| *alone)),
        table::two(middle.map(|(_, beside)| *beside)),
        of(middle),
        of(pairs.first()),
        of(pairs.last()),
        table::whole(middle.map(|(alone, _)| sample::as_float(with.quick * events) / alone)),
    ]
}

/// The time until the quick ones have all of theirs, on a database of its own. A worker that knows
/// nobody yet starts when everything is due, the hanging ones' events first.
async fn seconds(
    with: &Arguments,
    kind: Kind,
    (events, hanging): (usize, usize),
) -> anyhow::Result<f64> {
    let place = with.places.fresh(kind).await?;
    let receiver = Receiver::start()?;
    let sender = Arc::new(HttpSender::new(Arc::new(SystemClock), true)?);
    let wired = Wired::open(&place, sender).await?;
    let slow = shops::open(&wired, receiver.urls(hanging, true)).await?;
    let quick = shops::open(&wired, receiver.urls(with.quick, false)).await?;
    shops::tell(&wired, &slow, events).await?;
    shops::tell(&wired, &quick, events).await?;
    let started = Instant::now();
    let workers = runner::start(&wired.app);
    receiver.arrivals.wait(with.quick * events).await?;
    let seconds = started.elapsed().as_secs_f64();
    receiver.stop().await;
    workers.stop().await;
    Ok(seconds)
}
