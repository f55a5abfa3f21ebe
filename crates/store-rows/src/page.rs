//! Pages of lists, newest first.

/// Adds the order, limit and start of a page to a boxed query whose rows are those of `$table`.
#[macro_export]
macro_rules! page_of {
    ($query:expr, $table:ident, $page:expr) => {{
        let mut query = $query
            .order(($table::created_at.desc(), $table::id.desc()))
            .limit($page.limit.into());
        if let Some(after) = $page.after {
            let (at, id) = ($crate::Bind(after.created_at), $crate::Bind(after.id));
            // Written so that the index range ends at the time and only ties are compared by id.
            query = query
                .filter($table::created_at.le(at))
                .filter($table::created_at.lt(at).or($table::id.lt(id)));
        }
        query
    }};
}
