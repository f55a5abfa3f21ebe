//! The world of every test, and the audit of its money.

mod actions;
mod audit;
mod fault_plan;
mod faulty_psp;
mod faulty_store;
mod faulty_webhooks;
mod retrying_client;
mod time;
mod world;

pub(crate) use actions::{Order, PspBehavior, default_checkout, describe};
pub(crate) use audit::{AuditedState, audit, events_are_delivered};
pub(crate) use fault_plan::{FaultPoint, PlannedFault, PointCounts};
pub(crate) use time::let_other_tasks_run;
pub(crate) use world::World;
