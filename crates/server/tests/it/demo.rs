//! `oncharge demo`: a payment without a browser, all its webhooks, and a clean exit.

use std::process::Command;

use tempfile::TempDir;

use crate::support::binary::ONCHARGE;

#[test]
fn demo_runs_a_payment_and_cleans_up() {
    let empty = TempDir::new().unwrap();
    let output = Command::new(ONCHARGE)
        .arg("demo")
        .current_dir(empty.path())
        .output()
        .unwrap();
    let printed = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success(),
        "{printed}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    for step in [
        "created ",
        "authorized ",
        "payment.authorized, number 1: received by the shop, signature verified",
        "captured ",
        "payment.captured, number 2: received by the shop, signature verified",
        "refunded ",
        "refund.requested, number 3: received by the shop, signature verified",
        "refund.succeeded, number 4: received by the shop, signature verified",
        "delivered   all 4 events",
    ] {
        assert!(printed.contains(step), "{step} is not printed:\n{printed}");
    }
    assert_eq!(
        std::fs::read_dir(empty.path()).unwrap().count(),
        0,
        "files were left behind"
    );
}
