//! Test fixtures: a shop, and sessions as the API returns them.

use std::path::Path;

use actix_web::web::Data;
use oncharge_client::Session;
use serde_json::{Value, json};

use super::{Shop, SigningSecret, integration::refresh::RefreshWorker};
use crate::{
    config::Secret,
    sandbox::{Credentials, Urls},
};

/// The API secret of the shop.
pub(super) const SECRET: &str = "oc_secret_of_the_test";
/// The signing secret of the shop's endpoint.
pub(super) const SIGNING_SECRET: &str = "whsec_X4tlTOf3Xfv0QanO7y6/o8RwC3WOvr5I7qXsNRee5d8=";
/// The shop's origin.
pub(super) const ORIGIN: &str = "http://127.0.0.1:8083";

/// A shop with this data directory, whose OnCharge is at `api`.
pub(super) fn shop(dir: &Path, api: &str) -> (Data<Shop>, RefreshWorker) {
    let urls = Urls {
        api: api.to_owned(),
        simulator: "http://127.0.0.1:8081".to_owned(),
        ops: "http://127.0.0.1:8082".to_owned(),
        shop: ORIGIN.to_owned(),
    };
    let credentials = Credentials {
        merchant_id: "mer_1".to_owned(),
        api_key: "oc_key".to_owned(),
        api_secret: Secret::new(SECRET.to_owned()),
    };
    let secret = SigningSecret::new(|| async { Ok(SIGNING_SECRET.to_owned().into()) });
    let (shop, refresh_worker) = Shop::open(&urls, &credentials, secret, dir).unwrap();
    (Data::new(shop), refresh_worker)
}

/// A session over $10.00 with this status; `changes` overrides members of the response.
pub(super) fn session(status: &str, changes: &Value) -> Session {
    let authorized = if matches!(status, "authorized" | "captured" | "cancelled") {
        1000
    } else {
        0
    };
    let captured = if status == "captured" { 1000 } else { 0 };
    let mut answer = json!({
        "session_id": "cs_1", "status": status, "amount": 1000, "currency": "USD",
        "reference": "7", "order_id": "7", "return_url": "http://127.0.0.1:1/orders/7",
        "metadata": {}, "capture": "automatic", "customer": {"email": null, "phone": null},
        "psp_reference": null, "amount_authorized": authorized, "amount_captured": captured,
        "amount_refunded": 0, "amount_refundable": captured, "pending_operation": null,
        "retry_until": null, "failure": null, "created_at": "2026-11-22T12:00:00Z",
        "updated_at": "2026-11-22T12:01:00Z", "expires_at": "2026-11-22T12:30:00Z",
    });
    for (member, value) in changes.as_object().unwrap() {
        answer[member] = value.clone();
    }
    serde_json::from_value(answer).unwrap()
}
