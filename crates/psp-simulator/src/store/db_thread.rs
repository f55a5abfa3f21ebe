//! A thread that owns a database connection and executes submitted work in order.
//!
//! The writer commits in groups: all work queued during the previous commit shares the next one.
//! Each piece of work is a savepoint, so a failure does not affect the others.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Mutex, PoisonError};
use std::thread::JoinHandle;

use diesel::Connection as _;
use diesel::sqlite::SqliteConnection;
use tokio::sync::oneshot;

use super::StoreError;

/// Maximum number of pieces of work per commit; bounds the duration of a commit.
const MAX_GROUP_SIZE: usize = 64;

/// Whether a thread writes (immediate transactions, group commit) or only reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    /// The one writer.
    Write,
    /// A reader: each piece of work sees one consistent state.
    Read,
}

/// Sends the caller the result of its work, once it is known whether the group was committed.
type Completion = Box<dyn FnOnce(bool) + Send>;
type Job = Box<dyn FnOnce(&mut SqliteConnection) -> Completion + Send>;

enum Message {
    Work(Job),
    Stop,
}

/// Handle of a database thread.
pub(super) struct DbThread {
    sender: Sender<Message>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl DbThread {
    /// Starts the thread with its connection.
    pub(super) fn start(
        name: &str,
        connection: SqliteConnection,
        mode: Mode,
    ) -> std::io::Result<Self> {
        let (sender, receiver) = channel();
        let thread = std::thread::Builder::new()
            .name(name.to_owned())
            .spawn(move || run_jobs(connection, mode, &receiver))?;
        Ok(Self {
            sender,
            thread: Mutex::new(Some(thread)),
        })
    }

    /// Submits a piece of work and waits until it is completed and, for a write, committed.
    pub(super) async fn run<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&mut SqliteConnection) -> Result<T, StoreError> + Send + 'static,
    {
        let (result_sender, result_receiver) = oneshot::channel();
        let job: Job = Box::new(move |connection| {
            let result = connection.transaction(work);
            Box::new(move |committed| {
                let result = if committed {
                    result
                } else {
                    Err(StoreError::Unavailable)
                };
                // A caller that has disconnected needs no result; the work remains committed.
                let _ = result_sender.send(result);
            })
        });
        self.sender
            .send(Message::Work(job))
            .map_err(|_| StoreError::Unavailable)?;
        result_receiver
            .await
            .unwrap_or(Err(StoreError::Unavailable))
    }

    /// Completes the work submitted before and ends the thread. Later work is refused.
    pub(super) fn close(&self) {
        let _ = self.sender.send(Message::Stop);
        let thread = self
            .thread
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if thread.is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("a database thread panicked");
        }
    }
}

impl Drop for DbThread {
    fn drop(&mut self) {
        let _ = self.sender.send(Message::Stop);
    }
}

fn run_jobs(mut connection: SqliteConnection, mode: Mode, receiver: &Receiver<Message>) {
    while let Ok(Message::Work(first)) = receiver.recv() {
        if mode == Mode::Read {
            first(&mut connection)(true);
            continue;
        }
        let mut group = vec![first];
        let mut stop = false;
        while group.len() < MAX_GROUP_SIZE && !stop {
            match receiver.try_recv() {
                Ok(Message::Work(job)) => group.push(job),
                Ok(Message::Stop) => stop = true,
                Err(_) => break,
            }
        }
        commit(&mut connection, group);
        if stop {
            return;
        }
    }
}

fn commit(connection: &mut SqliteConnection, group: Vec<Job>) {
    let mut completions: Vec<Completion> = Vec::with_capacity(group.len());
    let committed =
        connection.immediate_transaction::<(), diesel::result::Error, _>(|connection| {
            completions.extend(group.into_iter().map(|job| job(connection)));
            Ok(())
        });
    if let Err(error) = &committed {
        tracing::error!(%error, "cannot commit a batch of writes");
    }
    for complete in completions {
        complete(committed.is_ok());
    }
}
