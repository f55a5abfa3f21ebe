//! The ports of a store, bundled.

use std::sync::Arc;

use crate::{
    BlocklistRepository, CheckoutRepository, Inbox, KeyRegistry, Maintenance, MerchantRepository,
    OperatorQueries, WebhookRepository, WorkQueue,
};

/// All ports of a store; cheap to clone.
#[derive(Clone)]
pub struct Store {
    /// Sessions, refunds, operations and events.
    pub checkout: Arc<dyn CheckoutRepository>,
    /// Merchants and their API keys.
    pub merchants: Arc<dyn MerchantRepository>,
    /// Bans.
    pub blocklist: Arc<dyn BlocklistRepository>,
    /// PSP notifications.
    pub inbox: Arc<dyn Inbox>,
    /// Webhook endpoints, events and deliveries.
    pub webhooks: Arc<dyn WebhookRepository>,
    /// Due work.
    pub work: Arc<dyn WorkQueue>,
    /// Read-only queries for operators.
    pub operator_queries: Arc<dyn OperatorQueries>,
    /// The registry of nodes and of keys in use.
    pub key_registry: Arc<dyn KeyRegistry>,
    /// Health check, clean-up and resealing.
    pub maintenance: Arc<dyn Maintenance>,
}

impl Store {
    /// The ports of a value that implements all of them.
    pub fn new<S>(store: Arc<S>) -> Self
    where
        S: CheckoutRepository
            + MerchantRepository
            + BlocklistRepository
            + Inbox
            + WebhookRepository
            + WorkQueue
            + OperatorQueries
            + KeyRegistry
            + Maintenance
            + 'static,
    {
        Self {
            checkout: store.clone(),
            merchants: store.clone(),
            blocklist: store.clone(),
            inbox: store.clone(),
            webhooks: store.clone(),
            work: store.clone(),
            operator_queries: store.clone(),
            key_registry: store.clone(),
            maintenance: store,
        }
    }
}
