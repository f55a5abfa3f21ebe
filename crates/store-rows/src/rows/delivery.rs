//! Rows of webhook deliveries.

use diesel::prelude::*;
use oncharge_domain::{
    id::{EndpointId, EventId, MerchantId, SessionId},
    webhook::Delivery,
};
use oncharge_ports::StoreError;

use crate::{ColumnValue, row_reader::RowReader, schema::deliveries};

#[derive(Queryable, Selectable)]
#[diesel(table_name = deliveries)]
pub struct DeliveryRow {
    event_id: ColumnValue<EventId>,
    session_id: ColumnValue<SessionId>,
    merchant_id: ColumnValue<MerchantId>,
    sequence: i64,
    endpoint_id: ColumnValue<EndpointId>,
    url: String,
    state: String,
    attempts: i64,
    failures: i64,
    round: i64,
}

impl TryFrom<DeliveryRow> for Delivery {
    type Error = StoreError;

    fn try_from(row: DeliveryRow) -> Result<Self, StoreError> {
        let reader = RowReader::with_id("deliveries", "event_id", row.event_id)?;
        Ok(Self {
            event: reader.id(),
            session: reader.value("session_id", row.session_id)?,
            merchant: reader.value("merchant_id", row.merchant_id)?,
            sequence: reader.count("sequence", row.sequence)?,
            endpoint: reader.value("endpoint_id", row.endpoint_id)?,
            url: reader.url(&row.url)?,
            state: reader.require("state", row.state.parse().ok())?,
            attempts: reader.count("attempts", row.attempts)?,
            failures: reader.count("failures", row.failures)?,
            round: reader.count("round", row.round)?,
        })
    }
}
