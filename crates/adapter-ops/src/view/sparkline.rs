//! A sparkline: a figure over the last hours as a small SVG path.

use std::fmt::Write as _;

use oncharge_domain::time::Timestamp;

use crate::queue_history::QueueHistory;

/// Height of the view box; its width is one unit per second of [`QueueHistory::SPAN`].
const HEIGHT: u64 = 100;

/// A line with its maximum.
pub(super) struct Sparkline {
    /// The `d` attribute of the path.
    pub(super) path: String,
    pub(super) width: u64,
    pub(super) height: u64,
    /// The maximum of the figures, if there is any.
    pub(super) highest: Option<u64>,
}

impl Sparkline {
    /// Draws a line through these points, oldest first; a missing figure is a gap, and so is an
    /// interval without samples.
    pub(super) fn new(points: &[(Timestamp, Option<u64>)], now: Timestamp) -> Self {
        let width = QueueHistory::SPAN.as_secs();
        let highest = points.iter().filter_map(|(_, figure)| *figure).max();
        let max_gap = QueueHistory::SAMPLE_INTERVAL.saturating_mul(2).as_secs();
        let mut path = String::new();
        let mut previous: Option<u64> = None;
        for (at, figure) in points {
            let ago = u64::try_from(now.since(*at).whole_seconds()).unwrap_or(0);
            let (Some(figure), Some(x)) = (figure, width.checked_sub(ago)) else {
                previous = None;
                continue;
            };
            let y = HEIGHT.saturating_sub(scale(*figure, highest.unwrap_or(0)));
            let is_continuous = previous.is_some_and(|before| x.saturating_sub(before) <= max_gap);
            // Writing to a `String` cannot fail. An isolated point is a dot: a line of length zero.
            let _ = if is_continuous {
                write!(path, "L{x} {y}")
            } else {
                write!(path, "M{x} {y}h0")
            };
            previous = Some(x);
        }
        Self {
            path,
            width,
            height: HEIGHT,
            highest,
        }
    }
}

/// Scales a figure to [`HEIGHT`], which corresponds to the maximum.
fn scale(figure: u64, highest: u64) -> u64 {
    let scale = u128::from(figure) * u128::from(HEIGHT);
    let scale = scale.checked_div(u128::from(highest)).unwrap_or(0);
    u64::try_from(scale).unwrap_or(HEIGHT)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The line of figures at these ages, in seconds.
    fn line(points: &[(i64, Option<u64>)]) -> Sparkline {
        let now = Timestamp::from_unix_micros(1_770_465_600_000_000).unwrap();
        let at = |(ago, figure): &(i64, Option<u64>)| (now.plus_seconds(-ago), *figure);
        Sparkline::new(&points.iter().map(at).collect::<Vec<_>>(), now)
    }

    #[test]
    fn the_line_is_scaled_to_its_maximum() {
        let shown = line(&[(120, Some(0)), (60, Some(4)), (0, Some(1))]);
        assert_eq!((shown.width, shown.height), (10_800, 100));
        assert_eq!(shown.path, "M10680 100h0L10740 0L10800 75");
        assert_eq!(shown.highest, Some(4));
    }

    #[test]
    fn missing_samples_are_gaps() {
        let with_gap = line(&[(120, Some(2)), (60, None), (0, Some(2))]);
        assert_eq!(
            with_gap.path, "M10680 0h0M10800 0h0",
            "samples without a value from the store"
        );
        let unsampled = line(&[(600, Some(2)), (60, Some(2)), (0, Some(2))]);
        assert_eq!(unsampled.path, "M10200 0h0M10740 0h0L10800 0", "no sample");
        let without_last = line(&[(60, Some(2)), (0, None)]);
        assert_eq!(
            (without_last.path.as_str(), without_last.highest),
            ("M10740 0h0", Some(2))
        );
        let nothing = line(&[(60, None)]);
        assert_eq!((nothing.path.as_str(), nothing.highest), ("", None));
    }

    #[test]
    fn extreme_values_stay_in_range() {
        assert_eq!(
            line(&[(60, Some(0)), (0, Some(0))]).path,
            "M10740 100h0L10800 100"
        );
        let huge = line(&[(60, Some(u64::MAX)), (0, Some(u64::MAX / 2))]);
        assert_eq!(huge.path, "M10740 0h0L10800 51");
        // A sample older than the span, and one from the future after the clock was set back.
        assert_eq!(
            line(&[(20_000, Some(1)), (-30, Some(1))]).path,
            "M10800 0h0"
        );
    }
}
