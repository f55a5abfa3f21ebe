//! Rows of work that needs a person, as the statements for it return them.

use diesel::prelude::*;
use oncharge_domain::{
    id::{EndpointId, EventId, MerchantId, NotificationId, OperationId, RefundId, SessionId},
    time::Timestamp,
};
use oncharge_ports::work_queue::{StuckItem, StuckKind};
use uuid::Uuid;

use crate::sql_types::{Id, Instant, Nullable, Text};

#[derive(QueryableByName)]
pub struct StuckRow {
    #[diesel(sql_type = Id)]
    pub id: Uuid,
    #[diesel(sql_type = Nullable<Id>)]
    session_id: Option<SessionId>,
    #[diesel(sql_type = Nullable<Id>)]
    merchant_id: Option<MerchantId>,
    #[diesel(sql_type = Instant)]
    since: Timestamp,
    #[diesel(sql_type = Text)]
    detail: String,
}

impl StuckRow {
    /// The item, which is of this kind.
    pub fn item(self, kind: StuckKind) -> StuckItem {
        let id = match kind {
            StuckKind::Operation
            | StuckKind::Accepted
            | StuckKind::Compensation
            | StuckKind::Contradiction => OperationId::from_uuid(self.id).to_string(),
            StuckKind::RefundOfFailedCapture => RefundId::from_uuid(self.id).to_string(),
            StuckKind::Deadline => SessionId::from_uuid(self.id).to_string(),
            StuckKind::Notification | StuckKind::Waiting => {
                NotificationId::from_uuid(self.id).to_string()
            }
            StuckKind::Delivery => EventId::from_uuid(self.id).to_string(),
            StuckKind::Endpoint => EndpointId::from_uuid(self.id).to_string(),
        };
        StuckItem {
            kind,
            id,
            session: self.session_id,
            merchant: self.merchant_id,
            since: self.since,
            detail: self.detail,
        }
    }
}
