//! Checks one order: acknowledged requests are stored, and all records agree.

use std::{collections::HashMap, fmt::Write};

use serde_json::Value;

use crate::{
    audit::READ_TIMEOUT,
    clients::Clients,
    events::{DeliveryLog, SessionEvents},
    money::{capture_failed, disagreements, lapsed, paid_out},
    order_record::{CaptureMode, OrderRecord, Request, RequestKind, is_remembered},
    plan::{RoundPlan, SeededRng},
};

/// The check of one order.
pub(crate) struct OrderCheck<'a> {
    order_record: &'a OrderRecord,
    plan: &'a RoundPlan,
    problems: Vec<String>,
    pub(crate) findings: Vec<String>,
    pub(crate) counts: Vec<(&'static str, u64)>,
    /// Refunds that were paid out of a capture that was reversed.
    pub(crate) unfunded_refunds: Vec<String>,
}

/// The data that orders are checked against.
pub(crate) struct RoundData<'a> {
    /// The sessions of the round by the merchant's reference.
    pub(crate) sessions: HashMap<String, Vec<Value>>,
    pub(crate) plan: &'a RoundPlan,
    /// For each merchant, the deliveries to its server.
    pub(crate) delivery_logs: Vec<DeliveryLog>,
}

/// Checks one order.
pub(crate) async fn check_order<'a>(
    clients: &Clients,
    order_record: &'a OrderRecord,
    round_data: &'a RoundData<'_>,
) -> OrderCheck<'a> {
    let mut order_check = OrderCheck {
        order_record,
        plan: round_data.plan,
        problems: Vec::new(),
        findings: Vec::new(),
        counts: vec![("orders", 1)],
        unfunded_refunds: Vec::new(),
    };
    let Some((id, _)) = &order_record.session else {
        order_check
            .problems
            .push("its creation never got a response".to_owned());
        order_check.finish(&Value::Null, &[], &[]);
        return order_check;
    };
    let mut rng = SeededRng::from_numbers(&[2]);
    let listed = round_data
        .sessions
        .get(&order_record.reference)
        .map_or(0, Vec::len);
    if listed != 1 {
        order_check
            .problems
            .push(format!("there are {listed} sessions of this order"));
    }
    let mut get = async |target: String| {
        let found = clients.get(order_record.merchant, &mut rng, &target).await;
        found.unwrap_or_else(|| panic!("{target} cannot be read in {READ_TIMEOUT:?}"))
    };
    let session = get(format!("/v1/checkout/sessions/{id}")).await;
    let refunds = get(format!("/v1/refunds?session_id={id}&limit=100")).await;
    let refunds = refunds["data"].as_array().unwrap().clone();
    let events = get(format!("/v1/events?session_id={id}&limit=100")).await;
    let mut events = events["data"].as_array().unwrap().clone();
    events.sort_by_key(|event| event["sequence"].as_u64());
    let ledger = ledger(clients, order_record).await;
    order_check
        .problems
        .extend(disagreements(&session, &refunds, &ledger));
    order_check.session(&session, &refunds);
    order_check.authorization_hold(&session, &ledger);
    let session_events = SessionEvents::new(
        id,
        &events,
        &round_data.delivery_logs[order_record.merchant],
    );
    order_check.check_events(&session_events, &session, &refunds);
    for (before, arrived, what) in session_events.out_of_order() {
        let details = get(format!("/v1/events/{before}")).await;
        // The first attempt may have failed before it reached the merchant's server.
        if details["attempts"].as_array().unwrap().len() <= arrived {
            order_check.problems.push(format!("{what}: {details}"));
        }
    }
    for request in &order_record.requests {
        order_check.request(request, &session, &refunds);
        order_check.repeat(clients, request).await;
    }
    order_check.finish(&session, &refunds, &ledger);
    order_check
}

async fn ledger(clients: &Clients, order_record: &OrderRecord) -> Vec<Value> {
    let shop = clients.shop(order_record.merchant, &mut SeededRng::from_numbers(&[3]));
    let (id, _) = order_record.session.as_ref().unwrap();
    let url = format!("{}/v1/ledger?reference={id}", shop.simulator);
    let ledger = shop.http.get(url).send().await.unwrap();
    let ledger: Value = ledger.json().await.unwrap();
    ledger["entries"].as_array().unwrap().clone()
}

