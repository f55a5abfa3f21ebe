//! JSON log format: one object per line, with the fields of its spans beside its own.
//!
//! The format of `tracing-subscriber` repeats the innermost span, parses a span's fields again for
//! each line, and includes the build's file paths for records of the `log` crate.

use std::{error::Error, fmt};

use serde::Serialize;
use tracing::{
    Event, Subscriber,
    field::{Field, Visit},
};
use tracing_subscriber::{
    field::RecordFields,
    fmt::{
        FmtContext, FormatEvent, FormatFields, FormattedFields,
        format::Writer,
        time::{FormatTime, SystemTime},
    },
    registry::LookupSpan,
};

/// The target of all records of the `log` crate.
const LOG: &str = "log";
/// The field with their actual target; the other fields of this prefix describe the build.
const LOG_TARGET: &str = "log.target";
const LOG_PREFIX: &str = "log.";

/// Formats one line.
pub(super) struct JsonLine;

/// Formats fields as further members of an object: `,"name":value`.
pub(super) struct JsonMembers;

impl<S> FormatEvent<S, JsonMembers> for JsonLine
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, JsonMembers>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        writer.write_str(r#"{"timestamp":""#)?;
        SystemTime.format_time(&mut writer)?;
        let metadata = event.metadata();
        write!(writer, r#"","level":"{}""#, metadata.level())?;
        context.format_fields(writer.by_ref(), event)?;
        if let Some(scope) = context.event_scope() {
            for span in scope.from_root() {
                if let Some(fields) = span.extensions().get::<FormattedFields<JsonMembers>>() {
                    writer.write_str(&fields.fields)?;
                }
            }
        }
        let mut target = Target(metadata.target().to_owned());
        if metadata.target() == LOG {
            event.record(&mut target);
        }
        write_member(&mut writer, "target", &target.0)?;
        writer.write_str("}\n")
    }
}

impl<'writer> FormatFields<'writer> for JsonMembers {
    fn format_fields<R: RecordFields>(&self, writer: Writer<'writer>, fields: R) -> fmt::Result {
        let mut members = Members {
            writer,
            result: Ok(()),
        };
        fields.record(&mut members);
        members.result
    }

    fn add_fields(
        &self,
        current: &'writer mut FormattedFields<Self>,
        fields: &tracing::span::Record<'_>,
    ) -> fmt::Result {
        self.format_fields(current.as_writer(), fields)
    }
}

struct Members<'writer> {
    writer: Writer<'writer>,
    result: fmt::Result,
}

impl Members<'_> {
    fn write(&mut self, field: &Field, value: impl Serialize) {
        let name = field.name();
        if self.result.is_ok() && !name.starts_with(LOG_PREFIX) {
            let name = name.strip_prefix("r#").unwrap_or(name);
            self.result = write_member(&mut self.writer, name, value);
        }
    }
}

impl Visit for Members<'_> {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.write(field, value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.write(field, value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.write(field, value);
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.write(field, value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.write(field, value);
    }

    /// Includes the causes, as in `error: cause: cause of that`.
    fn record_error(&mut self, field: &Field, value: &(dyn Error + 'static)) {
        let mut text = value.to_string();
        let mut next = value.source();
        while let Some(cause) = next {
            text.push_str(": ");
            text.push_str(&cause.to_string());
            next = cause.source();
        }
        self.write(field, text);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.write(field, format!("{value:?}"));
    }
}

fn write_member(writer: &mut Writer<'_>, name: &str, value: impl Serialize) -> fmt::Result {
    let value = serde_json::to_string(&value).map_err(|_| fmt::Error)?;
    write!(writer, r#","{name}":{value}"#)
}

/// The target of a record of the `log` crate.
struct Target(String);

impl Visit for Target {
    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == LOG_TARGET {
            value.clone_into(&mut self.0);
        }
    }

    fn record_debug(&mut self, _: &Field, _: &dyn fmt::Debug) {}
}
