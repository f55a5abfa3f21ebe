//! The writer thread: a queue of jobs and a connection of its own.
//!
//! Once taken, a job runs to completion whether or not its caller still waits: a dropped future
//! leaves all or nothing, and never an open transaction. Jobs contain no `BEGIN` or `COMMIT` and
//! get their reply only after the commit, so that several could share one.

use std::{
    collections::VecDeque,
    panic::{AssertUnwindSafe, catch_unwind},
    path::PathBuf,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread::JoinHandle,
};

use diesel::{SqliteConnection, connection::SimpleConnection};
use oncharge_ports::{CommitError, StoreError};
use tokio::sync::oneshot;

use crate::{error, pool};

/// Maximum number of queued jobs; above it, writes fail at once because the store is overloaded.
const MAX_QUEUED_WRITES: usize = 4096;
/// After this many requests in a row, one worker's job is taken: workers get one write in four,
/// however many requests are queued.
const MAX_CONSECUTIVE_REQUESTS: u32 = 3;

/// Priority of a write: lease renewals, then requests, then workers. A late renewal gives the work
/// to a second worker; there is at most one renewal per item in progress every few seconds, so they
/// cannot delay the others much.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Priority {
    /// A worker that renews its lease.
    Renewal,
    /// A merchant or shopper.
    Request,
    /// A worker.
    Worker,
}

/// The writing side of a store; when dropped, its thread ends after the queued jobs.
pub(crate) struct Writer {
    queue: Arc<WriteQueue>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct WriteQueue {
    jobs: Mutex<Jobs>,
    not_empty: Condvar,
}

#[derive(Default)]
struct Jobs {
    renewals: VecDeque<Box<dyn Job>>,
    requests: VecDeque<Box<dyn Job>>,
    workers: VecDeque<Box<dyn Job>>,
    consecutive_requests: u32,
    closed: bool,
}

/// One write in three steps that the writer runs: `write` inside a transaction, then the commit or
/// rollback, then `reply`.
trait Job: Send {
    /// Writes; returns whether to commit the transaction.
    fn write(&mut self, connection: &mut SqliteConnection) -> bool;

    /// Sends the result to the caller.
    fn reply(self: Box<Self>, commit: Result<(), CommitError>);
}

struct Task<F, T> {
    work: Option<F>,
    outcome: Option<Result<T, CommitError>>,
    caller: oneshot::Sender<Result<T, CommitError>>,
}

impl<F, T> Job for Task<F, T>
where
    F: FnOnce(&mut SqliteConnection) -> Result<T, CommitError> + Send,
    T: Send,
{
    fn write(&mut self, connection: &mut SqliteConnection) -> bool {
        self.outcome = self.work.take().map(|work| work(connection));
        matches!(self.outcome, Some(Ok(_)))
    }

    fn reply(self: Box<Self>, commit: Result<(), CommitError>) {
        let reply = match (self.outcome, commit) {
            (Some(Err(refused)), _) => Err(refused),
            (_, Err(error)) => Err(error),
            (Some(outcome), Ok(())) => outcome,
            (None, Ok(())) => Err(error::rule_violation("a job was answered before it ran").into()),
        };
        // Ignored: a caller that is gone does not change the result.
        let _ = self.caller.send(reply);
    }
}

impl WriteQueue {
    fn jobs(&self) -> MutexGuard<'_, Jobs> {
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for the next job; `None` once the store is closed and the queue is empty.
    fn next(&self) -> Option<Box<dyn Job>> {
        let mut jobs = self.jobs();
        loop {
            if let Some(job) = jobs.take() {
                return Some(job);
            }
            if jobs.closed {
                return None;
            }
            jobs = self
                .not_empty
                .wait(jobs)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }
}

impl Jobs {
    fn take(&mut self) -> Option<Box<dyn Job>> {
        if let Some(renewal) = self.renewals.pop_front() {
            return Some(renewal);
        }
        let worker_waits = !self.workers.is_empty();
        if worker_waits && self.consecutive_requests >= MAX_CONSECUTIVE_REQUESTS {
            self.consecutive_requests = 0;
            return self.workers.pop_front();
        }
        if let Some(request) = self.requests.pop_front() {
            self.consecutive_requests = self.consecutive_requests.saturating_add(1);
            return Some(request);
        }
        self.consecutive_requests = 0;
        self.workers.pop_front()
    }
}

impl Writer {
    /// Starts the thread with this connection; `path` is used to open another if that breaks.
    pub(crate) fn start(path: PathBuf, connection: SqliteConnection) -> Result<Self, StoreError> {
        let queue = Arc::new(WriteQueue::default());
        let thread_queue = Arc::clone(&queue);
        let thread = std::thread::Builder::new()
            .name("sqlite-writer".to_owned())
            .spawn(move || {
                let mut connection = Some(connection);
                while let Some(job) = thread_queue.next() {
                    run(job, &path, &mut connection);
                }
            })
            .map_err(|error| StoreError::Failed(error.into()))?;
        Ok(Self {
            queue,
            thread: Some(thread),
        })
    }

