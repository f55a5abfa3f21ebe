//! Compares the PSP's ledger of a session with the API, including operations that the PSP has
//! reversed.

use std::collections::{BTreeMap, HashSet};

use serde_json::Value;

/// One kind of movement: the amounts executed and reversed.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
struct Movement {
    done: i64,
    reversed: i64,
}

impl Movement {
    fn add(&mut self, amount: i64) {
        if amount < 0 {
            self.reversed -= amount;
        } else {
            self.done += amount;
        }
    }

    fn net(self) -> i64 {
        self.done - self.reversed
    }
}

/// The PSP's movements for one payment.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
struct Movements {
    authorized: Movement,
    captured: Movement,
    voided: Movement,
    refunded: Movement,
    captures: u32,
}

impl Movements {
    /// A reversed capture leaves nothing held, and nothing that could follow.
    fn held(self) -> i64 {
        if self.captured.reversed > 0 {
            return 0;
        }
        self.authorized.net() - self.captured.net() - self.voided.net()
    }

    /// Negative only if a refund was paid out of a capture that was reversed afterwards.
    fn kept(self) -> i64 {
        self.captured.net() - self.refunded.net()
    }

    fn is_possible(self) -> bool {
        let kinds = [self.authorized, self.captured, self.voided, self.refunded];
        let no_negative_net = kinds.iter().all(|movement| movement.net() >= 0);
        let owes = self.kept() < 0 && self.captured.reversed == 0;
        no_negative_net && self.captures <= 1 && self.held() >= 0 && !owes
    }
}

/// The movements of a session by payment at the PSP, and impossible entries.
fn by_payment(ledger: &[Value]) -> (BTreeMap<String, Movements>, Vec<String>) {
    let mut payments: BTreeMap<String, Movements> = BTreeMap::new();
    let (mut seen, mut problems) = (HashSet::new(), Vec::new());
    for entry in ledger {
        let text = |name: &str| entry[name].as_str().unwrap();
        let amount = entry["amount"].as_i64().unwrap();
        let movements = payments
            .entry(text("psp_reference").to_owned())
            .or_default();
        match text("kind") {
            "authorise" => movements.authorized.add(amount),
            "capture" => {
                movements.captured.add(amount);
                movements.captures += u32::from(amount > 0);
            }
            "void" => movements.voided.add(amount),
            "refund" => movements.refunded.add(amount),
            other => problems.push(format!("an entry of the unknown kind {other}")),
        }
        if !seen.insert((text("idempotency_key"), text("kind"), amount < 0)) {
            problems.push(format!("one operation moved money twice: {entry}"));
        }
    }
    for (reference, movements) in &payments {
        if !movements.is_possible() {
            problems.push(format!(
                "{reference} moved more than was available: {movements:?}"
            ));
        }
    }
    (payments, problems)
}

/// Whether the session's capture was reversed.
pub(crate) fn capture_failed(session: &Value) -> bool {
    session["status"] == "error" && session["failure"]["code"] == "capture_failed"
}

/// Whether the session's authorization lapsed at the PSP.
pub(crate) fn lapsed(session: &Value) -> bool {
    let code = session["failure"]["code"].as_str().unwrap_or_default();
    session["status"] == "cancelled" && matches!(code, "authorization_expired" | "voided_at_psp")
}

/// The refunds that succeeded.
pub(crate) fn paid_out(refunds: &[Value]) -> Vec<&Value> {
    let paid = refunds.iter();
    paid.filter(|refund| refund["status"] == "refund_succeeded")
        .collect()
}

