//! Migrations after the first run on live, large databases: none may hold a lock for long, rewrite
//! a table or break the previous release. docs/guide/changing-the-schema.md describes the
//! alternatives.

use crate::assert_no_violations;
use oncharge_tidy::Tree;

/// The first migration, to which the rules do not apply: it runs on an empty database.
const FIRST_MIGRATION: &str = "0001_initial";

/// A migration may remove what an earlier release reads only with this mark, which names the last
/// release that reads it.
const CONTRACT_MARKER: &str = "-- contract:";

#[test]
fn migrations_are_safe_on_live_tables() {
    let tree = Tree::load().unwrap();
    let mut violations = Vec::new();
    for file in tree.with_extension(&["sql"]) {
        let Some(rest) = file.path.strip_prefix("migrations/") else {
            continue;
        };
        if rest.contains(FIRST_MIGRATION) || !rest.ends_with("/up.sql") {
            continue;
        }
        let metadata = file.path.replace("up.sql", "metadata.toml");
        let outside = tree.file(&metadata).is_some_and(|found| {
            let plain = found.text.replace(' ', "");
            plain.contains("run_in_transaction=false")
        });
        let found = violations_of(&file.text, rest.starts_with("postgres/"), outside);
        violations.extend(found.iter().map(|what| format!("{}: {what}", file.path)));
    }
    assert_no_violations(&violations, "see docs/guide/changing-the-schema.md");
}

#[test]
fn both_databases_have_the_same_migrations() {
    let tree = Tree::load().unwrap();
    let names = |database: &str| -> Vec<String> {
        let prefix = format!("migrations/{database}/");
        let files = tree.with_extension(&["sql"]);
        let mut names: Vec<String> = files
            .filter_map(|file| file.path.strip_prefix(&prefix).map(str::to_owned))
            .collect();
        names.sort();
        names
    };
    assert_eq!(names("postgres"), names("sqlite"));
    assert!(names("postgres").contains(&format!("{FIRST_MIGRATION}/up.sql")));
}

/// The violations of a migration.
fn violations_of(sql: &str, is_postgres: bool, outside_transaction: bool) -> Vec<String> {
    let may_remove = sql.contains(CONTRACT_MARKER);
    let statements = statements(sql);
    let created: Vec<&str> = statements
        .iter()
        .filter_map(|statement| word_after(statement, "CREATE TABLE"))
        .collect();
    let mut violations = Vec::new();
    for statement in &statements {
        let table = word_after(statement, "ALTER TABLE")
            .or_else(|| word_after(statement, " ON"))
            .unwrap_or_default();
        // A table created by this migration is empty and unused.
        let is_new = created.contains(&table) || statement.starts_with("CREATE TABLE");
        if !is_new {
            let common = removals(statement, may_remove).into_iter();
            violations.extend(common.chain(rewrites(statement)));
        }
        if is_postgres && !is_new {
            violations.extend(locks(statement));
        }
    }
    let concurrent = statements
        .iter()
        .any(|statement| statement.contains("CONCURRENTLY"));
    if concurrent && !(outside_transaction && statements.len() == 1) {
        violations.push(
            "CONCURRENTLY needs a migration of its own with one statement and a metadata.toml \
             that says `run_in_transaction = false`"
                .to_owned(),
        );
    }
    if outside_transaction && !concurrent {
        violations.push("only CONCURRENTLY runs outside a transaction".to_owned());
    }
    violations
}

/// Removals of what the previous release may still read.
fn removals(statement: &str, may_remove: bool) -> Vec<String> {
    let removes = ["DROP TABLE", "DROP COLUMN", " RENAME "];
    removes
        .iter()
        .filter(|what| !may_remove && statement.contains(*what))
        .map(|what| {
            let what = what.trim();
            format!("{what}: a release later, with a line `{CONTRACT_MARKER} …`")
        })
        .collect()
}

/// Statements that read or write every row.
fn rewrites(statement: &str) -> Vec<String> {
    let starts = ["UPDATE ", "DELETE FROM", "TRUNCATE", "VACUUM", "CLUSTER"];
    let mut violations: Vec<String> = starts
        .iter()
        .filter(|what| statement.starts_with(*what))
        .map(|what| format!("{}: fill in batches, in the program", what.trim()))
        .collect();
    let adds_column = statement.contains("ADD COLUMN");
    if adds_column && statement.contains("NOT NULL") && !statement.contains("DEFAULT") {
        violations.push("ADD COLUMN … NOT NULL needs a constant DEFAULT".to_owned());
    }
    let volatile = ["RANDOM", "CLOCK_TIMESTAMP", "NEXTVAL", "GENERATED"];
    if adds_column && volatile.iter().any(|what| statement.contains(what)) {
        violations.push("a DEFAULT that differs from row to row rewrites the table".to_owned());
    }
    violations
}

