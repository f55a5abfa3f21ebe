//! Rows of webhook deliveries.

use diesel::{pg::Pg, prelude::*};
use oncharge_domain::{
    id::{EndpointId, EventId, MerchantId, SessionId},
    webhook::{Delivery, DeliveryState},
};
use oncharge_ports::StoreError;
use uuid::Uuid;

use crate::{rows::RowReader, schema::deliveries};

#[derive(Queryable, Selectable)]
#[diesel(table_name = deliveries, check_for_backend(Pg))]
pub(crate) struct DeliveryRow {
    event_id: Uuid,
    session_id: Uuid,
    merchant_id: Uuid,
    sequence: i64,
    endpoint_id: Uuid,
    url: String,
    state: String,
    attempts: i64,
    failures: i64,
    round: i64,
}

impl TryFrom<DeliveryRow> for Delivery {
    type Error = StoreError;

    fn try_from(row: DeliveryRow) -> Result<Self, StoreError> {
        let event = EventId::from_uuid(row.event_id);
        let reader = RowReader {
            table: "deliveries",
            row: event,
        };
        Ok(Self {
            event,
            session: SessionId::from_uuid(row.session_id),
            merchant: MerchantId::from_uuid(row.merchant_id),
            sequence: reader.count("sequence", row.sequence)?,
            endpoint: EndpointId::from_uuid(row.endpoint_id),
            url: reader.url(&row.url)?,
            state: reader.require("state", DeliveryState::parse(&row.state))?,
            attempts: reader.count("attempts", row.attempts)?,
            failures: reader.count("failures", row.failures)?,
            round: reader.count("round", row.round)?,
        })
    }
}
