//! The arithmetic of a session's money: what the PSP's ledger holds against what the API says.

use std::collections::{BTreeMap, HashSet};

use serde_json::Value;

/// What the PSP has moved for one payment.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Moved {
    pub(crate) authorised: i64,
    pub(crate) captured: i64,
    pub(crate) voided: i64,
    pub(crate) refunded: i64,
    pub(crate) captures: u32,
}

impl Moved {
    fn held(self) -> i64 {
        self.authorised - self.captured - self.voided
    }

    fn kept(self) -> i64 {
        self.captured - self.refunded
    }
}

/// The movements of a session by the PSP's payments, and what is impossible among them.
fn by_payment(ledger: &[Value]) -> (BTreeMap<String, Moved>, Vec<String>) {
    let mut payments: BTreeMap<String, Moved> = BTreeMap::new();
    let (mut seen, mut wrong) = (HashSet::new(), Vec::new());
    for entry in ledger {
        let text = |name: &str| entry[name].as_str().unwrap();
        let amount = entry["amount"].as_i64().unwrap();
        let moved = payments
            .entry(text("psp_reference").to_owned())
            .or_default();
        match text("kind") {
            "authorise" => moved.authorised += amount,
            "capture" => {
                moved.captured += amount;
                moved.captures += 1;
            }
            "void" => moved.voided += amount,
            "refund" => moved.refunded += amount,
            other => wrong.push(format!("an entry of the kind {other}")),
        }
        if !seen.insert((text("idempotency_key"), text("kind"))) {
            wrong.push(format!("one operation moved money twice: {entry}"));
        }
    }
    for (reference, moved) in &payments {
        if moved.captures > 1 || moved.held() < 0 || moved.kept() < 0 {
            wrong.push(format!("{reference} moved more than there was: {moved:?}"));
        }
    }
    (payments, wrong)
}

/// Everything in which session, refunds and ledger do not agree to the minor unit.
pub(crate) fn disagreements(session: &Value, refunds: &[Value], ledger: &[Value]) -> Vec<String> {
    let amount = |name: &str| session[name].as_i64().unwrap();
    let (mut payments, mut wrong) = by_payment(ledger);
    let status = session["status"].as_str().unwrap();
    let keeps = matches!(status, "authorized" | "captured" | "cancelled");
    let reference = session["psp_reference"].as_str().unwrap_or_default();
    let kept = if keeps {
        payments.remove(reference)
    } else {
        None
    };
    let kept = kept.unwrap_or_default();
    let currency = &session["currency"];
    if ledger.iter().any(|entry| entry["currency"] != *currency) {
        wrong.push("the ledger is in another currency".to_owned());
    }
    let mut check = |what: &str, api: i64, psp: i64| {
        if api != psp {
            wrong.push(format!("{what}: the API says {api}, the PSP {psp}"));
        }
    };
    let succeeded = refunds
        .iter()
        .filter(|refund| refund["status"] == "refund_succeeded");
    let succeeded: Vec<i64> = succeeded
        .map(|refund| refund["amount"].as_i64().unwrap())
        .collect();
    if keeps {
        check("authorised", amount("amount_authorized"), kept.authorised);
        check("authorised of the order", amount("amount"), kept.authorised);
    }
    check("captured", amount("amount_captured"), kept.captured);
    check("refunded", amount("amount_refunded"), kept.refunded);
    check(
        "refunds that succeeded",
        succeeded.iter().sum(),
        kept.refunded,
    );
    let of_kept = |entry: &&Value| entry["kind"] == "refund" && entry["psp_reference"] == reference;
    let refund_entries = ledger.iter().filter(of_kept).count();
    check(
        "number of refunds",
        i64::try_from(succeeded.len()).unwrap(),
        i64::try_from(refund_entries).unwrap(),
    );
    let held = if status == "authorized" {
        kept.authorised
    } else {
        0
    };
    check("held", held, kept.held());
    if status == "cancelled" {
        check("voided", kept.authorised, kept.voided);
    }
    let refundable = kept.captured - kept.refunded;
    check("refundable", amount("amount_refundable"), refundable);
    for (reference, moved) in &payments {
        if moved.held() != 0 || moved.kept() != 0 {
            wrong.push(format!(
                "{reference} is not the session's, and holds money: {moved:?}"
            ));
        }
    }
    wrong
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::disagreements;

    fn session(status: &str, (authorized, captured, refunded): (i64, i64, i64)) -> Value {
        json!({
            "status": status, "amount": 100, "currency": "EUR", "psp_reference": "p1",
            "amount_authorized": authorized, "amount_captured": captured,
            "amount_refunded": refunded, "amount_refundable": captured - refunded,
        })
    }

    fn entry(kind: &str, amount: i64, (payment, key): (&str, &str)) -> Value {
        json!({
            "kind": kind, "amount": amount, "currency": "EUR", "psp_reference": payment,
            "idempotency_key": key,
        })
    }

    #[test]
    fn books_that_agree_are_left_alone() {
        let ledger = [
            entry("authorise", 100, ("p0", "a")),
            entry("authorise", 100, ("p1", "b")),
            entry("void", 100, ("p0", "c")),
            entry("capture", 60, ("p1", "d")),
            entry("void", 40, ("p1", "d")),
            entry("refund", 5, ("p1", "e")),
        ];
        let refunds = [json!({ "status": "refund_succeeded", "amount": 5 })];
        let session = session("captured", (100, 60, 5));
        assert_eq!(
            disagreements(&session, &refunds, &ledger),
            Vec::<String>::new()
        );
    }

    #[test]
    fn every_kind_of_loss_is_found() {
        let (authorise, void) = (
            entry("authorise", 100, ("p1", "a")),
            entry("void", 100, ("p1", "b")),
        );
        let capture = |key| entry("capture", 100, ("p1", key));
        let other = entry("authorise", 100, ("p2", "z"));
        let found = |session: Value, ledger: &[&Value]| {
            let ledger: Vec<Value> = ledger.iter().map(|entry| (*entry).clone()).collect();
            !disagreements(&session, &[], &ledger).is_empty()
        };
        let authorized = || session("authorized", (100, 0, 0));
        assert!(!found(authorized(), &[&authorise]));
        assert!(found(authorized(), &[]), "lost");
        assert!(found(authorized(), &[&authorise, &other]), "held twice");
        assert!(
            found(authorized(), &[&authorise, &capture("c")]),
            "captured unseen"
        );
        assert!(found(authorized(), &[&authorise, &void]), "voided unseen");
        assert!(
            found(session("refused", (0, 0, 0)), &[&authorise]),
            "held for nobody"
        );
        assert!(
            found(session("cancelled", (100, 0, 0)), &[&authorise]),
            "not voided"
        );
        let captured = || session("captured", (100, 100, 0));
        assert!(!found(captured(), &[&authorise, &capture("c")]));
        assert!(
            found(captured(), &[&authorise, &capture("c"), &capture("d")]),
            "twice"
        );
        let refund = entry("refund", 5, ("p1", "r"));
        assert!(
            found(captured(), &[&authorise, &capture("c"), &refund]),
            "refunded unseen"
        );
    }
}
