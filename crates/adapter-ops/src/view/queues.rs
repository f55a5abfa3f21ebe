//! The queues on the overview: current depth and history.

use oncharge_domain::time::Timestamp;
use oncharge_ports::work_queue::{QueueDepth, QueueName};

use super::{
    format::{DisplayTime, clock_time, format_seconds},
    sparkline::Sparkline,
};
use crate::queue_history::Sample;

pub(super) struct Queues {
    /// Start of this process's measurements; `None` if there are none yet.
    pub(super) since: Option<String>,
    /// Whether the store failed to respond to a sample.
    pub(super) has_gaps: bool,
    pub(super) rows: Vec<QueueRow>,
}

pub(super) struct QueueRow {
    pub(super) name: &'static str,
    pub(super) description: &'static str,
    /// `None` if the store does not respond.
    pub(super) depth: Option<u64>,
    pub(super) oldest: Option<DisplayTime>,
    pub(super) depths: Trend,
    pub(super) ages: Trend,
}

/// The history of a figure.
pub(super) struct Trend {
    pub(super) line: Sparkline,
    /// Description of the line for screen readers.
    pub(super) label: String,
    /// The maximum in words, unless it is zero.
    pub(super) highest: Option<String>,
}

impl Queues {
    /// Combines the current depths, if the store provides them, with the recorded samples.
    pub(super) fn new(snapshot: &[Sample], depths: Option<&[QueueDepth]>, now: Timestamp) -> Self {
        let mut samples = snapshot.to_vec();
        samples.push(Sample {
            at: now,
            depths: depths.map(<[_]>::to_vec),
        });
        let row = |&queue: &QueueName| row(queue, &samples, now);
        Self {
            since: snapshot.first().map(|sample| clock_time(sample.at)),
            has_gaps: samples.iter().any(|sample| sample.depths.is_none()),
            rows: QueueName::ALL.iter().map(row).collect(),
        }
    }
}

fn row(queue: QueueName, samples: &[Sample], now: Timestamp) -> QueueRow {
    let of_queue = |sample: &Sample| {
        let depths = sample.depths.as_ref()?;
        depths.iter().find(|depth| depth.queue == queue).copied()
    };
    let points = |figure: fn(&QueueDepth, Timestamp) -> u64| -> Vec<_> {
        let point = |sample: &Sample| {
            let depth = of_queue(sample);
            (sample.at, depth.map(|depth| figure(&depth, sample.at)))
        };
        samples.iter().map(point).collect()
    };
    let name = queue.name();
    let current = samples.last().and_then(of_queue);
    let since = samples.first().map(|first| clock_time(first.at));
    let since = since.unwrap_or_default();
    QueueRow {
        name,
        description: description(queue),
        depth: current.map(|current| current.depth),
        oldest: current
            .and_then(|current| current.oldest)
            .map(|since| DisplayTime::new(since, now)),
        depths: trend(
            &format!("Depth of {name} since {since}"),
            &points(|depth, _| depth.depth),
            now,
            |depth| depth.to_string(),
        ),
        ages: trend(
            &format!("Age of the oldest item in {name} since {since}"),
            &points(age),
            now,
            format_seconds,
        ),
    }
}

fn description(queue: QueueName) -> &'static str {
    match queue {
        QueueName::Operations => "Operations without a final outcome at the processor",
        QueueName::Deadlines => "Sessions due for expiry or automatic capture",
        QueueName::Inbox => "Notifications from processors that are not yet applied",
        QueueName::Deliveries => "Webhooks that are not yet delivered",
    }
}

/// Age of the oldest item at that time, in seconds.
fn age(depth: &QueueDepth, at: Timestamp) -> u64 {
    let seconds = depth
        .oldest
        .map_or(0, |since| at.since(since).whole_seconds());
    u64::try_from(seconds).unwrap_or(0)
}

fn trend(
    of: &str,
    points: &[(Timestamp, Option<u64>)],
    now: Timestamp,
    format_figure: fn(u64) -> String,
) -> Trend {
    let line = Sparkline::new(points, now);
    let current = points.last().and_then(|(_, figure)| *figure);
    let describe = |figure: Option<u64>| figure.map_or_else(|| "unknown".to_owned(), format_figure);
    let label = format!(
        "{of}: now {}, highest {}",
        describe(current),
        describe(line.highest)
    );
    Trend {
        label,
        highest: line.highest.filter(|figure| *figure > 0).map(format_figure),
        line,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        let start = Timestamp::from_unix_micros(1_770_465_600_000_000).unwrap();
        start.plus_seconds(seconds)
    }

    fn deliveries(depth: u64, oldest: Option<Timestamp>) -> Vec<QueueDepth> {
        vec![QueueDepth {
            queue: QueueName::Deliveries,
            depth,
            oldest,
        }]
    }

    fn shown(snapshot: &[Sample], depths: Option<&[QueueDepth]>) -> (Queues, QueueRow) {
        let mut queues = Queues::new(snapshot, depths, at(120));
        let row = queues.rows.iter().position(|row| row.name == "deliveries");
        let row = queues.rows.swap_remove(row.unwrap());
        (queues, row)
    }

    #[test]
    fn trends_have_a_text_label() {
        let snapshot = [Sample {
            at: at(0),
            depths: Some(deliveries(7, Some(at(-600)))),
        }];
        let (queues, row) = shown(&snapshot, Some(&deliveries(3, Some(at(90)))));
        assert_eq!(queues.since.as_deref(), Some("12:00 UTC"));
        assert!(!queues.has_gaps);
        assert_eq!(
            row.depths.label,
            "Depth of deliveries since 12:00 UTC: now 3, highest 7"
        );
        assert_eq!(
            row.ages.label,
            "Age of the oldest item in deliveries since 12:00 UTC: now 30 s, highest 10 min"
        );
        assert_eq!(
            (row.depth, row.depths.highest.as_deref()),
            (Some(3), Some("7"))
        );
    }

    #[test]
    fn missing_figures_are_unknown() {
        let snapshot = [Sample {
            at: at(0),
            depths: Some(deliveries(7, None)),
        }];
        let (queues, row) = shown(&snapshot, None);
        assert!(queues.has_gaps);
        assert_eq!(
            row.depths.label,
            "Depth of deliveries since 12:00 UTC: now unknown, highest 7"
        );
        assert!(row.depth.is_none() && row.oldest.is_none());
        let (queues, row) = shown(&[], None);
        assert_eq!(queues.since, None, "the time without a sample");
        assert_eq!(row.ages.highest, None);
    }
}
