//! A transaction in two round trips: `BEGIN` and every statement go out together, the answers are
//! looked at, then `COMMIT`.

use diesel::{QueryResult, pg::Pg, query_builder::QueryFragment};
use diesel_async::{AsyncPgConnection, RunQueryDsl, SimpleAsyncConnection};
use futures_util::future::{BoxFuture, FutureExt, join_all};
use oncharge_ports::StoreError;

use crate::{error::Failure, pool::Lent, prepared::Prepared};

/// Statements that become true together, or not at all.
pub(crate) struct Batch<'a, Blame> {
    lent: &'a Lent,
    steps: Vec<Step<'a, Blame>>,
}

/// One statement, not sent yet; what it means where it touches no row.
struct Step<'a, Blame> {
    answer: BoxFuture<'a, QueryResult<usize>>,
    on_no_row: Option<Blame>,
}

/// A batch was not committed, or it is not known whether it was.
#[derive(Debug)]
pub(crate) enum BatchError<Blame> {
    /// A statement touched no row that had to; nothing was written.
    NoRow(Blame),
    /// A statement failed; nothing was written.
    Failed(Failure),
    /// The connection was lost during the commit, or the commit was not replicated.
    OutcomeUnknown(Failure),
}

impl<'a, Blame: Send + 'a> Batch<'a, Blame> {
    pub(crate) fn new(lent: &'a Lent) -> Self {
        let steps = Vec::new();
        Self { lent, steps }
    }

    /// Adds a statement that may touch any number of rows.
    pub(crate) fn add<T>(&mut self, statement: T)
    where
        T: QueryFragment<Pg> + Send + 'a,
    {
        self.push(statement, None);
    }

    /// Adds a statement that must touch a row, or the whole batch fails with this.
    pub(crate) fn require<T>(&mut self, statement: T, or: Blame)
    where
        T: QueryFragment<Pg> + Send + 'a,
    {
        self.push(statement, Some(or));
    }

    fn push<T>(&mut self, statement: T, on_no_row: Option<Blame>)
    where
        T: QueryFragment<Pg> + Send + 'a,
    {
        let mut line: &'a AsyncPgConnection = self.lent.line();
        let answer = Prepared(statement).execute(&mut line);
        self.steps.push(Step { answer, on_no_row });
    }

    /// Sends it all and commits. Where the future is dropped on the way, the connection goes with
    /// it, and with that whatever was not committed.
    pub(crate) async fn commit(self) -> Result<(), BatchError<Blame>> {
        self.commit_counting().await.map(|_| ())
    }

    /// As [`Batch::commit`]; how many rows the last statement touched.
    pub(crate) async fn commit_counting(self) -> Result<usize, BatchError<Blame>> {
        let lent = self.lent;
        lent.opened();
        let written = lent.trip(send(lent.line(), self.steps).map(Ok)).await;
        let touched = match written.map_err(BatchError::Failed).and_then(judge) {
            Ok(touched) => touched,
            Err(error) => {
                if lent
                    .trip(lent.line().batch_execute("ROLLBACK"))
                    .await
                    .is_ok()
                {
                    lent.closed();
                }
                return Err(error);
            }
        };
        match lent.commit_trip(lent.line().batch_execute("COMMIT")).await {
            Ok(()) => {
                lent.closed();
                Ok(touched)
            }
            Err(failure) if failure.is_final_word() => {
                lent.closed();
                Err(BatchError::Failed(failure))
            }
            Err(failure) => Err(BatchError::OutcomeUnknown(failure)),
        }
    }
}

impl Batch<'_, ()> {
    /// As [`Batch::commit`]; `false`, and nothing written, where a required row is not there.
    pub(crate) async fn commit_if_there(self) -> Result<bool, StoreError> {
        match self.commit().await {
            Ok(()) => Ok(true),
            Err(BatchError::NoRow(())) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }
}

impl From<BatchError<()>> for StoreError {
    fn from(error: BatchError<()>) -> Self {
        match error {
            BatchError::NoRow(()) => Self::Failed("a row is not there".into()),
            BatchError::Failed(failure) => failure.into(),
            BatchError::OutcomeUnknown(failure) => unknown(&failure),
        }
    }
}

/// The connection was lost during the commit: "unavailable" would promise that nothing was written.
pub(crate) fn unknown(failure: &Failure) -> StoreError {
    let text = format!("it is not known whether this was written: {failure:?}");
    StoreError::Failed(text.into())
}

type Answers<Blame> = Vec<(QueryResult<usize>, Option<Blame>)>;

/// Sends everything before the first answer is waited for: the statements are polled in their
/// order, and a connection carries them in the order in which they were polled first.
async fn send<'a, Blame: Send + 'a>(
    mut line: &'a AsyncPgConnection,
    steps: Vec<Step<'a, Blame>>,
) -> Answers<Blame> {
    let begin = line.batch_execute("BEGIN ISOLATION LEVEL READ COMMITTED");
    let begin = begin.map(|done| (done.map(|()| 1), None)).boxed();
    let each = steps
        .into_iter()
        .map(|step| step.answer.map(|answer| (answer, step.on_no_row)).boxed());
    join_all(std::iter::once(begin).chain(each)).await
}

/// The first thing that is wrong: after it, PostgreSQL refuses whatever follows anyway. Else how many
/// rows the last statement touched.
fn judge<Blame>(answers: Answers<Blame>) -> Result<usize, BatchError<Blame>> {
    let mut last = 0;
    for (answer, on_no_row) in answers {
        match (answer, on_no_row) {
            (Err(error), _) => return Err(BatchError::Failed(Failure::of(error))),
            (Ok(0), Some(blame)) => return Err(BatchError::NoRow(blame)),
            (Ok(touched), _) => last = touched,
        }
    }
    Ok(last)
}
