//! Start in production mode: settings that have no default, and the first log line.

use std::{
    fs,
    path::Path,
    process::{Command, Output},
};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::{
    Cluster, Database,
    binary::ONCHARGE,
    node::{MASTER, PEPPER},
};

const KEYS: [(&str, &str); 2] = [
    ("ONCHARGE__KEYS__MASTER", MASTER),
    ("ONCHARGE__KEYS__PEPPER", PEPPER),
];

/// Runs the binary in this directory, with the keys and these variables as its only environment.
fn run(dir: &Path, arguments: &[&str], variables: &[(&str, &str)]) -> Output {
    let mut command = Command::new(ONCHARGE);
    command
        .env_clear()
        .envs(KEYS)
        .envs(variables.iter().copied());
    command.args(arguments).current_dir(dir).output().unwrap()
}

/// Its error output, after it ended with this code and wrote no file.
#[track_caller]
fn refusal(dir: &TempDir, output: &Output, code: i32) -> String {
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(code), "{errors}");
    let file_count = fs::read_dir(dir.path()).unwrap().count();
    assert_eq!(file_count, 0, "files were written: {errors}");
    errors
}

#[test]
fn production_requires_a_database() {
    let dir = TempDir::new().unwrap();
    let errors = refusal(&dir, &run(dir.path(), &["serve"], &[]), 1);
    for name in ["ONCHARGE__DATABASE__URL", "--data-dir"] {
        assert!(errors.contains(name), "{errors}");
    }
    for command in [
        &["merchant", "create", "--name", "Shop"][..],
        &["migrate"],
        &["stuck"],
    ] {
        let errors = refusal(&dir, &run(dir.path(), command, &[]), 1);
        assert!(errors.contains("ONCHARGE__DATABASE__URL"), "{errors}");
    }
}

#[test]
fn an_unknown_setting_prevents_the_start() {
    let dir = TempDir::new().unwrap();
    let secret = "postgres://me:hunter2@127.0.0.1:1/x";
    for (name, nearest) in [
        ("ONCHARGE_DATABASE_URL", "ONCHARGE__DATABASE__URL"),
        ("ONCHARGE__DATABSE__URL", "ONCHARGE__DATABASE__URL"),
        ("ONCHARGE_TEST_POSTGRES_URL", "ONCHARGE__"),
    ] {
        for command in [&["serve"][..], &["config", "check"]] {
            let errors = refusal(&dir, &run(dir.path(), command, &[(name, secret)]), 1);
            assert!(
                errors.contains(name) && errors.contains(nearest),
                "{errors}"
            );
            assert!(!errors.contains("hunter2"), "{errors}");
        }
    }
    // Another program of the merchant may set variables in the same shell.
    let client = [("ONCHARGE_URL", "x"), ("ONCHARGE_API_KEY", "x")];
    let output = run(
        dir.path(),
        &["config", "check", "--data-dir", "data"],
        &client,
    );
    assert!(output.status.success(), "{output:?}");

    let file = dir.path().join("oncharge.toml");
    fs::write(&file, "[database]\nulr = \"postgres://me:hunter2@h/x\"").unwrap();
    let output = run(dir.path(), &["serve"], &[]);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1));
    for name in ["oncharge.toml", "database.ulr", "database.url"] {
        assert!(errors.contains(name), "{errors}");
    }
    assert!(!errors.contains("hunter2"), "{errors}");
}

