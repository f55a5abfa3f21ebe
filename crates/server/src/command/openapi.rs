//! `oncharge openapi`: prints the document that is committed as `openapi.json`.

use crate::telemetry;

pub(super) fn run() {
    telemetry::print(oncharge_adapter_http::openapi::document().trim_end());
}