    /// Runs `work` in a transaction of its own and returns once that is durable. The work is done
    /// even if this future is dropped.
    pub(crate) async fn write<T, F>(&self, priority: Priority, work: F) -> Result<T, CommitError>
    where
        F: FnOnce(&mut SqliteConnection) -> Result<T, CommitError> + Send + 'static,
        T: Send + 'static,
    {
        let (caller, reply) = oneshot::channel();
        let job = Box::new(Task {
            work: Some(work),
            outcome: None,
            caller,
        });
        {
            let mut jobs = self.queue.jobs();
            let queue = match priority {
                Priority::Renewal => &mut jobs.renewals,
                Priority::Request => &mut jobs.requests,
                Priority::Worker => &mut jobs.workers,
            };
            if queue.len() >= MAX_QUEUED_WRITES {
                return Err(StoreError::Unavailable("too many writes are waiting".into()).into());
            }
            queue.push_back(job);
        }
        self.queue.not_empty.notify_one();
        reply.await.unwrap_or(Err(CommitError::OutcomeUnknown))
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.queue.jobs().closed = true;
        self.queue.not_empty.notify_one();
        if let Some(thread) = self.thread.take() {
            // A panic of the thread was reported by the panic hook.
            let _ = thread.join();
        }
    }
}

/// Runs one job in a transaction; opens a new connection if the last one broke.
fn run(job: Box<dyn Job>, path: &std::path::Path, slot: &mut Option<SqliteConnection>) {
    let mut connection = match slot.take() {
        Some(connection) => connection,
        None => match pool::open_writer(path) {
            Ok(connection) => connection,
            Err(error) => return job.reply(Err(error.into())),
        },
    };
    if let Err(error) = connection.batch_execute("BEGIN IMMEDIATE") {
        // Nothing has begun; the connection may be broken, or a lock was held too long.
        return job.reply(Err(error::store(error).into()));
    }
    let mut job = job;
    let wrote = catch_unwind(AssertUnwindSafe(|| job.write(&mut connection)));
    let (commit, usable) = match wrote {
        Ok(true) => match connection.batch_execute("COMMIT") {
            Ok(()) => (Ok(()), true),
            Err(error) => {
                let usable = roll_back(&mut connection);
                let is_overwritten = usable && overwrite(&mut connection);
                (Err(error::at_commit(error, is_overwritten)), usable)
            }
        },
        Ok(false) => {
            let usable = roll_back(&mut connection);
            (Ok(()), usable)
        }
        Err(_) => {
            // Dropping the connection rolls back.
            let panicked = error::rule_violation("the writer panicked; nothing was written");
            return job.reply(Err(panicked.into()));
        }
    };
    if usable {
        *slot = Some(connection);
    }
    job.reply(commit);
}

/// Rolls back; returns whether the connection is out of its transaction and can be reused.
fn roll_back(connection: &mut SqliteConnection) -> bool {
    match connection.batch_execute("ROLLBACK") {
        Ok(()) => true,
        // After some errors SQLite has already rolled back.
        Err(error) => error.to_string().contains("no transaction is active"),
    }
}

/// Overwrites what a failed commit may have left in the WAL; returns whether it is certainly gone.
///
/// The process continues without that commit, but recovery after a crash could take it for
/// committed. The WAL is continued from its last good commit, so any other commit overwrites it;
/// this one changes nothing (none of our programs uses `user_version`).
fn overwrite(connection: &mut SqliteConnection) -> bool {
    let written = connection.batch_execute("PRAGMA user_version = 0");
    written.is_ok()
}

#[cfg(test)]
mod tests {
    use diesel::{RunQueryDsl, sql_query};

    use super::*;

    struct Nothing;

    impl Job for Nothing {
        fn write(&mut self, _: &mut SqliteConnection) -> bool {
            false
        }
        fn reply(self: Box<Self>, _: Result<(), CommitError>) {}
    }

