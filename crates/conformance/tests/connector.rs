//! The scripted PSP's connector obeys the laws, so use cases can be tested with it.

use oncharge_conformance::connector::check;
use oncharge_testkit::ScriptedPsp;

#[test]
fn the_scripted_connector_obeys_the_laws() {
    check(&ScriptedPsp::new(), "tok_1").unwrap();
}
