//! One order under the glass: what was acknowledged is there, and everything agrees.

use std::{collections::HashMap, fmt::Write};

use serde_json::Value;

use crate::{
    audit::PATIENCE,
    crew::Crew,
    events::{Post, Told},
    money::{capture_failed, disagreements, lapsed, paid_out},
    plan::{Dice, RoundPlan},
    story::{Ask, Habit, Request, Story, is_remembered},
};

/// One order under the glass.
pub(crate) struct Look<'a> {
    story: &'a Story,
    plan: &'a RoundPlan,
    wrong: Vec<String>,
    pub(crate) findings: Vec<String>,
    pub(crate) counts: Vec<(&'static str, u64)>,
    /// Refunds that were paid out of a capture that was taken back.
    pub(crate) in_vain: Vec<String>,
}

/// What there is to look an order up in.
pub(crate) struct Books<'a> {
    /// Every session of the round by the merchant's reference.
    pub(crate) sessions: HashMap<String, Vec<Value>>,
    pub(crate) plan: &'a RoundPlan,
    /// For each merchant, what came to its server.
    pub(crate) posts: Vec<Post>,
}

/// Looks at one order.
pub(crate) async fn look_at<'a>(crew: &Crew, story: &'a Story, books: &'a Books<'_>) -> Look<'a> {
    let mut look = Look {
        story,
        plan: books.plan,
        wrong: Vec::new(),
        findings: Vec::new(),
        counts: vec![("orders", 1)],
        in_vain: Vec::new(),
    };
    let Some((id, _)) = &story.session else {
        look.wrong
            .push("its creation never got an answer".to_owned());
        look.end(&Value::Null, &[], &[]);
        return look;
    };
    let mut dice = Dice::of(&[2]);
    let listed = books.sessions.get(&story.reference).map_or(0, Vec::len);
    if listed != 1 {
        look.wrong
            .push(format!("there are {listed} sessions of this order"));
    }
    let mut get = async |target: String| {
        let found = crew.get(story.merchant, &mut dice, &target).await;
        found.unwrap_or_else(|| panic!("{target} cannot be read in {PATIENCE:?}"))
    };
    let session = get(format!("/v1/checkout/sessions/{id}")).await;
    let refunds = get(format!("/v1/refunds?session_id={id}&limit=100")).await;
    let refunds = refunds["data"].as_array().unwrap().clone();
    let events = get(format!("/v1/events?session_id={id}&limit=100")).await;
    let mut events = events["data"].as_array().unwrap().clone();
    events.sort_by_key(|event| event["sequence"].as_u64());
    let ledger = ledger(crew, story).await;
    look.wrong
        .extend(disagreements(&session, &refunds, &ledger));
    look.session(&session, &refunds);
    look.holds(&session, &ledger);
    let told = Told::new(id, &events, &books.posts[story.merchant]);
    look.told(&told, &session, &refunds);
    for (before, arrived, what) in told.out_of_order() {
        let details = get(format!("/v1/events/{before}")).await;
        // An attempt that never got as far as the merchant's server was the first one.
        if details["attempts"].as_array().unwrap().len() <= arrived {
            look.wrong.push(format!("{what}: {details}"));
        }
    }
    for request in &story.requests {
        look.request(request, &session, &refunds);
        look.repeat(crew, request).await;
    }
    look.end(&session, &refunds, &ledger);
    look
}

async fn ledger(crew: &Crew, story: &Story) -> Vec<Value> {
    let shop = crew.shop(story.merchant, &mut Dice::of(&[3]));
    let (id, _) = story.session.as_ref().unwrap();
    let url = format!("{}/v1/ledger?reference={id}", shop.simulator);
    let ledger = shop.http.get(url).send().await.unwrap();
    let ledger: Value = ledger.json().await.unwrap();
    ledger["entries"].as_array().unwrap().clone()
}