impl OrderCheck<'_> {
    /// Invariants of every session after the load.
    fn session(&mut self, session: &Value, refunds: &[Value]) {
        let status = session["status"].as_str().unwrap();
        let order_record = self.order_record;
        let mut report = |what: String| self.problems.push(what);
        if session["amount"] != order_record.amount || session["currency"] != order_record.currency
        {
            report("the session does not match the order".to_owned());
        }
        if !session["pending_operation"].is_null() || status == "pending" {
            report("something is still open".to_owned());
        }
        let open = refunds
            .iter()
            .filter(|refund| refund["status"] == "refund_requested");
        if open.count() > 0 {
            report("a refund is still open".to_owned());
        }
        let capture_reversed = capture_failed(session);
        let shown = |state: &str| order_record.shown.iter().any(|shown| shown == state);
        let paid = shown("authorized") || shown("captured");
        if paid && !matches!(status, "authorized" | "captured" | "cancelled") && !capture_reversed {
            report(format!(
                "the shopper was shown that it is paid, and it is {status}"
            ));
        }
        if shown("captured") && status != "captured" && !capture_reversed {
            report(format!(
                "the shopper was shown that it is captured, and it is {status}"
            ));
        }
        let has_requested = order_record.has_requested(RequestKind::Cancel) && !lapsed(session);
        let may_lapse = lapsed(session) && self.plan.may_reverse("authorise");
        if status == "cancelled" && !has_requested && !may_lapse {
            report("its cancellation was not requested".to_owned());
        }
        let is_manual = order_record.capture_mode() == CaptureMode::Manual
            && !order_record.has_requested(RequestKind::Capture);
        if (status == "captured" || capture_reversed) && is_manual {
            report("its capture was not requested".to_owned());
        }
        if capture_reversed && !self.plan.may_reverse("capture") {
            report("its capture failed, and was not reversed".to_owned());
        }
        if refunds.len()
            > order_record
                .requests
                .iter()
                .filter(|r| r.kind == RequestKind::Refund)
                .count()
        {
            report("there are more refunds than were ordered".to_owned());
        }
        if capture_reversed {
            let unfunded_refunds = paid_out(refunds).into_iter();
            let ids =
                unfunded_refunds.map(|refund| refund["refund_id"].as_str().unwrap().to_owned());
            self.unfunded_refunds = ids.collect();
            let count = u64::try_from(self.unfunded_refunds.len()).unwrap();
            self.counts.push(("refunds of reversed captures", count));
            self.counts.push(("captures reversed", 1));
        }
        self.counts
            .push(("authorisations lapsed", u64::from(lapsed(session))));
        self.counts.push((count_name(status), 1));
    }

    /// An authorization whose capture was reversed before its success was known: refused for the
    /// service, the end of the payment at the PSP.
    fn authorization_hold(&mut self, session: &Value, ledger: &[Value]) {
        let is_reversal =
            |entry: &Value| entry["kind"] == "capture" && entry["amount"].as_i64() < Some(0);
        let is_gone = session["status"] == "authorized" && ledger.iter().any(is_reversal);
        self.counts
            .push(("authorized without a hold", u64::from(is_gone)));
    }

    /// Checks the events that its merchant received.
    fn check_events(
        &mut self,
        session_events: &SessionEvents<'_>,
        session: &Value,
        refunds: &[Value],
    ) {
        self.problems.extend(session_events.problems());
        self.problems
            .extend(session_events.inconsistencies(session, refunds));
        let events = u64::try_from(session_events.events.len()).unwrap();
        self.counts.push(("events received", events));
    }

    /// Checks that an acknowledged request is stored, with its outcome or a later one.
    fn request(&mut self, request: &Request, session: &Value, refunds: &[Value]) {
        if request.responses.is_empty() {
            let what = format!(
                "{:?} under {} never got a response",
                request.kind, request.key
            );
            self.problems.push(what);
        }
        if request.kind == RequestKind::Refund {
            self.refund(request, refunds);
            return;
        }
        let status = session["status"].as_str().unwrap();
        let wanted = match request.kind {
            RequestKind::Capture => "captured",
            RequestKind::Cancel => "cancelled",
            RequestKind::Expire => "expired",
            RequestKind::Create | RequestKind::Refund => return,
        };
        // The PSP may still refuse what it has only accepted, if its faults allow that.
        let kind = match request.kind {
            RequestKind::Capture => "capture",
            _ => "cancel",
        };
        let must_hold = request.is(request.kind, 200)
            || (request.is(request.kind, 202) && !self.plan.may_refuse(kind));
        let capture_reversed = request.kind == RequestKind::Capture
            && capture_failed(session)
            && self.plan.may_reverse("capture");
        if must_hold && status != wanted && !capture_reversed {
            let response = request.acknowledged().map_or(0, |response| response.status);
            self.problems.push(format!(
                "{:?} was acknowledged with {response}, and it is {status}",
                request.kind
            ));
        }
        let captured = status == "captured" && request.kind == RequestKind::Capture;
        if must_hold && captured && session["amount_captured"] != request.amount {
            self.problems
                .push(format!("captured is not {}", request.amount));
        }
        self.counts.push((
            "captures, cancels and withdrawals acknowledged",
            u64::from(must_hold),
        ));
    }

    fn refund(&mut self, request: &Request, refunds: &[Value]) {
        let Some(response) = request.acknowledged() else {
            return;
        };
        self.counts.push(("refunds acknowledged", 1));
        let id = &response.json()["refund_id"];
        let found: Vec<_> = refunds
            .iter()
            .filter(|refund| refund["refund_id"] == *id)
            .collect();
        let [refund] = found[..] else {
            self.problems.push(format!(
                "the acknowledged refund {id} is stored {} times",
                found.len()
            ));
            return;
        };
        if refund["amount"] != request.amount {
            self.problems
                .push(format!("the refund {id} has another amount: {refund}"));
        }
        if refund["status"] != "refund_succeeded" && !self.plan.may_refuse("refund") {
            self.problems.push(format!(
                "the refund {id} failed, and was not refused: {refund}"
            ));
        }
    }

    /// Checks that the same request under the same key gets the same bytes from any node.
    async fn repeat(&mut self, clients: &Clients, request: &Request) {
        let Some(first) = request.acknowledged() else {
            return;
        };
        let mut again = Request {
            responses: Vec::new(),
            ..request.clone()
        };
        clients
            .post(
                self.order_record.merchant,
                &mut SeededRng::from_numbers(&[4]),
                &mut again,
            )
            .await;
        self.counts.push(("responses repeated", 1));
        // If the outcome could not be stored, the response was that it is unknown, and that
        // response could not be stored either.
        let unwritten = self.plan.has_link_faults()
            && (first.status == 202
                || (request.kind == RequestKind::Refund
                    && first.json()["psp_reference"].is_null()));
        // It may have been refused before it was acknowledged: that response is not stored.
        let earlier = request
            .responses
            .iter()
            .filter(|response| is_remembered(response));
        for response in earlier.chain(&again.responses) {
            let same = response.status == first.status && response.body == first.body;
            if !same && !unwritten {
                self.problems.push(format!(
                    "{:?} under {} returned {} {} and then {} {}",
                    request.kind,
                    request.key,
                    first.status,
                    first.body,
                    response.status,
                    response.body
                ));
            }
        }
    }

    /// Adds all problems as one finding with the history of the order.
    fn finish(&mut self, session: &Value, refunds: &[Value], ledger: &[Value]) {
        if self.problems.is_empty() {
            return;
        }
        let mut text = format!("{}\n    {}", self.problems.join("\n"), self.order_record);
        let _ = write!(text, "\n    session {session}");
        for refund in refunds {
            let _ = write!(text, "\n    refund {refund}");
        }
        for entry in ledger {
            let _ = write!(text, "\n    ledger {entry}");
        }
        self.findings.push(text);
    }
}

/// The name under which a status is counted.
fn count_name(status: &str) -> &'static str {
    let names = [
        "authorized",
        "cancelled",
        "captured",
        "created",
        "error",
        "expired",
        "pending",
        "refused",
    ];
    names
        .iter()
        .find(|name| **name == status)
        .unwrap_or(&"of unknown status")
}
