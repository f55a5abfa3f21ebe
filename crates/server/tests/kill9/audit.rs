//! The audit: whatever was acknowledged is there, every cent is where the API says it is, and every
//! merchant was told.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    time::{Duration, Instant},
};

use serde_json::Value;

use crate::{
    crew::Crew,
    done::Done,
    events::Post,
    look::{Books, look_at},
    operators,
    plan::{Dice, RoundPlan},
    stage::Stage,
    story::Story,
    truth::Truth,
};

/// How long whoever is still without an answer goes on asking in the quiet, and how long the
/// auditors do.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);
/// How long work may stay open once there is no trouble. The longest is an attempt that never left
/// and whose session has expired meanwhile: a minute, and the back-off of 30 s, after the session's
/// own time.
pub(crate) const QUIET: Duration = Duration::from_secs(130);
/// How often the databases are asked whether there is quiet.
const ASKED: Duration = Duration::from_millis(400);
/// How many events of each merchant are delivered once more in every round.
const REDELIVERED: usize = 2;

/// What was found, and how much there was to look at.
#[derive(Default)]
pub(crate) struct Audit {
    findings: Vec<String>,
    counts: BTreeMap<&'static str, u64>,
    /// What was open the longest in the quiet of this round.
    last: String,
    /// Refunds that were paid out of captures which were taken back, of all rounds.
    in_vain: BTreeSet<String>,
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

    /// Adds what was done to the stage.
    pub(crate) fn add(&mut self, done: &Done) {
        for (what, count) in done.counts() {
            *self.counts.entry(what).or_default() += count;
        }
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

    /// Has the merchants ask for events once more: those that were given up, and a few others; each
    /// must come once more.
    pub(crate) async fn redeliver(&mut self, crew: &Crew, (stage, truth): (&Stage, &Truth)) {
        let mut asked = Vec::new();
        let dead = truth.dead().await;
        for (merchant, receiver) in stage.receivers.iter().enumerate() {
            let ours = stage.merchants[merchant]["merchant_id"].as_str().unwrap();
            let given_up = dead.iter().filter(|(_, of)| ours.ends_with(of.as_str()));
            let given_up = given_up.map(|(event, _)| format!("evt_{event}"));
            let arrivals = receiver.arrivals();
            let some = arrivals.iter().step_by(arrivals.len() / REDELIVERED + 1);
            let wanted: BTreeSet<String> = given_up
                .chain(some.map(|arrival| arrival.id().to_owned()))
                .collect();
            let post = Post::of(receiver);
            for event in wanted {
                let before = post.count(&event);
                self.ask_for(crew, merchant, &event).await;
                asked.push((merchant, event, before));
            }
        }
        self.quiet(truth, Instant::now() + QUIET).await;
        for (merchant, event, before) in &asked {
            let after = Post::of(&stage.receivers[*merchant]).count(event);
            if after <= *before {
                self.findings
                    .push(format!("{event} was not delivered once more"));
            }
        }
        let dead = truth.dead().await.into_iter();
        self.findings
            .extend(dead.map(|(event, _)| format!("the delivery of evt_{event} is dead")));
        let count = u64::try_from(asked.len()).unwrap();
        *self.counts.entry("redeliveries").or_default() += count;
    }

    async fn ask_for(&mut self, crew: &Crew, merchant: usize, event: &str) {
        let shop = crew.shop(merchant, &mut Dice::of(&[5]));
        let target = format!("/v1/events/{event}/redeliver");
        let answer = shop.try_call("POST", &target, ("{}", None)).await.unwrap();
        if answer.status != 202 {
            self.findings
                .push(format!("{target} was answered {answer:?}"));
        }
    }

    /// What the databases say by themselves.
    pub(crate) async fn books(&mut self, truth: &Truth) {
        self.findings.extend(truth.gaps().await);
        self.findings.extend(truth.without_delivery().await);
        self.findings.extend(truth.wrong_in_the_inbox().await);
        let known: HashSet<_> = truth.sessions().await.into_iter().collect();
        let paid = truth.paid_sessions().await.into_iter();
        let lost = paid.filter(|session| !known.contains(session));
        let lost = lost.map(|session| format!("money moved for {session}, which is lost"));
        self.findings.extend(lost);
    }

    /// What operators are shown about the time since then (RFC 3339).
    pub(crate) async fn operators(&mut self, stage: &Stage, since: &str) {
        let (differences, compared) = operators::reconcile(stage, since);
        self.findings.extend(differences);
        // The last time, that is all of them.
        self.counts.insert("operations reconciled", compared);
        self.findings.extend(operators::stuck(stage, &self.in_vain));
        let gauges = operators::gauges(stage, self.in_vain.len()).await;
        self.findings.extend(gauges);
    }

    /// Looks at every order of a round; what there was, in a few words.
    pub(crate) async fn look(
        &mut self,
        crew: &Crew,
        (stage, plan): (&Stage, &RoundPlan),
        stories: &[Story],
    ) -> String {
        let books = Books {
            sessions: sessions_of_round(crew, plan).await,
            plan,
            posts: stage.receivers.iter().map(Post::of).collect(),
        };
        let mut counts = BTreeMap::new();
        for group in stories.chunks(8) {
            let looks = group.iter().map(|story| look_at(crew, story, &books));
            for look in futures_util::future::join_all(looks).await {
                self.findings.extend(look.findings);
                self.in_vain.extend(look.in_vain);
                for (what, count) in look.counts {
                    *counts.entry(what).or_default() += count;
                }
            }
        }
        for (merchant, post) in books.posts.iter().enumerate() {
            let its = stories.iter().filter(|story| story.merchant == merchant);
            let sessions = its.filter_map(|story| Some(story.session.as_ref()?.0.as_str()));
            self.findings.extend(post.wrong(&sessions.collect()));
            let (came, refused) = post.counts();
            *counts.entry("deliveries received").or_default() += came;
            *counts.entry("of them not taken").or_default() += refused;
        }
        for (what, count) in &counts {
            *self.counts.entry(what).or_default() += count;
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
