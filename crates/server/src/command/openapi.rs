//! `oncharge openapi`: prints the OpenAPI document, which is committed as `openapi.json`.

use crate::telemetry;

pub(super) fn run() {
    telemetry::print(oncharge_adapter_http::openapi::document().trim_end());
}
