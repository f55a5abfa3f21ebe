//! Samples the queues for the operators' view, once a minute.

use std::future::Future;

use oncharge_application::Error;
use oncharge_ports::work_queue::QueueDepth;

use super::STORE_TIMEOUT;
use crate::queue_history::QueueHistory;

/// Samples immediately and then periodically; if the store does not respond, records `None`.
pub(super) async fn sample<F>(record: impl Fn(Option<Vec<QueueDepth>>), depths: impl Fn() -> F)
where
    F: Future<Output = Result<Vec<QueueDepth>, Error>>,
{
    loop {
        // Readiness and the gauges log why the store does not respond.
        let result = tokio::time::timeout(STORE_TIMEOUT, depths()).await;
        record(result.ok().and_then(Result::ok));
        tokio::time::sleep(QueueHistory::SAMPLE_INTERVAL).await;
    }
}

#[cfg(test)]
mod tests {
    use std::{
        cell::{Cell, RefCell},
        time::Duration,
    };

    use oncharge_ports::work_queue::QueueName;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn samples_every_minute_even_while_the_store_hangs() {
        let (recorded, calls) = (RefCell::new(Vec::new()), Cell::new(0));
        let record = |depths: Option<Vec<QueueDepth>>| {
            let depth = depths.map(|depths| depths[0].depth);
            recorded.borrow_mut().push(depth);
        };
        let depths = || {
            calls.set(calls.get() + 1);
            let call = calls.get();
            async move {
                match call {
                    2 => std::future::pending().await,
                    3 => Err(Error::NotFound),
                    _ => Ok(vec![QueueDepth {
                        queue: QueueName::Inbox,
                        depth: call,
                        oldest: None,
                    }]),
                }
            }
        };
        let minutes = Duration::from_secs(4 * 60 + 10);
        let ended = tokio::time::timeout(minutes, sample(record, depths)).await;
        assert!(ended.is_err(), "it ended before it was stopped");
        let wanted = [Some(1), None, None, Some(4), Some(5)];
        assert_eq!(*recorded.borrow(), wanted, "at once, and then every minute");
    }
}