    /// The priorities in the order in which jobs are taken, one letter each.
    fn order(mut jobs: Jobs) -> String {
        let mut out = String::new();
        loop {
            let (renewals, workers) = (jobs.renewals.len(), jobs.workers.len());
            if jobs.take().is_none() {
                return out;
            }
            out.push(if jobs.renewals.len() < renewals {
                'l'
            } else if jobs.workers.len() < workers {
                'w'
            } else {
                'r'
            });
        }
    }

    fn queued(renewals: usize, requests: usize, workers: usize) -> Jobs {
        let mut jobs = Jobs::default();
        let queues = [
            (&mut jobs.renewals, renewals),
            (&mut jobs.requests, requests),
            (&mut jobs.workers, workers),
        ];
        for (queue, count) in queues {
            queue.extend((0..count).map(|_| Box::new(Nothing) as Box<dyn Job>));
        }
        jobs
    }

    #[test]
    fn renewals_go_first_and_workers_get_one_write_in_four() {
        assert_eq!(order(queued(2, 3, 2)), "llrrrww");
        assert_eq!(order(queued(0, 10, 3)), "rrrwrrrwrrrwr");
        assert_eq!(order(queued(1, 0, 2)), "lww");
    }

    /// A writer on a new file with a table `t`, whose connection was configured with this SQL.
    fn writer(directory: &tempfile::TempDir, setting: &str) -> Writer {
        let path = directory.path().join("t.db");
        let mut connection = pool::open_writer(&path).unwrap();
        connection.batch_execute("CREATE TABLE t (x)").unwrap();
        connection.batch_execute(setting).unwrap();
        Writer::start(path, connection).unwrap()
    }

    async fn execute(writer: &Writer, text: &'static str) -> Result<usize, CommitError> {
        let work = move |connection: &mut SqliteConnection| {
            sql_query(text).execute(connection).map_err(error::commit)
        };
        writer.write(Priority::Request, work).await
    }

    #[tokio::test]
    async fn a_full_disk_fails_the_write_and_leaves_the_store_usable() {
        let directory = tempfile::tempdir().unwrap();
        let writer = writer(&directory, "PRAGMA max_page_count = 20");
        let big = writer.write(Priority::Request, |connection| {
            for text in [
                "INSERT INTO t VALUES ('half')",
                "INSERT INTO t VALUES (zeroblob(1000000))",
            ] {
                let written = sql_query(text).execute(connection);
                written.map_err(error::commit)?;
            }
            Ok(())
        });
        let full = big.await.unwrap_err();
        let unavailable = matches!(full, CommitError::Store(StoreError::Unavailable(_)));
        assert!(unavailable, "{full:?}");
        assert_eq!(
            execute(&writer, "INSERT INTO t VALUES ('small')")
                .await
                .unwrap(),
            1
        );
        let left = execute(&writer, "DELETE FROM t").await.unwrap();
        assert_eq!(left, 1, "only the second unit was written");
    }

    #[tokio::test]
    async fn a_panic_fails_only_its_own_write() {
        let directory = tempfile::tempdir().unwrap();
        let writer = writer(&directory, "");
        let panicking = writer.write(Priority::Request, |connection| -> Result<(), _> {
            let insert = sql_query("INSERT INTO t VALUES ('half')");
            insert.execute(connection).map_err(error::commit)?;
            panic!("as planned");
        });
        let ended = panicking.await.unwrap_err();
        assert!(
            matches!(ended, CommitError::Store(StoreError::Failed(_))),
            "{ended:?}"
        );
        assert_eq!(
            execute(&writer, "INSERT INTO t VALUES ('next')")
                .await
                .unwrap(),
            1
        );
        assert_eq!(execute(&writer, "DELETE FROM t").await.unwrap(), 1);
    }

    #[tokio::test]
    async fn queued_writes_are_written_before_the_writer_stops() {
        let directory = tempfile::tempdir().unwrap();
        let first = writer(&directory, "");
        for _ in 0..50 {
            // Polled once, which queues the write, then dropped.
            let mut write = Box::pin(execute(&first, "INSERT INTO t VALUES (1)"));
            std::future::poll_fn(|context| {
                std::task::Poll::Ready(write.as_mut().poll(context).is_pending())
            })
            .await;
        }
        drop(first);
        let mut connection = pool::open_writer(&directory.path().join("t.db")).unwrap();
        assert_eq!(
            sql_query("DELETE FROM t").execute(&mut connection).unwrap(),
            50
        );
    }
}
