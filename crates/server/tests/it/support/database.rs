//! The two databases: the embedded file, and a PostgreSQL database per test.

use std::sync::atomic::{AtomicU32, Ordering};

use crate::shared::database::create_postgres;

/// The database of a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Database {
    Sqlite,
    Postgres,
}

/// Defines two tests: on the embedded file and on PostgreSQL.
macro_rules! on_both {
    ($($name:ident),* $(,)?) => {
        mod on_sqlite { $(
            #[tokio::test(flavor = "multi_thread")]
            async fn $name() { super::$name(crate::support::Database::Sqlite).await }
        )* }
        mod on_postgres { $(
            #[tokio::test(flavor = "multi_thread")]
            async fn $name() { super::$name(crate::support::Database::Postgres).await }
        )* }
    };
}
pub(crate) use on_both;

impl Database {
    /// The URL of a new, empty database; `None` for the embedded file.
    pub(crate) async fn fresh(self) -> Option<String> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        if self == Self::Sqlite {
            return None;
        }
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("oncharge_it_{}_{count}", std::process::id());
        Some(create_postgres(&name).await)
    }
}