impl Look<'_> {
    /// What must hold for any session in the quiet.
    fn session(&mut self, session: &Value, refunds: &[Value]) {
        let status = session["status"].as_str().unwrap();
        let story = self.story;
        let mut wrong = |what: String| self.wrong.push(what);
        if session["amount"] != story.amount || session["currency"] != story.currency {
            wrong("it is not the session that was ordered".to_owned());
        }
        if !session["pending_operation"].is_null() || status == "pending" {
            wrong("something is still open".to_owned());
        }
        let open = refunds
            .iter()
            .filter(|refund| refund["status"] == "refund_requested");
        if open.count() > 0 {
            wrong("a refund is still open".to_owned());
        }
        let is_back = capture_failed(session);
        let shown = |state: &str| story.shown.iter().any(|shown| shown == state);
        let paid = shown("authorized") || shown("captured");
        if paid && !matches!(status, "authorized" | "captured" | "cancelled") && !is_back {
            wrong(format!(
                "the shopper was told that it is paid, and it is {status}"
            ));
        }
        if shown("captured") && status != "captured" && !is_back {
            wrong(format!(
                "the shopper was told that it is captured, and it is {status}"
            ));
        }
        let asked = story.asked(Ask::Cancel) && !lapsed(session);
        let may_lapse = lapsed(session) && self.plan.takes_back("authorise");
        if status == "cancelled" && !asked && !may_lapse {
            wrong("nobody asked for its cancellation".to_owned());
        }
        let by_hand = story.habit() == Habit::Manual && !story.asked(Ask::Capture);
        if (status == "captured" || is_back) && by_hand {
            wrong("nobody asked for its capture".to_owned());
        }
        if is_back && !self.plan.takes_back("capture") {
            wrong("its capture failed, and nobody took it back".to_owned());
        }
        if refunds.len()
            > story
                .requests
                .iter()
                .filter(|r| r.ask == Ask::Refund)
                .count()
        {
            wrong("there are more refunds than were ordered".to_owned());
        }
        if is_back {
            let in_vain = paid_out(refunds).into_iter();
            let ids = in_vain.map(|refund| refund["refund_id"].as_str().unwrap().to_owned());
            self.in_vain = ids.collect();
            let count = u64::try_from(self.in_vain.len()).unwrap();
            self.counts.push(("refunds of captures taken back", count));
            self.counts.push(("captures taken back", 1));
        }
        self.counts
            .push(("authorisations lapsed", u64::from(lapsed(session))));
        self.counts.push((count_name(status), 1));
    }

    /// An authorisation whose capture was done and taken back before anybody heard of it: for the
    /// service only a capture that was refused, at the PSP the end of the payment.
    fn holds(&mut self, session: &Value, ledger: &[Value]) {
        let back = |entry: &Value| entry["kind"] == "capture" && entry["amount"].as_i64() < Some(0);
        let is_gone = session["status"] == "authorized" && ledger.iter().any(back);
        self.counts
            .push(("authorised without a hold", u64::from(is_gone)));
    }

    /// What its merchant was told of it.
    fn told(&mut self, told: &Told<'_>, session: &Value, refunds: &[Value]) {
        self.wrong.extend(told.wrong());
        self.wrong.extend(told.lies(session, refunds));
        let events = u64::try_from(told.events.len()).unwrap();
        self.counts.push(("events received", events));
    }

    /// What was acknowledged is there, with its outcome or a later one.
    fn request(&mut self, request: &Request, session: &Value, refunds: &[Value]) {
        if request.answers.is_empty() {
            let what = format!(
                "{:?} under {} never got an answer",
                request.ask, request.key
            );
            self.wrong.push(what);
        }
        if request.ask == Ask::Refund {
            self.refund(request, refunds);
            return;
        }
        let status = session["status"].as_str().unwrap();
        let wanted = match request.ask {
            Ask::Capture => "captured",
            Ask::Cancel => "cancelled",
            Ask::Withdraw => "expired",
            Ask::Create | Ask::Refund => return,
        };
        // What the PSP has only accepted it may still refuse, if it was told to.
        let kind = match request.ask {
            Ask::Capture => "capture",
            _ => "cancel",
        };
        let must = request.is(request.ask, 200)
            || (request.is(request.ask, 202) && !self.plan.may_refuse(kind));
        let is_back = request.ask == Ask::Capture
            && capture_failed(session)
            && self.plan.takes_back("capture");
        if must && status != wanted && !is_back {
            let answer = request.acknowledged().map_or(0, |answer| answer.status);
            self.wrong.push(format!(
                "{:?} was acknowledged with {answer}, and it is {status}",
                request.ask
            ));
        }
        let captured = status == "captured" && request.ask == Ask::Capture;
        if must && captured && session["amount_captured"] != request.amount {
            self.wrong
                .push(format!("captured is not {}", request.amount));
        }
        self.counts.push((
            "captures, cancels and withdrawals acknowledged",
            u64::from(must),
        ));
    }

    fn refund(&mut self, request: &Request, refunds: &[Value]) {
        let Some(answer) = request.acknowledged() else {
            return;
        };
        self.counts.push(("refunds acknowledged", 1));
        let id = &answer.json()["refund_id"];
        let found: Vec<_> = refunds
            .iter()
            .filter(|refund| refund["refund_id"] == *id)
            .collect();
        let [refund] = found[..] else {
            self.wrong.push(format!(
                "the acknowledged refund {id} is there {} times",
                found.len()
            ));
            return;
        };
        if refund["amount"] != request.amount {
            self.wrong
                .push(format!("the refund {id} has another amount: {refund}"));
        }
        if refund["status"] != "refund_succeeded" && !self.plan.may_refuse("refund") {
            self.wrong.push(format!(
                "the refund {id} failed, and nobody refused it: {refund}"
            ));
        }
    }

    /// The same request under the same key gets the same bytes, whichever node is asked.
    async fn repeat(&mut self, crew: &Crew, request: &Request) {
        let Some(first) = request.acknowledged() else {
            return;
        };
        let mut again = Request {
            answers: Vec::new(),
            ..request.clone()
        };
        crew.post(self.story.merchant, &mut Dice::of(&[4]), &mut again)
            .await;
        self.counts.push(("answers repeated", 1));
        // An outcome that could not be written down was answered as one that is not known yet,
        // and that answer could not be written down either.
        let unwritten = self.plan.breaks_lines()
            && (first.status == 202
                || (request.ask == Ask::Refund && first.json()["psp_reference"].is_null()));
        // Before it was acknowledged it may have been turned down: that is not remembered.
        let earlier = request
            .answers
            .iter()
            .filter(|answer| is_remembered(answer));
        for answer in earlier.chain(&again.answers) {
            let same = answer.status == first.status && answer.body == first.body;
            if !same && !unwritten {
                self.wrong.push(format!(
                    "{:?} under {} was answered {} {} and then {} {}",
                    request.ask, request.key, first.status, first.body, answer.status, answer.body
                ));
            }
        }
    }

    /// Puts everything that is wrong into one finding with the whole story.
    fn end(&mut self, session: &Value, refunds: &[Value], ledger: &[Value]) {
        if self.wrong.is_empty() {
            return;
        }
        let mut text = format!("{}\n    {}", self.wrong.join("\n"), self.story);
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

/// The status as a name for a count.
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
