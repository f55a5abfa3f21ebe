//! A transaction in two round trips: `BEGIN` and all statements are pipelined, their results are
//! checked, then `COMMIT` is sent.

use diesel::{QueryResult, pg::Pg, query_builder::QueryFragment};
use diesel_async::{AsyncPgConnection, RunQueryDsl, SimpleAsyncConnection};
use futures_util::future::{BoxFuture, FutureExt, join_all};
use oncharge_ports::StoreError;
use oncharge_store_rows::prepared::Prepared;

use crate::{error::Failure, pool::PooledConnection};

/// Statements that are committed together, or not at all.
pub(crate) struct Batch<'a, Precondition> {
    pooled: &'a PooledConnection,
    steps: Vec<Step<'a, Precondition>>,
}

/// A statement that is not sent yet, and the precondition that it checks, if any.
struct Step<'a, Precondition> {
    result: BoxFuture<'a, QueryResult<usize>>,
    precondition: Option<Precondition>,
}

/// A batch was not committed, or the outcome of its commit is unknown.
#[derive(Debug)]
pub(crate) enum BatchError<Precondition> {
    /// A required statement touched no row; nothing was written.
    PreconditionFailed(Precondition),
    /// A statement failed; nothing was written.
    Failed(Failure),
    /// The connection was lost during the commit, or the commit was not replicated.
    OutcomeUnknown(Failure),
}

impl<'a, Precondition: Send + 'a> Batch<'a, Precondition> {
    pub(crate) fn new(pooled: &'a PooledConnection) -> Self {
        let steps = Vec::new();
        Self { pooled, steps }
    }

    /// Adds a statement that may touch any number of rows.
    pub(crate) fn add<T>(&mut self, statement: T)
    where
        T: QueryFragment<Pg> + Send + 'a,
    {
        self.push(statement, None);
    }

    /// Adds a statement that must touch a row; otherwise the batch fails with this precondition.
    pub(crate) fn require<T>(&mut self, statement: T, precondition: Precondition)
    where
        T: QueryFragment<Pg> + Send + 'a,
    {
        self.push(statement, Some(precondition));
    }

    fn push<T>(&mut self, statement: T, precondition: Option<Precondition>)
    where
        T: QueryFragment<Pg> + Send + 'a,
    {
        let mut connection: &'a AsyncPgConnection = self.pooled.connection();
        let result = Prepared(statement).execute(&mut connection);
        self.steps.push(Step {
            result,
            precondition,
        });
    }

    /// Sends the statements and commits. If the future is dropped before the end, the connection is
    /// closed and the transaction rolled back.
    pub(crate) async fn commit(self) -> Result<(), BatchError<Precondition>> {
        self.commit_and_count().await.map(|_| ())
    }

    /// As [`Batch::commit`]; returns the number of rows that the last statement touched.
    pub(crate) async fn commit_and_count(self) -> Result<usize, BatchError<Precondition>> {
        let pooled = self.pooled;
        pooled.transaction_opened();
        let written = pooled
            .round_trip(send(pooled.connection(), self.steps).map(Ok))
            .await;
        let touched = match written.map_err(BatchError::Failed).and_then(check_results) {
            Ok(touched) => touched,
            Err(error) => {
                if pooled
                    .round_trip(pooled.connection().batch_execute("ROLLBACK"))
                    .await
                    .is_ok()
                {
                    pooled.transaction_closed();
                }
                return Err(error);
            }
        };
        match pooled
            .commit_round_trip(pooled.connection().batch_execute("COMMIT"))
            .await
        {
            Ok(()) => {
                pooled.transaction_closed();
                Ok(touched)
            }
            Err(failure) if failure.is_rolled_back() => {
                pooled.transaction_closed();
                Err(BatchError::Failed(failure))
            }
            Err(failure) => Err(BatchError::OutcomeUnknown(failure)),
        }
    }
}

impl Batch<'_, ()> {
    /// As [`Batch::commit`]; returns `false`, with nothing written, if a precondition failed.
    pub(crate) async fn try_commit(self) -> Result<bool, StoreError> {
        match self.commit().await {
            Ok(()) => Ok(true),
            Err(BatchError::PreconditionFailed(())) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }
}

impl From<BatchError<()>> for StoreError {
    fn from(error: BatchError<()>) -> Self {
        match error {
            BatchError::PreconditionFailed(()) => Self::Failed("a row is missing".into()),
            BatchError::Failed(failure) => failure.into(),
            BatchError::OutcomeUnknown(failure) => unknown_outcome_error(&failure),
        }
    }
}

/// The connection was lost during the commit; `Unavailable` would promise that nothing was written.
pub(crate) fn unknown_outcome_error(failure: &Failure) -> StoreError {
    let text = format!("it is unknown whether this was written: {failure:?}");
    StoreError::Failed(text.into())
}

type Results<Precondition> = Vec<(QueryResult<usize>, Option<Precondition>)>;

/// Sends everything before waiting for the first result: the statements are polled in order, and
/// the connection sends them in the order in which they were first polled.
async fn send<'a, Precondition: Send + 'a>(
    mut connection: &'a AsyncPgConnection,
    steps: Vec<Step<'a, Precondition>>,
) -> Results<Precondition> {
    let begin = connection.batch_execute("BEGIN ISOLATION LEVEL READ COMMITTED");
    let begin = begin.map(|done| (done.map(|()| 1), None)).boxed();
    let each = steps.into_iter().map(|step| {
        step.result
            .map(|result| (result, step.precondition))
            .boxed()
    });
    join_all(std::iter::once(begin).chain(each)).await
}

/// Returns the first error, after which PostgreSQL refuses all later statements anyway, or else the
/// number of rows that the last statement touched.
fn check_results<Precondition>(
    results: Results<Precondition>,
) -> Result<usize, BatchError<Precondition>> {
    let mut last = 0;
    for (result, precondition) in results {
        match (result, precondition) {
            (Err(error), _) => return Err(BatchError::Failed(Failure::of(error))),
            (Ok(0), Some(precondition)) => {
                return Err(BatchError::PreconditionFailed(precondition));
            }
            (Ok(touched), _) => last = touched,
        }
    }
    Ok(last)
}
