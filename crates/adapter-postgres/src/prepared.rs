//! Caches prepared statements that Diesel would prepare anew each time.

use diesel::{
    QueryResult,
    pg::Pg,
    query_builder::{AstPass, Query, QueryFragment, QueryId},
};

/// A statement whose text depends only on its type, or is written out (`sql_query`).
///
/// Diesel never caches an `UPDATE` or an `ON CONFLICT DO UPDATE`, because a changeset may leave
/// columns out, nor a written-out statement. Our changesets leave no columns out
/// (`treat_none_as_null`), and the cache key is the whole text, so that statements cannot be
/// confused. This saves a round trip in each unit of work.
pub(crate) struct Prepared<T>(pub(crate) T);

impl<T: QueryFragment<Pg>> QueryFragment<Pg> for Prepared<T> {
    fn walk_ast<'b>(&'b self, out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        self.0.walk_ast(out)
    }

    fn is_safe_to_cache_prepared(&self, _: &Pg) -> QueryResult<bool> {
        Ok(true)
    }
}

impl<T> QueryId for Prepared<T> {
    type QueryId = ();
    const HAS_STATIC_QUERY_ID: bool = false;
}

impl<T: Query> Query for Prepared<T> {
    type SqlType = T::SqlType;
}
