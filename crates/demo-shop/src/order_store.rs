//! The shop's orders, stored in one small file that only its owner may read.

use std::{
    collections::VecDeque,
    sync::{Mutex, MutexGuard, PoisonError},
};

use anyhow::Context;
use serde::{Deserialize, Serialize};

use crate::{DataDir, order::Order};

/// The file of all orders.
const FILE: &str = "shop.json";
/// Maximum number of orders kept; the oldest are dropped first.
const MAX_ORDERS: usize = 500;
/// The number of the first order.
const FIRST_NUMBER: u64 = 1001;

/// All orders.
pub(crate) struct OrderStore {
    data_dir: DataDir,
    orders: Mutex<Orders>,
    /// Serializes writes, so that an older state never replaces a newer one.
    write_lock: tokio::sync::Mutex<()>,
}

#[derive(Serialize, Deserialize)]
struct Orders {
    next: u64,
    orders: VecDeque<Order>,
}

impl OrderStore {
    /// Opens the orders of the last run.
    ///
    /// Errors if the file exists but cannot be read.
    pub(crate) fn open(data_dir: DataDir) -> anyhow::Result<Self> {
        let orders = match data_dir.read(FILE)? {
            Some(bytes) => serde_json::from_slice(&bytes).with_context(|| {
                let file = data_dir.file(FILE);
                format!("{} is not a valid file of the demo shop", file.display())
            })?,
            None => Orders {
                next: FIRST_NUMBER,
                orders: VecDeque::new(),
            },
        };
        Ok(Self {
            data_dir,
            orders: Mutex::new(orders),
            write_lock: tokio::sync::Mutex::new(()),
        })
    }

    /// Adds and stores the order that `make` creates for the next number.
    pub(crate) async fn add(&self, make: impl FnOnce(u64) -> Order) -> anyhow::Result<u64> {
        let number = {
            let mut order_store = self.lock();
            let number = order_store.next;
            order_store.next = number.saturating_add(1);
            order_store.orders.push_back(make(number));
            if order_store.orders.len() > MAX_ORDERS {
                order_store.orders.pop_front();
            }
            number
        };
        self.save().await?;
        Ok(number)
    }

    /// The order with this number.
    pub(crate) fn order(&self, number: u64) -> Option<Order> {
        self.lock()
            .orders
            .iter()
            .find(|order| order.number == number)
            .cloned()
    }

    /// The number of the order with this checkout session.
    pub(crate) fn number_of(&self, session_id: &str) -> Option<u64> {
        let order_store = self.lock();
        let of_session = order_store.orders.iter().rev().find(|order| {
            let checkout = order.checkout.as_ref();
            checkout.is_some_and(|checkout| checkout.session_id == session_id)
        });
        of_session.map(|order| order.number)
    }

    /// The newest orders, newest first.
    pub(crate) fn newest(&self, count: usize) -> Vec<Order> {
        self.lock()
            .orders
            .iter()
            .rev()
            .take(count)
            .cloned()
            .collect()
    }

    /// Changes an order in memory only; it is stored with the next durable change.
    pub(crate) fn update_in_memory<T>(
        &self,
        number: u64,
        update: impl FnOnce(&mut Order) -> T,
    ) -> Option<T> {
        self.lock()
            .orders
            .iter_mut()
            .find(|order| order.number == number)
            .map(update)
    }

    /// Changes and stores an order: the change survives a crash once this returns.
    pub(crate) async fn update<T>(
        &self,
        number: u64,
        update: impl FnOnce(&mut Order) -> T,
    ) -> anyhow::Result<Option<T>> {
        let changed = self.update_in_memory(number, update);
        self.save().await?;
        Ok(changed)
    }

    /// Writes all orders to the file.
    pub(crate) async fn save(&self) -> anyhow::Result<()> {
        let _guard = self.write_lock.lock().await;
        let content = serde_json::to_vec_pretty(&*self.lock())?;
        let data_dir = self.data_dir.clone();
        actix_web::web::block(move || data_dir.write(FILE, &content)).await?
    }

    fn lock(&self) -> MutexGuard<'_, Orders> {
        self.orders.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{fixtures::data_dir, integration::records::Action, moment::Moment};

    fn order(number: u64) -> Order {
        let mut order = Order::new(number, Moment::now(), Vec::new());
        order.start_action(Action::Checkout);
        order
    }

    #[tokio::test]
    async fn orders_survive_a_restart() {
        let dir = tempfile::tempdir().unwrap();
        let order_store = OrderStore::open(data_dir(dir.path())).unwrap();
        let number = order_store.add(order).await.unwrap();
        let key = order_store
            .order(number)
            .unwrap()
            .intent
            .unwrap()
            .idempotency_key;
        drop(order_store);

        let order_store = OrderStore::open(data_dir(dir.path())).unwrap();
        let kept = order_store.order(number).unwrap();
        assert_eq!(
            kept.intent.unwrap().idempotency_key,
            key,
            "an open action keeps its key"
        );
        assert_eq!(order_store.add(order).await.unwrap(), number + 1);
    }

    #[tokio::test]
    async fn only_the_newest_orders_are_stored() {
        let dir = tempfile::tempdir().unwrap();
        let order_store = OrderStore::open(data_dir(dir.path())).unwrap();
        {
            let mut orders = order_store.lock();
            orders.orders.extend((1..=500).map(order));
        }
        let number = order_store.add(order).await.unwrap();
        assert_eq!(order_store.newest(1000).len(), MAX_ORDERS);
        assert!(order_store.order(1).is_none() && order_store.order(number).is_some());
    }
}
