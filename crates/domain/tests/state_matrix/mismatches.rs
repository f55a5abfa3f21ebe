//! PSP results with another reference or amount than the operation's do not count.

use oncharge_domain::{
    audit::AuditAction,
    operation::{Operation, SendState},
    psp::{PspDetails, PspResult},
    session::{Input, StatusName},
};

use crate::{
    rows::{
        accepted, captured_at_once, challenge, done, nothing_held, operations_by_state, refused,
    },
    session_records::{LIFETIME, SessionRecords, at, money, reference},
};

/// The details of another payment, and this operation's payment with another amount.
fn other_details(operation: &Operation) -> Vec<PspDetails> {
    let other_amount = PspDetails {
        reference: operation.reference.clone(),
        amount: Some(money(operation.amount.minor() - 1)),
        card: None,
    };
    let other_reference = PspDetails {
        reference: Some(reference("psp_of_another_payment")),
        amount: Some(operation.amount),
        card: None,
    };
    let is_known = operation.reference.is_some();
    let details = [Some(other_amount), is_known.then_some(other_reference)];
    details.into_iter().flatten().collect()
}

fn report(
    records: &mut SessionRecords,
    operation: &Operation,
    result: &PspResult,
    details: &PspDetails,
) -> Vec<AuditAction> {
    let mut update = records.psp_update(operation.id, result, false);
    update.details = details.clone();
    let input = Input::PspUpdate(Box::new(update));
    let decision = records.decide(&input, at(1)).unwrap().unwrap();
    assert_eq!(decision.events, []);
    assert_eq!(decision.operations, []);
    assert_eq!(decision.changed_refunds, []);
    decision
        .audit
        .into_iter()
        .map(|(action, _)| action)
        .collect()
}

#[test]
fn a_result_with_another_reference_or_amount_is_audited_once_and_changes_no_money() {
    let results = [
        done(),
        captured_at_once(),
        accepted(),
        challenge(),
        refused(),
        nothing_held(),
    ];
    for (name, records, id) in operations_by_state() {
        let operation = records.operations[&id].clone();
        for result in &results {
            for details in other_details(&operation) {
                let mut records = records.clone();
                let status = records.session.status.clone();
                let first = report(&mut records, &operation, result, &details);
                let again = report(&mut records, &operation, result, &details);
                let about = format!("{name}: {result:?} with {details:?}");
                assert_eq!(records.session.status, status, "{about}");
                assert_eq!(again, [], "{about}");
                if operation.is_open() {
                    assert_eq!(first, [AuditAction::ResponseMismatched], "{about}");
                    let expected = Operation {
                        sending: SendState::Mismatched,
                        ..operation.clone()
                    };
                    assert_eq!(records.operations[&id], expected, "{about}");
                } else {
                    assert_eq!(first, [], "{about}");
                    assert_eq!(records.operations[&id], operation, "{about}");
                }
            }
        }
    }
}

#[test]
fn time_outs_keep_the_mismatch_and_a_matching_result_ends_it() {
    let mut records = SessionRecords::new(None).paying();
    let operation = records.operations[&records.newest()].clone();
    let [other_amount] = other_details(&operation).try_into().unwrap();
    report(&mut records, &operation, &done(), &other_amount);
    for result in [PspResult::Unknown, PspResult::NotSent, PspResult::NotFound] {
        records = records.with_result(&result);
        let sending = records.operations[&operation.id].sending;
        assert_eq!(sending, SendState::Mismatched, "{result:?}");
    }
    let records = records.with_result(&done());
    assert_eq!(records.session.status_name(), StatusName::Authorized);
}

#[test]
fn not_found_does_not_expire_an_attempt_with_a_mismatched_response() {
    let mut records = SessionRecords::new(None).paying();
    let operation = records.operations[&records.newest()].clone();
    let [other_amount] = other_details(&operation).try_into().unwrap();
    report(&mut records, &operation, &done(), &other_amount);
    let mut records = records.past_expiry();
    let update = records.psp_update(operation.id, &PspResult::NotFound, false);
    let input = Input::PspUpdate(Box::new(update));
    let later = at(LIFETIME + 3600);
    records.decide(&input, later).unwrap().unwrap();
    assert_eq!(records.session.status_name(), StatusName::Pending);
}
