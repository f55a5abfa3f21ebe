//! The stage of every test, and how its money is audited.

mod audit;
mod doomed_outside;
mod doomed_psp;
mod doomed_store;
mod fate;
mod insist;
mod time;
mod verbs;
mod world;

pub(crate) use audit::{Books, books, events_are_delivered};
pub(crate) use fate::{Harm, Point, Reached};
pub(crate) use time::others_wait;
pub(crate) use verbs::{Order, Psp, basket, told};
pub(crate) use world::World;
