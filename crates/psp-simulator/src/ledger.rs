//! `GET /v1/ledger?reference=…`: all movements of money, in order; the reference for comparisons.

use actix_web::{HttpResponse, web};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::app::Simulator;
use crate::clock;
use crate::codes::EntryKind;
use crate::problem::Problem;
use crate::store::ledger::{self, Entry};

/// The filter of the list.
#[derive(Debug, Deserialize)]
pub(crate) struct Query {
    /// The reference that the caller sent with its payments; all movements if absent.
    reference: Option<String>,
}

#[derive(Serialize)]
struct EntryBody {
    kind: EntryKind,
    amount: i64,
    currency: String,
    psp_reference: String,
    idempotency_key: String,
    at: String,
}

impl From<Entry> for EntryBody {
    fn from(entry: Entry) -> Self {
        Self {
            kind: entry.kind,
            amount: entry.amount,
            currency: entry.currency,
            psp_reference: entry.psp_reference,
            idempotency_key: entry.idempotency_key,
            at: clock::rfc3339(entry.at),
        }
    }
}

/// Lists the movements of one reference (none if it is unknown), or all.
pub(crate) async fn list(
    query: web::Query<Query>,
    simulator: web::Data<Simulator>,
) -> Result<HttpResponse, Problem> {
    let reference = query.into_inner().reference;
    let entries = simulator
        .store
        .read(move |connection| Ok(ledger::list(connection, reference.as_deref())?))
        .await?;
    let entries: Vec<EntryBody> = entries.into_iter().map(EntryBody::from).collect();
    Ok(HttpResponse::Ok().json(json!({ "entries": entries })))
}
