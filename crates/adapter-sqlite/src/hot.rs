//! Statements that are prepared once although diesel would parse them each time.

use diesel::{
    QueryResult, RunQueryDsl,
    query_builder::{AstPass, Query, QueryFragment, QueryId},
    sqlite::Sqlite,
};

/// A statement whose SQL text takes few forms, kept prepared under that text.
///
/// Diesel never keeps an `UPDATE` or a literal, since their texts could be without number; those
/// wrapped here have one text each (or as many as there are list lengths), and preparing them again
/// costs more than running them.
pub(crate) struct Hot<Q>(pub(crate) Q);

impl<Q: QueryFragment<Sqlite>> QueryFragment<Sqlite> for Hot<Q> {
    fn walk_ast<'b>(&'b self, pass: AstPass<'_, 'b, Sqlite>) -> QueryResult<()> {
        self.0.walk_ast(pass)
    }

    fn is_safe_to_cache_prepared(&self, _: &Sqlite) -> QueryResult<bool> {
        Ok(true)
    }
}

impl<Q> QueryId for Hot<Q> {
    type QueryId = ();
    // No id: the cache's key is the text.
    const HAS_STATIC_QUERY_ID: bool = false;
}

impl<Q: Query> Query for Hot<Q> {
    type SqlType = Q::SqlType;
}

impl<Q, C> RunQueryDsl<C> for Hot<Q> {}
