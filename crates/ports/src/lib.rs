//! The interfaces that OnCharge requires of its environment: traits, their values and errors.
//!
//! A store holds sessions and commits units of work ([`CheckoutRepository`]), holds merchants
//! ([`MerchantRepository`]), bans ([`BlocklistRepository`]), PSP notifications ([`Inbox`]), webhook
//! endpoints and deliveries ([`WebhookRepository`]), leases due work ([`WorkQueue`]), records which
//! keys its data needs ([`KeyRegistry`]), reads across merchants for operators
//! ([`OperatorQueries`]) and deletes expired rows ([`Maintenance`]); [`Store`] bundles its ports. A
//! PSP is reached through [`Psp`], a merchant's server through [`WebhookSender`]. Time and
//! randomness are ports, too.
#![cfg_attr(
    doc,
    expect(
        rustdoc::broken_intra_doc_links,
        reason = "laws are named in brackets; the crate that holds them depends on this one"
    )
)]

pub mod blocklist_repository;
pub mod checkout_repository;
pub mod clock;
pub mod entropy;
pub mod error;
pub mod inbox;
pub mod key_registry;
pub mod maintenance;
pub mod merchant_repository;
pub mod operator_queries;
pub mod presenter;
pub mod psp;
pub mod queries;
pub mod store;
pub mod unit_of_work;
pub mod webhook_repository;
pub mod webhook_sender;
pub mod work_queue;

pub use blocklist_repository::BlocklistRepository;
pub use checkout_repository::CheckoutRepository;
pub use clock::Clock;
pub use entropy::Entropy;
pub use error::{CommitError, StoreError};
pub use inbox::Inbox;
pub use key_registry::KeyRegistry;
pub use maintenance::Maintenance;
pub use merchant_repository::MerchantRepository;
pub use operator_queries::OperatorQueries;
pub use presenter::{ApiResponse, Presenter, StoredResponse, WebhookPayload};
pub use psp::{Connector, Psp, PspRegistry};
pub use store::Store;
pub use unit_of_work::UnitOfWork;
pub use webhook_repository::WebhookRepository;
pub use webhook_sender::WebhookSender;
pub use work_queue::WorkQueue;
