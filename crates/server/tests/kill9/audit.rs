//! The audit: whatever was acknowledged is there, and every cent is where the API says it is.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    fmt::Write,
    time::{Duration, Instant},
};

use serde_json::Value;

use crate::{
    crew::Crew,
    money::disagreements,
    plan::{Dice, RoundPlan},
    story::{Ask, Request, Story, is_remembered},
    truth::Truth,
};

/// How long whoever is still without an answer goes on asking in the quiet, and how long the
/// auditors do.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);
/// How long work may stay open once there is no trouble. The longest is an attempt that never left
/// and whose session has expired meanwhile: a minute, and the back-off of 30 s.
pub(crate) const QUIET: Duration = Duration::from_secs(95);
/// How often the databases are asked whether there is quiet.
const ASKED: Duration = Duration::from_millis(400);

/// What was found, and how much there was to look at.
#[derive(Default)]
pub(crate) struct Audit {
    findings: Vec<String>,
    counts: BTreeMap<&'static str, u64>,
    /// What was open the longest in the quiet of this round.
    last: String,
}

impl Audit {
    /// What was open the longest in the quiet of this round.
    pub(crate) fn last(&self) -> &str {
        &self.last
    }

    /// What is wrong, once each.
    pub(crate) fn findings(&self) -> Vec<String> {
        self.findings.clone()
    }

    /// How much there was to look at.
    pub(crate) fn summary(&self) -> String {
        counted(&self.counts)
    }

    /// Waits until nothing is open any more; what still is at that time is stuck.
    pub(crate) async fn quiet(&mut self, truth: &Truth, until: Instant) {
        let mut quiet = 0;
        while quiet < 2 {
            let open = truth.open().await;
            quiet = if open.is_empty() { quiet + 1 } else { 0 };
            if let Some(line) = open.first() {
                self.last.clone_from(line);
            }
            if Instant::now() > until {
                let stuck = open.into_iter().map(|line| format!("stuck: {line}"));
                self.findings.extend(stuck);
                return;
            }
            tokio::time::sleep(ASKED).await;
        }
    }

    /// What the databases say by themselves.
    pub(crate) async fn books(&mut self, truth: &Truth) {
        self.findings.extend(truth.gaps().await);
        let known: HashSet<_> = truth.sessions().await.into_iter().collect();
        let paid = truth.paid_sessions().await.into_iter();
        let lost = paid.filter(|session| !known.contains(session));
        let lost = lost.map(|session| format!("money moved for {session}, which is lost"));
        self.findings.extend(lost);
    }

    /// Looks at every order of a round; what there was, in a few words.
    pub(crate) async fn look(
        &mut self,
        crew: &Crew,
        plan: &RoundPlan,
        stories: Vec<Story>,
    ) -> String {
        let sessions = sessions_of_round(crew, plan).await;
        let mut counts = BTreeMap::new();
        for group in stories.chunks(8) {
            let looks = group
                .iter()
                .map(|story| look_at(crew, plan, story, &sessions));
            for look in futures_util::future::join_all(looks).await {
                self.findings.extend(look.findings);
                for (what, count) in look.counts {
                    *counts.entry(what).or_default() += count;
                    *self.counts.entry(what).or_default() += count;
                }
            }
        }
        counted(&counts)
    }
}

fn counted(counts: &BTreeMap<&'static str, u64>) -> String {
    let each = counts.iter().map(|(what, count)| format!("{count} {what}"));
    each.collect::<Vec<_>>().join(", ")
}

/// Every session of the round by the merchant's reference: one each, if all is well.
async fn sessions_of_round(crew: &Crew, plan: &RoundPlan) -> HashMap<String, Vec<Value>> {
    let mut found: HashMap<String, Vec<Value>> = HashMap::new();
    let prefix = format!("k{}-", plan.round);
    for merchant in 0..crew.merchants() {
        let mut target = "/v1/checkout/sessions?limit=100".to_owned();
        loop {
            let page = crew.get(merchant, &mut Dice::of(&[1]), &target).await;
            let page = page.expect("a page of the list");
            let mut older = false;
            for session in page["data"].as_array().unwrap() {
                let reference = session["reference"].as_str().unwrap();
                older |= !reference.starts_with(&prefix);
                if reference.starts_with(&prefix) {
                    let same = found.entry(reference.to_owned()).or_default();
                    same.push(session.clone());
                }
            }
            match page["next_cursor"].as_str() {
                Some(cursor) if !older => {
                    target = format!("/v1/checkout/sessions?limit=100&cursor={cursor}");
                }
                _ => break,
            }
        }
    }
    found
}

/// One order under the glass.
struct Look<'a> {
    story: &'a Story,
    plan: &'a RoundPlan,
    wrong: Vec<String>,
    findings: Vec<String>,
    counts: Vec<(&'static str, u64)>,
}

async fn look_at<'a>(
    crew: &Crew,
    plan: &'a RoundPlan,
    story: &'a Story,
    sessions: &HashMap<String, Vec<Value>>,
) -> Look<'a> {
    let mut look = Look {
        story,
        plan,
        wrong: Vec::new(),
        findings: Vec::new(),
        counts: vec![("orders", 1)],
    };
    let Some((id, _)) = &story.session else {
        look.wrong
            .push("its creation never got an answer".to_owned());
        look.end(&Value::Null, &[], &[]);
        return look;
    };
    let mut dice = Dice::of(&[2]);
    let listed = sessions.get(&story.reference).map_or(0, Vec::len);
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
    let ledger = ledger(crew, story).await;
    look.wrong
        .extend(disagreements(&session, &refunds, &ledger));
    look.session(&session, &refunds);
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
        let shown = |state: &str| story.shown.iter().any(|shown| shown == state);
        let paid = shown("authorized") || shown("captured");
        if paid && !matches!(status, "authorized" | "captured" | "cancelled") {
            wrong(format!(
                "the shopper was told that it is paid, and it is {status}"
            ));
        }
        if shown("captured") && status != "captured" {
            wrong(format!(
                "the shopper was told that it is captured, and it is {status}"
            ));
        }
        if status == "cancelled" && !story.asked(Ask::Cancel) {
            wrong("nobody asked for its cancellation".to_owned());
        }
        if status == "captured" && story.merchant == 0 && !story.asked(Ask::Capture) {
            wrong("nobody asked for its capture".to_owned());
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
        self.counts.push((count_name(status), 1));
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
        if must && status != wanted {
            let answer = request.acknowledged().map_or(0, |answer| answer.status);
            self.wrong.push(format!(
                "{:?} was acknowledged with {answer}, and it is {status}",
                request.ask
            ));
        }
        if must && request.ask == Ask::Capture && session["amount_captured"] != request.amount {
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