/// All disagreements between session, refunds and ledger, to the minor unit.
pub(crate) fn disagreements(session: &Value, refunds: &[Value], ledger: &[Value]) -> Vec<String> {
    let (mut payments, mut problems) = by_payment(ledger);
    let status = session["status"].as_str().unwrap();
    let keeps =
        matches!(status, "authorized" | "captured" | "cancelled") || capture_failed(session);
    let reference = session["psp_reference"].as_str().unwrap_or_default();
    let kept = if keeps {
        payments.remove(reference)
    } else {
        None
    };
    let currency = &session["currency"];
    if ledger.iter().any(|entry| entry["currency"] != *currency) {
        problems.push("the ledger is in another currency".to_owned());
    }
    let mut ledger_check = LedgerCheck {
        session,
        kept: kept.unwrap_or_default(),
        problems,
    };
    if keeps {
        ledger_check.payment(status);
    }
    let of_kept = |entry: &&Value| entry["kind"] == "refund" && entry["psp_reference"] == reference;
    let entries = ledger.iter().filter(of_kept);
    ledger_check.refunds(refunds, entries.map(|entry| entry["amount"].as_i64()));
    for (reference, movements) in &payments {
        if movements.held() != 0 || movements.kept() > 0 {
            ledger_check.problems.push(format!(
                "{reference} is not the session's, and holds money: {movements:?}"
            ));
        }
    }
    ledger_check.problems
}

/// Compares the session with the movements of the payment that it keeps.
struct LedgerCheck<'a> {
    session: &'a Value,
    kept: Movements,
    problems: Vec<String>,
}

