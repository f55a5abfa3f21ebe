//! The simulator's connector obeys the laws of the port; nothing is called.

use oncharge_conformance::connector::check;

use crate::sandbox::{account, settings};

#[test]
fn the_connector_obeys_the_laws() {
    let unused = "http://127.0.0.1:9";
    let psp = account("default", settings(unused, unused));
    check(&*psp.connector(), "tok_abcdefgh").unwrap();
}
