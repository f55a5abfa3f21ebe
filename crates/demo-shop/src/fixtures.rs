//! Test fixtures: settings, and sessions as the API returns them.

use std::path::Path;

use oncharge_client::Session;
use serde_json::{Value, json};

use crate::{DataDir, Settings, SigningSecret};

/// The API secret of the shop.
pub(crate) const SECRET: &str = "oc_secret_of_the_test";
/// The signing secret of the shop's endpoint.
pub(crate) const SIGNING_SECRET: &str = "whsec_X4tlTOf3Xfv0QanO7y6/o8RwC3WOvr5I7qXsNRee5d8=";
/// The shop's origin.
pub(crate) const ORIGIN: &str = "http://127.0.0.1:8083";

/// Settings with this data directory and URL of OnCharge.
pub(crate) fn settings<'a>(dir: &Path, api_url: &'a str) -> Settings<'a> {
    Settings {
        url: ORIGIN,
        api_url,
        ops_url: "http://127.0.0.1:8082",
        api_key: "oc_key",
        api_secret: SECRET,
        signing_secret: SigningSecret::new(|| async { Ok(SIGNING_SECRET.to_owned().into()) }),
        data_dir: data_dir(dir),
    }
}

/// A data directory with ordinary files.
pub(crate) fn data_dir(dir: &Path) -> DataDir {
    DataDir::new(dir, |path, content| Ok(std::fs::write(path, content)?))
}

/// A session for $10.00 with this status; `changes` overrides members of the response.
pub(crate) fn session(status: &str, changes: &Value) -> Session {
    let authorized = if matches!(status, "authorized" | "captured" | "cancelled") {
        1000
    } else {
        0
    };
    let captured = if status == "captured" { 1000 } else { 0 };
    let mut response = json!({
        "session_id": "cs_1", "status": status, "amount": 1000, "currency": "USD",
        "reference": "7", "order_id": "7", "return_url": "http://127.0.0.1:1/orders/7",
        "metadata": {}, "capture": "automatic", "customer": {"email": null, "phone": null},
        "psp_reference": null, "amount_authorized": authorized, "amount_captured": captured,
        "amount_refunded": 0, "amount_refundable": captured, "pending_operation": null,
        "retry_until": null, "failure": null, "created_at": "2026-11-22T12:00:00Z",
        "updated_at": "2026-11-22T12:01:00Z", "expires_at": "2026-11-22T12:30:00Z",
    });
    for (member, value) in changes.as_object().unwrap() {
        response[member] = value.clone();
    }
    serde_json::from_value(response).unwrap()
}
