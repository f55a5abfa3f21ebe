//! Formats the results as Markdown.

use comfy_table::{Table, presets::ASCII_MARKDOWN};

use crate::sample::Sample;

/// A limit of the machine.
pub(crate) struct LimitRow {
    pub(crate) name: &'static str,
    pub(crate) connections: usize,
    pub(crate) per_second: f64,
    /// p50 and p99 in milliseconds.
    pub(crate) latency: Option<(f64, f64)>,
    /// CPU time per call in seconds: of the server, of PostgreSQL.
    pub(crate) seconds: (Option<f64>, Option<f64>),
}

/// A request to the service.
pub(crate) struct Row {
    pub(crate) database: &'static str,
    pub(crate) request: &'static str,
    pub(crate) connections: usize,
    pub(crate) sample: Sample,
    pub(crate) round_trips: Option<f64>,
    /// CPU time per request in seconds: of the server, of PostgreSQL.
    pub(crate) seconds: (Option<f64>, Option<f64>),
    /// Resident memory in MiB.
    pub(crate) resident: f64,
    pub(crate) ratios: Ratios,
}

/// Requests per second, divided by the respective limits.
#[derive(Clone, Copy, Default)]
pub(crate) struct Ratios {
    /// By the same statements, one by one.
    pub(crate) statements: Option<f64>,
    /// By the same statements, pipelined like the service's.
    pub(crate) pipelined: Option<f64>,
    /// By the framework's constant response.
    pub(crate) baseline: Option<f64>,
    /// By the disk's sequential durable writes.
    pub(crate) disk: Option<f64>,
}

/// The table of limits.
pub(crate) fn limits(rows: &[LimitRow]) -> String {
    let header = [
        "limit",
        "connections",
        "per second",
        "p50 ms",
        "p99 ms",
        "server CPU µs",
        "PostgreSQL CPU µs",
    ];
    let line = |row: &LimitRow| {
        [
            row.name.to_owned(),
            row.connections.to_string(),
            integer(Some(row.per_second)),
            two_decimals(row.latency.map(|(p50, _)| p50)),
            two_decimals(row.latency.map(|(_, p99)| p99)),
            micros(row.seconds.0),
            micros(row.seconds.1),
        ]
    };
    table(header, rows.iter().map(line))
}

/// The table of requests.
pub(crate) fn requests(rows: &[Row]) -> String {
    let header = [
        "database",
        "request",
        "connections",
        "requests/s",
        "p50 ms",
        "p99 ms",
        "round trips",
        "server CPU µs",
        "PostgreSQL CPU µs",
        "RSS MiB",
        "÷ statements",
        "÷ pipelined",
        "÷ baseline",
        "÷ disk",
    ];
    let line = |row: &Row| {
        [
            row.database.to_owned(),
            row.request.to_owned(),
            row.connections.to_string(),
            integer(Some(row.sample.per_second())),
            two_decimals(Some(row.sample.percentile(50.0))),
            two_decimals(Some(row.sample.percentile(99.0))),
            two_decimals(row.round_trips),
            micros(row.seconds.0),
            micros(row.seconds.1),
            integer(Some(row.resident)),
            two_decimals(row.ratios.statements),
            two_decimals(row.ratios.pipelined),
            two_decimals(row.ratios.baseline),
            two_decimals(row.ratios.disk),
        ]
    };
    table(header, rows.iter().map(line))
}

/// A table with this header.
pub(crate) fn table<const COLUMNS: usize>(
    header: [&str; COLUMNS],
    lines: impl IntoIterator<Item = [String; COLUMNS]>,
) -> String {
    let mut table = Table::new();
    table
        .load_style(ASCII_MARKDOWN)
        .set_header(header)
        .add_rows(lines);
    format!("{table}\n")
}

/// A rounded number; a dash for none.
pub(crate) fn integer(number: Option<f64>) -> String {
    number.map_or("—".to_owned(), |number| format!("{number:.0}"))
}

/// A number with two decimals; a dash for none.
pub(crate) fn two_decimals(number: Option<f64>) -> String {
    number.map_or("—".to_owned(), |number| format!("{number:.2}"))
}

/// A duration in whole microseconds, from seconds.
pub(crate) fn micros(seconds: Option<f64>) -> String {
    integer(seconds.map(|seconds| seconds * 1e6))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_markdown_with_aligned_columns() {
        let lines = [
            ["get".to_owned(), integer(Some(11028.4)), micros(None)],
            [
                "refund".to_owned(),
                two_decimals(Some(0.666)),
                micros(Some(0.000_02)),
            ],
        ];
        let expected = "\
| request | requests/s | CPU µs |
|---------|------------|--------|
| get     | 11028      | —      |
| refund  | 0.67       | 20     |
";
        assert_eq!(table(["request", "requests/s", "CPU µs"], lines), expected);
    }
}
