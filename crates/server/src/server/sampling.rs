//! Samples the queues for the operators' view, quietly: one look a minute, asked by nobody.

use std::future::Future;

use oncharge_adapter_http::History;
use oncharge_application::Error;
use oncharge_ports::work_queue::QueueDepth;

use super::operators::LIMIT;

/// Samples at once and then again and again; a store that does not answer is recorded as `None`.
pub(super) async fn sample<F>(record: impl Fn(Option<Vec<QueueDepth>>), depths: impl Fn() -> F)
where
    F: Future<Output = Result<Vec<QueueDepth>, Error>>,
{
    loop {
        // Readiness and the gauges log why a store does not answer.
        let answer = tokio::time::timeout(LIMIT, depths()).await;
        record(answer.ok().and_then(Result::ok));
        tokio::time::sleep(History::EVERY).await;
    }
}

#[cfg(test)]
mod tests {
    use std::{
        cell::{Cell, RefCell},
        time::Duration,
    };

    use oncharge_ports::work_queue::Queue;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn it_asks_once_a_minute_and_a_silent_store_does_not_hold_it_up() {
        let (recorded, asked) = (RefCell::new(Vec::new()), Cell::new(0));
        let record = |depths: Option<Vec<QueueDepth>>| {
            let depth = depths.map(|depths| depths[0].depth);
            recorded.borrow_mut().push(depth);
        };
        let depths = || {
            asked.set(asked.get() + 1);
            let turn = asked.get();
            async move {
                match turn {
                    2 => std::future::pending().await,
                    3 => Err(Error::NotFound),
                    _ => Ok(vec![QueueDepth {
                        queue: Queue::Inbox,
                        depth: turn,
                        oldest: None,
                    }]),
                }
            }
        };
        let minutes = Duration::from_secs(4 * 60 + 10);
        let ended = tokio::time::timeout(minutes, sample(record, depths)).await;
        assert!(ended.is_err(), "it goes on until it is stopped");
        let wanted = [Some(1), None, None, Some(4), Some(5)];
        assert_eq!(*recorded.borrow(), wanted, "at once, and then every minute");
    }
}