#[test]
fn production_rejects_unencrypted_database_connections() {
    let dir = TempDir::new().unwrap();
    for (url, allowed) in [
        (
            "postgres://me:hunter2@db.example.com/x?sslmode=prefer",
            "verify-full",
        ),
        (
            "postgres://me:hunter2@db.example.com/x?sslmode=allow",
            "verify-full",
        ),
        (
            "postgres://me:hunter2@db.example.com/x?sslmode=disable",
            "verify-full",
        ),
        (
            "postgres://me:hunter2@localhost/x?hostaddr=10.0.0.1&sslmode=disable",
            "loopback",
        ),
        (
            "postgres://me:hunter2@127.0.0.1/x?sslmode=require&sslrootcert=nowhere.pem",
            "sslrootcert",
        ),
    ] {
        for flag in [true, false] {
            let output = if flag {
                run(dir.path(), &["serve", "--database-url", url], &[])
            } else {
                run(
                    dir.path(),
                    &["config", "check"],
                    &[("ONCHARGE__DATABASE__URL", url)],
                )
            };
            let errors = refusal(&dir, &output, 1);
            assert!(
                errors.contains("database.url") && errors.contains(allowed),
                "{errors}"
            );
            assert!(!errors.contains("hunter2"), "{errors}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn config_check_reports_the_database_error_once() {
    let url = Database::Postgres.fresh().await.unwrap();
    let (_, place) = url.split_once('@').unwrap();
    let dir = TempDir::new().unwrap();
    for (url, cause, reachable) in [
        (
            format!("postgres://nobody_here@{place}"),
            "nobody_here",
            true,
        ),
        (
            format!("{url}?sslmode=require"),
            "does not support TLS",
            true,
        ),
        ("postgres://a@127.0.0.1:1/x".to_owned(), "refused", false),
    ] {
        let variables = [("ONCHARGE__DATABASE__URL", url.as_str())];
        let output = run(dir.path(), &["config", "check"], &variables);
        let errors = refusal(&dir, &output, 1);
        assert_eq!(errors.matches(cause).count(), 1, "{errors}");
        let is_absent = errors.contains("the database is unreachable");
        assert_eq!(is_absent, !reachable, "{errors}");
        let printed: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(printed["acceptable"], false);
        assert_eq!(printed["database"]["reachable"], reachable);
    }
}

#[test]
fn an_unencoded_password_is_neither_shown_nor_resolved() {
    let dir = TempDir::new().unwrap();
    let url = "postgres://u:hunter2@Secr3t@127.0.0.1:1/db";
    for command in [&["serve"][..], &["config", "check"]] {
        let output = run(dir.path(), command, &[("ONCHARGE__DATABASE__URL", url)]);
        let errors = refusal(&dir, &output, 1);
        assert!(
            errors.contains("database.url") && errors.contains("%40"),
            "{errors}"
        );
        for part in ["hunter2", "Secr3t"] {
            assert!(!errors.contains(part), "{errors}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_log_line_describes_the_configuration() {
    let cluster = Cluster::start(Database::Postgres.fresh().await).await;
    let node = cluster.ready_node(&[("LOG__FORMAT", "json")]).await;
    let log = node.log();
    let first: Value = serde_json::from_str(log.lines().next().unwrap()).unwrap();
    assert_eq!(first["message"], "starting", "{log}");
    assert_eq!(first["mode"], "sandbox");
    assert_eq!(first["schema_version"], "0001");
    assert_eq!(first["psp_accounts"], "simulator/default");
    assert_eq!(first["tls"], false);
    let database = first["database"].as_str().unwrap();
    assert!(database.starts_with("127.0.0.1:") && database.contains("/oncharge_it_"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_merchant_needs_a_psp_account_that_exists() {
    let cluster = Cluster::start(Database::Postgres.fresh().await).await;
    let node = cluster.ready_node(&[]).await;
    for account in ["simulator/eu", "stripe/default"] {
        let create = [
            "merchant",
            "create",
            "--name",
            "Shop",
            "--psp-account",
            account,
        ];
        let output = node.command(&create);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{errors}");
        assert!(
            errors.contains(account) && errors.contains("simulator/default"),
            "{errors}"
        );
        assert!(output.stdout.is_empty());
    }
    // An account that is removed from the configuration later is named in the log.
    let shop = cluster.merchant(&node);
    assert!(node.terminate().0.success());
    let other = cluster.node(&[]).without("PSP__");
    other.start();
    other.ready().await;
    other
        .wait_for_log("merchants use a PSP account that is not configured")
        .await;
    let checked = other.command(&["config", "check"]);
    let errors = String::from_utf8_lossy(&checked.stderr);
    assert_eq!(checked.status.code(), Some(1), "{errors}");
    assert!(
        errors.contains("not configured: add simulator/default"),
        "{errors}"
    );
    let mut same = shop.clone();
    same.base = other.base();
    let (id, token) = same.create(json!({})).await;
    other.wait_for_log("simulator/default").await;
    let body = json!({"payment_method": "tok_x"});
    let response = same.shopper(&id, &token, "pay", &body).await;
    assert_eq!(response.status, 503, "{}", response.body);
    other
        .wait_for_log("the PSP account is not configured")
        .await;
}
