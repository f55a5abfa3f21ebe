//! Every column that holds sealed values, for sealing them again.

use crate::seal::{
    BODY, CONTACT_EMAIL, CONTACT_PHONE, Column, NOTIFICATION, PREVIOUS_WEBHOOK_SECRET, REQUEST,
    SIGNING_KEY, WEBHOOK_SECRET,
};

/// A column that holds sealed values, and its table's primary key, to whose bytes each value is
/// bound.
pub struct SealedColumn {
    /// The column; its key's id is in the column of the same name with `_key_id`.
    pub column: Column,
    /// The key's first column, an id.
    pub id: &'static str,
    /// The key's second column, a text, if there is one.
    pub rest: Option<&'static str>,
}

/// Every column that holds sealed values; a test compares this list with the schemas.
pub const SEALED_COLUMNS: [SealedColumn; 8] = [
    SealedColumn::of(SIGNING_KEY, "id"),
    SealedColumn::of(WEBHOOK_SECRET, "merchant_id"),
    SealedColumn::of(PREVIOUS_WEBHOOK_SECRET, "merchant_id"),
    SealedColumn::of(CONTACT_EMAIL, "session_id"),
    SealedColumn::of(CONTACT_PHONE, "session_id"),
    SealedColumn::of(REQUEST, "id"),
    SealedColumn::with_composite_key(BODY, "merchant_id", "key"),
    SealedColumn::of(NOTIFICATION, "id"),
];

impl SealedColumn {
    const fn of(column: Column, id: &'static str) -> Self {
        Self {
            column,
            id,
            rest: None,
        }
    }

    const fn with_composite_key(column: Column, id: &'static str, rest: &'static str) -> Self {
        Self {
            column,
            id,
            rest: Some(rest),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::SEALED_COLUMNS;

    /// Every sealed column has its key's id in a column of the same name with `_key_id`.
    fn sealed_columns(schema: &str) -> BTreeSet<(&str, &str)> {
        let (mut table, mut columns) = ("", BTreeSet::new());
        for line in schema.lines() {
            let words: Vec<&str> = line.split_whitespace().collect();
            match words.as_slice() {
                ["CREATE", "TABLE", name, ..] => table = name,
                [name, kind, ..]
                    if ["TEXT", "BLOB", "text", "bytea"].contains(&kind.trim_end_matches(',')) =>
                {
                    columns.insert((table, *name));
                }
                _ => {}
            }
        }
        columns
            .iter()
            .filter_map(|(table, name)| Some((*table, name.strip_suffix("_key_id")?)))
            .filter(|column| columns.contains(column))
            .collect()
    }

    #[test]
    fn every_sealed_column_of_the_schemas_is_resealed() {
        let listed: BTreeSet<_> = SEALED_COLUMNS
            .iter()
            .map(|sealed| (sealed.column.table, sealed.column.name))
            .collect();
        let postgres = include_str!("../../../migrations/postgres/0001_initial/up.sql");
        assert_eq!(sealed_columns(postgres), listed);
        let sqlite = include_str!("../../../migrations/sqlite/0001_initial/up.sql");
        assert_eq!(sealed_columns(sqlite), listed);
    }
}