impl LedgerCheck<'_> {
    fn amount(&self, name: &str) -> i64 {
        self.session[name].as_i64().unwrap()
    }

    fn check(&mut self, what: &str, api: i64, psp: i64) {
        if api != psp {
            self.problems
                .push(format!("{what}: {api} in the API, {psp} at the PSP"));
        }
    }

    fn payment(&mut self, status: &str) {
        let kept = self.kept;
        let order = self.amount("amount");
        self.check(
            "authorised",
            self.amount("amount_authorized"),
            kept.authorized.done,
        );
        self.check("authorised of the order", order, kept.authorized.done);
        let lapsed = if lapsed(self.session) { order } else { 0 };
        self.check("lapsed", lapsed, kept.authorized.reversed);
        // A capture that was reversed before its success was known leaves the session authorized
        // without a hold at the PSP.
        let held = if status == "authorized" && kept.captured.reversed == 0 {
            order
        } else {
            0
        };
        self.check("held", held, kept.held());
        if status == "cancelled" {
            self.check("voided", order - lapsed, kept.voided.net());
        }
        let failed = capture_failed(self.session);
        let was_reversed = kept.captured.reversed > 0;
        if failed != was_reversed && status != "authorized" {
            self.problems
                .push(format!("a capture was reversed: {was_reversed}"));
        }
    }

    fn refunds(&mut self, refunds: &[Value], entries: impl Iterator<Item = Option<i64>>) {
        let kept = self.kept;
        let paid: Vec<i64> = paid_out(refunds)
            .iter()
            .map(|refund| refund["amount"].as_i64().unwrap())
            .collect();
        let captured = self.amount("amount_captured");
        self.check("captured", captured, kept.captured.net());
        self.check(
            "refunded",
            self.amount("amount_refunded"),
            kept.refunded.net(),
        );
        self.check(
            "refunds that succeeded",
            paid.iter().sum(),
            kept.refunded.net(),
        );
        let expected_count: i64 = entries.map(|amount| amount.unwrap().signum()).sum();
        self.check(
            "number of refunds",
            i64::try_from(paid.len()).unwrap(),
            expected_count,
        );
        let refundable = if captured > 0 { kept.kept() } else { 0 };
        self.check("refundable", self.amount("amount_refundable"), refundable);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::disagreements;

    fn session(status: &str, authorized: i64, captured: i64, refunded: i64) -> Value {
        json!({
            "status": status, "amount": 100, "currency": "EUR", "psp_reference": "p1",
            "amount_authorized": authorized, "amount_captured": captured,
            "amount_refunded": refunded, "amount_refundable": (captured - refunded).max(0),
            "failure": null,
        })
    }

    fn failed(mut session: Value, code: &str) -> Value {
        session["failure"] = json!({ "code": code });
        session
    }

    fn entry(kind: &str, amount: i64, payment: &str, key: &str) -> Value {
        json!({
            "kind": kind, "amount": amount, "currency": "EUR", "psp_reference": payment,
            "idempotency_key": key,
        })
    }

    fn refund(amount: i64) -> Value {
        json!({ "status": "refund_succeeded", "amount": amount })
    }

    #[test]
    fn matching_ledgers_have_no_disagreement() {
        let ledger = [
            entry("authorise", 100, "p0", "a"),
            entry("authorise", 100, "p1", "b"),
            entry("void", 100, "p0", "c"),
            entry("capture", 60, "p1", "d"),
            entry("void", 40, "p1", "d"),
            entry("refund", 5, "p1", "e"),
        ];
        let session = session("captured", 100, 60, 5);
        assert_eq!(
            disagreements(&session, &[refund(5)], &ledger),
            Vec::<String>::new()
        );
    }

    #[test]
    fn reversals_match_the_session() {
        let authorize = || entry("authorise", 100, "p1", "a");
        let agree = |session: &Value, refunds: &[Value], ledger: &[Value]| {
            disagreements(session, refunds, ledger).is_empty()
        };
        let lapsing = [authorize(), entry("authorise", -100, "p1", "a")];
        let cancelled = || session("cancelled", 100, 0, 0);
        let lapsed_session = failed(cancelled(), "authorization_expired");
        assert!(agree(&lapsed_session, &[], &lapsing));
        assert!(
            !agree(&cancelled(), &[], &lapsing),
            "the authorization lapsed"
        );
        assert!(!agree(&session("authorized", 100, 0, 0), &[], &lapsing));

        let capture = |amount| entry("capture", amount, "p1", "c");
        let paid = entry("refund", 30, "p1", "r");
        let reversed = [authorize(), capture(100), paid.clone(), capture(-100)];
        let error = failed(session("error", 100, 0, 30), "capture_failed");
        assert!(agree(&error, &[refund(30)], &reversed));
        assert!(!agree(&error, &[refund(30)], &reversed[..3]), "it stands");
        let captured = session("captured", 100, 100, 30);
        assert!(
            !agree(&captured, &[refund(30)], &reversed),
            "the capture was reversed"
        );

        let void = |amount, key| entry("void", amount, "p1", key);
        let released = [authorize(), void(100, "v"), void(-100, "v"), void(100, "w")];
        assert!(agree(&cancelled(), &[], &released));
        assert!(!agree(&cancelled(), &[], &released[..3]), "held again");
        let repaid = [
            authorize(),
            capture(100),
            paid,
            entry("refund", -30, "p1", "r"),
        ];
        assert!(agree(&session("captured", 100, 100, 0), &[], &repaid));
        assert!(!agree(&captured, &[refund(30)], &repaid), "not paid out");
    }

    #[test]
    fn every_kind_of_loss_is_found() {
        let (authorize, void) = (
            entry("authorise", 100, "p1", "a"),
            entry("void", 100, "p1", "b"),
        );
        let capture = |key| entry("capture", 100, "p1", key);
        let other = entry("authorise", 100, "p2", "z");
        let found = |session: Value, ledger: &[&Value]| {
            let ledger: Vec<Value> = ledger.iter().map(|entry| (*entry).clone()).collect();
            !disagreements(&session, &[], &ledger).is_empty()
        };
        let authorized = || session("authorized", 100, 0, 0);
        assert!(!found(authorized(), &[&authorize]));
        assert!(found(authorized(), &[]), "lost");
        assert!(found(authorized(), &[&authorize, &other]), "held twice");
        assert!(
            found(authorized(), &[&authorize, &capture("c")]),
            "captured unseen"
        );
        assert!(found(authorized(), &[&authorize, &void]), "voided unseen");
        assert!(
            found(session("refused", 0, 0, 0), &[&authorize]),
            "held without a session"
        );
        assert!(
            found(session("cancelled", 100, 0, 0), &[&authorize]),
            "not voided"
        );
        let captured = || session("captured", 100, 100, 0);
        assert!(!found(captured(), &[&authorize, &capture("c")]));
        assert!(
            found(captured(), &[&authorize, &capture("c"), &capture("d")]),
            "twice"
        );
        let refund = entry("refund", 5, "p1", "r");
        assert!(
            found(captured(), &[&authorize, &capture("c"), &refund]),
            "refunded unseen"
        );
    }
}
