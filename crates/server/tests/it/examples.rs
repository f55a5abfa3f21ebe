//! Runs the examples of the README unchanged against the sandbox.

use std::{
    path::Path,
    process::{Command, Output},
};

use serde_json::Value;

use crate::support::{Database, Dev};

const EXAMPLES: [(&str, &str); 4] = [
    ("sh", "create.sh"),
    ("python3", "create.py"),
    ("node", "create.mjs"),
    ("php", "create.php"),
];

/// Runs an example with the sandbox's key and this secret.
fn run(dev: &Dev, interpreter: &str, file: &str, secret: &str) -> Output {
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/examples");
    let output = Command::new(interpreter)
        .arg(examples.join(file))
        .env("ONCHARGE_URL", dev.ready("base_url"))
        .env("ONCHARGE_API_KEY", dev.ready("api_key"))
        .env("ONCHARGE_API_SECRET", secret)
        .output();
    output.unwrap_or_else(|error| {
        panic!("{interpreter} is needed (scripts/test installs it): {error}")
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn every_example_shows_the_error() {
    let dev = Dev::start(Database::Sqlite, &[]).await;
    for (interpreter, file) in EXAMPLES {
        let output = run(&dev, interpreter, file, "ocs_wrong");
        let printed = [output.stdout, output.stderr].concat();
        let printed = String::from_utf8_lossy(&printed);
        assert!(printed.contains("invalid_signature"), "{file}: {printed}");
        assert!(!output.status.success(), "{file}: {}", output.status);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_example_creates_a_session() {
    let dev = Dev::start(Database::Sqlite, &[]).await;
    for (interpreter, file) in EXAMPLES {
        let output = run(&dev, interpreter, file, dev.ready("api_secret"));
        let printed = String::from_utf8_lossy(&output.stdout);
        let session: Value = serde_json::from_str(printed.trim()).unwrap_or_else(|_| {
            panic!(
                "{file}: {printed}{}",
                String::from_utf8_lossy(&output.stderr)
            )
        });
        assert_eq!(session["status"], "created", "{file}: {session}");
    }
}

#[test]
fn the_readme_shows_the_examples_as_they_stand() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let readme = std::fs::read_to_string(root.join("README.md")).unwrap();
    for file in ["create.sh", "create.py", "create.mjs", "create.php"] {
        let example = std::fs::read_to_string(root.join("docs/examples").join(file)).unwrap();
        assert!(
            readme.contains(example.trim_end()),
            "README.md does not contain {file} unchanged"
        );
    }
}
