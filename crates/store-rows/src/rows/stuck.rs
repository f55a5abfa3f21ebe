//! Rows of work that needs a person, as the statements for it return them.

use diesel::prelude::*;
use oncharge_domain::{
    id::{EndpointId, EventId, MerchantId, NotificationId, OperationId, RefundId, SessionId},
    time::Timestamp,
};
use oncharge_ports::{
    StoreError,
    work_queue::{StuckItem, StuckKind},
};
use uuid::Uuid;

use crate::{
    ColumnValue,
    row_reader::RowReader,
    sql_types::{Id, Instant, Nullable, Text},
};

#[derive(QueryableByName)]
pub struct StuckRow {
    #[diesel(sql_type = Id)]
    id: ColumnValue<Uuid>,
    #[diesel(sql_type = Nullable<Id>)]
    session_id: Option<ColumnValue<SessionId>>,
    #[diesel(sql_type = Nullable<Id>)]
    merchant_id: Option<ColumnValue<MerchantId>>,
    #[diesel(sql_type = Instant)]
    since: ColumnValue<Timestamp>,
    #[diesel(sql_type = Text)]
    detail: String,
}

impl StuckRow {
    /// The item, which is of this kind.
    pub fn item(self, kind: StuckKind) -> Result<StuckItem, StoreError> {
        let reader = RowReader::with_id(table_of(kind), "id", self.id)?;
        let uuid = reader.id();
        let id = match kind {
            StuckKind::Operation
            | StuckKind::Accepted
            | StuckKind::Compensation
            | StuckKind::Contradiction => OperationId::from_uuid(uuid).to_string(),
            StuckKind::RefundOfFailedCapture => RefundId::from_uuid(uuid).to_string(),
            StuckKind::Deadline => SessionId::from_uuid(uuid).to_string(),
            StuckKind::Notification | StuckKind::Waiting => {
                NotificationId::from_uuid(uuid).to_string()
            }
            StuckKind::Delivery => EventId::from_uuid(uuid).to_string(),
            StuckKind::Endpoint => EndpointId::from_uuid(uuid).to_string(),
        };
        Ok(StuckItem {
            kind,
            id,
            session: reader.optional("session_id", self.session_id)?,
            merchant: reader.optional("merchant_id", self.merchant_id)?,
            since: reader.value("since", self.since)?,
            detail: self.detail,
        })
    }
}

/// The table whose rows are such items.
fn table_of(kind: StuckKind) -> &'static str {
    match kind {
        StuckKind::Operation
        | StuckKind::Accepted
        | StuckKind::Compensation
        | StuckKind::Contradiction => "operations",
        StuckKind::RefundOfFailedCapture => "refunds",
        StuckKind::Deadline => "sessions",
        StuckKind::Notification | StuckKind::Waiting => "psp_notifications",
        StuckKind::Delivery => "deliveries",
        StuckKind::Endpoint => "webhook_endpoints",
    }
}