/// Statements that lock a PostgreSQL table while they read every row.
fn locks(statement: &str) -> Vec<String> {
    let mut violations = Vec::new();
    let is_index = statement.starts_with("CREATE INDEX")
        || statement.starts_with("CREATE UNIQUE INDEX")
        || statement.starts_with("DROP INDEX")
        || statement.starts_with("REINDEX");
    if is_index && !statement.contains("CONCURRENTLY") {
        violations.push("create and drop indexes CONCURRENTLY".to_owned());
    }
    if statement.contains(" TYPE ") || statement.contains(" SET DATA TYPE") {
        violations.push("ALTER COLUMN … TYPE: add a column instead".to_owned());
    }
    if statement.contains("SET NOT NULL") {
        violations.push("SET NOT NULL: CHECK (… IS NOT NULL) NOT VALID, then VALIDATE".to_owned());
    }
    let adds = statement.contains("ADD CONSTRAINT") || statement.contains("ADD CHECK");
    let is_checked = statement.contains("CHECK") || statement.contains("REFERENCES");
    if adds && is_checked && !statement.contains("NOT VALID") {
        violations.push("ADD CONSTRAINT … NOT VALID, VALIDATE in the next migration".to_owned());
    }
    let is_unique = statement.contains("UNIQUE") || statement.contains("PRIMARY KEY");
    if adds && is_unique && !statement.contains("USING INDEX") {
        violations.push("ADD CONSTRAINT … USING INDEX, with an index created before".to_owned());
    }
    if statement.contains("ADD COLUMN")
        && (statement.contains("REFERENCES") || statement.contains("UNIQUE"))
    {
        violations
            .push("a new column's REFERENCES or UNIQUE comes in a later migration".to_owned());
    }
    if statement.starts_with("LOCK ") {
        violations.push("LOCK: a migration must not lock a table".to_owned());
    }
    violations
}

/// Statements in upper case, each on one line, without comments.
fn statements(sql: &str) -> Vec<String> {
    let lines = sql
        .lines()
        .map(|line| line.split("--").next().unwrap_or_default());
    let text = lines.collect::<Vec<_>>().join(" ").to_uppercase();
    text.split(';')
        .map(|statement| statement.split_whitespace().collect::<Vec<_>>().join(" "))
        .filter(|statement| !statement.is_empty())
        .collect()
}

/// The name that follows these words.
fn word_after<'a>(statement: &'a str, words: &str) -> Option<&'a str> {
    let (_, rest) = statement.split_once(words)?;
    let rest = rest.strip_prefix(' ')?;
    rest.split([' ', '(']).next()
}

#[test]
fn forbidden_statements_are_detected() {
    for (sql, is_forbidden) in [
        ("ALTER TABLE sessions ADD COLUMN note text;", false),
        (
            "ALTER TABLE sessions ADD COLUMN n bigint NOT NULL DEFAULT 0;",
            false,
        ),
        ("ALTER TABLE sessions ADD COLUMN n bigint NOT NULL;", true),
        (
            "ALTER TABLE sessions ADD COLUMN n uuid DEFAULT gen_random_uuid();",
            true,
        ),
        (
            "ALTER TABLE sessions ALTER COLUMN amount TYPE numeric;",
            true,
        ),
        (
            "ALTER TABLE sessions ALTER COLUMN order_id SET NOT NULL;",
            true,
        ),
        (
            "ALTER TABLE sessions ADD CONSTRAINT c CHECK (amount > 0);",
            true,
        ),
        (
            "ALTER TABLE sessions ADD CONSTRAINT c CHECK (amount > 0) NOT VALID;",
            false,
        ),
        ("ALTER TABLE sessions VALIDATE CONSTRAINT c;", false),
        (
            "ALTER TABLE sessions ADD CONSTRAINT u UNIQUE (reference);",
            true,
        ),
        (
            "ALTER TABLE sessions ADD CONSTRAINT u UNIQUE USING INDEX i;",
            false,
        ),
        ("ALTER TABLE sessions DROP COLUMN order_id;", true),
        (
            "-- contract: 1.4 reads it last\nALTER TABLE sessions DROP COLUMN order_id;",
            false,
        ),
        (
            "ALTER TABLE sessions RENAME COLUMN order_id TO number;",
            true,
        ),
        ("CREATE INDEX i ON sessions (order_id);", true),
        ("CREATE INDEX CONCURRENTLY i ON sessions (order_id);", true),
        (
            "CREATE TABLE notes (id uuid);\nCREATE INDEX i ON notes (id);",
            false,
        ),
        ("UPDATE sessions SET note = '';", true),
        ("LOCK TABLE sessions;", true),
    ] {
        let violations = violations_of(sql, true, false);
        assert_eq!(
            !violations.is_empty(),
            is_forbidden,
            "{sql}: {violations:?}"
        );
    }
    let concurrently = "CREATE INDEX CONCURRENTLY i ON sessions (order_id);";
    assert_eq!(
        violations_of(concurrently, true, true),
        Vec::<String>::new()
    );
    let two = format!("{concurrently} {concurrently}");
    assert_eq!(violations_of(&two, true, true).len(), 1);
    // SQLite blocks writers while it creates an index, with or without CONCURRENTLY.
    let index = "CREATE INDEX i ON sessions (order_id);";
    assert_eq!(violations_of(index, false, false), Vec::<String>::new());
}
