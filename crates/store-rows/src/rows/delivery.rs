//! Rows of webhook deliveries.

use diesel::prelude::*;
use oncharge_domain::{
    id::{EndpointId, EventId, MerchantId, SessionId},
    webhook::Delivery,
};
use oncharge_ports::StoreError;

use crate::{row_reader::RowReader, schema::deliveries};

#[derive(Queryable, Selectable)]
#[diesel(table_name = deliveries)]
pub struct DeliveryRow {
    event_id: EventId,
    session_id: SessionId,
    merchant_id: MerchantId,
    sequence: i64,
    endpoint_id: EndpointId,
    url: String,
    state: String,
    attempts: i64,
    failures: i64,
    round: i64,
}

impl TryFrom<DeliveryRow> for Delivery {
    type Error = StoreError;

    fn try_from(row: DeliveryRow) -> Result<Self, StoreError> {
        let event = row.event_id;
        let reader = RowReader::of("deliveries", event);
        Ok(Self {
            event,
            session: row.session_id,
            merchant: row.merchant_id,
            sequence: reader.count("sequence", row.sequence)?,
            endpoint: row.endpoint_id,
            url: reader.url(&row.url)?,
            state: reader.require("state", row.state.parse().ok())?,
            attempts: reader.count("attempts", row.attempts)?,
            failures: reader.count("failures", row.failures)?,
            round: reader.count("round", row.round)?,
        })
    }
}
