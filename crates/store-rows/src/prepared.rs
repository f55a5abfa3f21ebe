//! Caches prepared statements that Diesel would prepare anew each time.

use diesel::{
    QueryResult, RunQueryDsl,
    backend::Backend,
    query_builder::{AstPass, Query, QueryFragment, QueryId},
};

/// A statement whose SQL text has few forms, cached as prepared under that text.
///
/// Diesel never caches an `UPDATE` or an `ON CONFLICT DO UPDATE`, because a changeset may leave
/// columns out, nor a literal or `sql_query`, because the number of their texts could be unbounded.
/// Our changesets leave no columns out (`treat_none_as_null`), and the statements wrapped here have
/// one text each (or one per list length). The cache key is the whole text, so that statements
/// cannot be confused. This saves a round trip to PostgreSQL in each unit of work; in SQLite,
/// preparing costs more than running.
pub struct Prepared<T>(pub T);

impl<DB: Backend, T: QueryFragment<DB>> QueryFragment<DB> for Prepared<T> {
    fn walk_ast<'b>(&'b self, out: AstPass<'_, 'b, DB>) -> QueryResult<()> {
        self.0.walk_ast(out)
    }

    fn is_safe_to_cache_prepared(&self, _: &DB) -> QueryResult<bool> {
        Ok(true)
    }
}

impl<T> QueryId for Prepared<T> {
    type QueryId = ();
    // No static id: the cache key is the text.
    const HAS_STATIC_QUERY_ID: bool = false;
}

impl<T: Query> Query for Prepared<T> {
    type SqlType = T::SqlType;
}

impl<T, Connection> RunQueryDsl<Connection> for Prepared<T> {}
