//! The audit: everything acknowledged is stored, all money is where the API reports it, and
//! merchants received all events.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    time::{Duration, Instant},
};

use serde_json::Value;

use crate::{
    clients::Clients,
    cluster::Cluster,
    database_state::DatabaseState,
    disruption_counts::DisruptionCounts,
    events::DeliveryLog,
    operators,
    order_check::{RoundData, check_order},
    order_record::OrderRecord,
    plan::{RoundPlan, SeededRng},
};

/// How long unanswered requests are retried after the load, and how long the audit retries a read.
pub(crate) const READ_TIMEOUT: Duration = Duration::from_secs(30);
/// Time until all work must have ended after the load. The longest case is an attempt that was
/// never sent and whose session has expired: a minute and the back-off of 30 s, after the session's
/// own lifetime.
pub(crate) const QUIESCENCE_TIMEOUT: Duration = Duration::from_secs(130);
/// Poll interval of the databases.
const POLL_INTERVAL: Duration = Duration::from_millis(400);
/// Number of events per merchant that are redelivered in every round.
const REDELIVERED: usize = 2;

/// The findings, and counts of what was checked.
#[derive(Default)]
pub(crate) struct Audit {
    findings: Vec<String>,
    counts: BTreeMap<&'static str, u64>,
    /// The item that was open the longest in this round.
    last: String,
    /// Refunds that were paid out of captures that were reversed, of all rounds.
    unfunded_refunds: BTreeSet<String>,
}

impl Audit {
    /// The item that was open the longest in this round.
    pub(crate) fn last(&self) -> &str {
        &self.last
    }

    /// The findings, without duplicates.
    pub(crate) fn findings(&self) -> Vec<String> {
        self.findings.clone()
    }

    /// The counts of what was checked.
    pub(crate) fn summary(&self) -> String {
        counted(&self.counts)
    }

    /// Adds the faults that were caused.
    pub(crate) fn add(&mut self, disruption_counts: &DisruptionCounts) {
        for (what, count) in disruption_counts.counts() {
            *self.counts.entry(what).or_default() += count;
        }
    }

    /// Waits until no work is open; work that is still open at that time is stuck.
    pub(crate) async fn wait_for_quiescence(
        &mut self,
        database_state: &DatabaseState,
        until: Instant,
    ) {
        let mut quiet = 0;
        while quiet < 2 {
            let open_work = database_state.open_work().await;
            quiet = if open_work.is_empty() { quiet + 1 } else { 0 };
            if let Some(line) = open_work.first() {
                self.last.clone_from(line);
            }
            if Instant::now() > until {
                let stuck = open_work.into_iter().map(|line| format!("stuck: {line}"));
                self.findings.extend(stuck);
                return;
            }
            tokio::time::sleep(POLL_INTERVAL).await;
        }
    }

    /// Requests the redelivery of dead deliveries and of a few others; each event must arrive once
    /// more.
    pub(crate) async fn redeliver(
        &mut self,
        clients: &Clients,
        cluster: &Cluster,
        database_state: &DatabaseState,
    ) {
        let mut asked = Vec::new();
        let dead = database_state.dead().await;
        for (merchant, receiver) in cluster.receivers.iter().enumerate() {
            let ours = cluster.merchants[merchant]["merchant_id"].as_str().unwrap();
            let given_up = dead.iter().filter(|(_, of)| ours.ends_with(of.as_str()));
            let given_up = given_up.map(|(event, _)| format!("evt_{event}"));
            let arrivals = receiver.arrivals();
            let some = arrivals.iter().step_by(arrivals.len() / REDELIVERED + 1);
            let wanted: BTreeSet<String> = given_up
                .chain(some.map(|arrival| arrival.id().to_owned()))
                .collect();
            let delivery_log = DeliveryLog::of(receiver);
            for event in wanted {
                let before = delivery_log.count(&event);
                self.request_redelivery(clients, merchant, &event).await;
                asked.push((merchant, event, before));
            }
        }
        self.wait_for_quiescence(database_state, Instant::now() + QUIESCENCE_TIMEOUT)
            .await;
        for (merchant, event, before) in &asked {
            let after = DeliveryLog::of(&cluster.receivers[*merchant]).count(event);
            if after <= *before {
                self.findings
                    .push(format!("{event} was not delivered again"));
            }
        }
        let dead = database_state.dead().await.into_iter();
        self.findings
            .extend(dead.map(|(event, _)| format!("the delivery of evt_{event} is dead")));
        let count = u64::try_from(asked.len()).unwrap();
        *self.counts.entry("redeliveries").or_default() += count;
    }

    async fn request_redelivery(&mut self, clients: &Clients, merchant: usize, event: &str) {
        let shop = clients.shop(merchant, &mut SeededRng::from_numbers(&[5]));
        let target = format!("/v1/events/{event}/redeliver");
        let response = shop.try_call("POST", &target, "{}", None).await.unwrap();
        if response.status != 202 {
            self.findings
                .push(format!("{target} returned {response:?}"));
        }
    }

    /// Checks that need only the databases.
    pub(crate) async fn check_databases(&mut self, database_state: &DatabaseState) {
        self.findings.extend(database_state.sequence_gaps().await);
        self.findings
            .extend(database_state.without_delivery().await);
        self.findings.extend(database_state.inbox_problems().await);
        let known: HashSet<_> = database_state.sessions().await.into_iter().collect();
        let paid = database_state.paid_sessions().await.into_iter();
        let lost = paid.filter(|session| !known.contains(session));
        let lost = lost.map(|session| format!("money moved for {session}, which is lost"));
        self.findings.extend(lost);
    }

    /// Checks the operators' views of the time since then (RFC 3339).
    pub(crate) async fn operators(&mut self, cluster: &Cluster, since: &str) {
        let (differences, compared) = operators::reconcile(cluster, since);
        self.findings.extend(differences);
        // The last call covers all rounds, so its count replaces the earlier ones.
        self.counts.insert("operations reconciled", compared);
        self.findings
            .extend(operators::stuck(cluster, &self.unfunded_refunds));
        let gauges = operators::gauges(cluster, self.unfunded_refunds.len()).await;
        self.findings.extend(gauges);
    }

    /// Checks every order of a round; returns a summary.
    pub(crate) async fn check_orders(
        &mut self,
        clients: &Clients,
        cluster: &Cluster,
        plan: &RoundPlan,
        order_records: &[OrderRecord],
    ) -> String {
        let round_data = RoundData {
            sessions: sessions_of_round(clients, plan).await,
            plan,
            delivery_logs: cluster.receivers.iter().map(DeliveryLog::of).collect(),
        };
        let mut counts = BTreeMap::new();
        for group in order_records.chunks(8) {
            let order_checks = group
                .iter()
                .map(|order_record| check_order(clients, order_record, &round_data));
            for order_check in futures_util::future::join_all(order_checks).await {
                self.findings.extend(order_check.findings);
                self.unfunded_refunds.extend(order_check.unfunded_refunds);
                for (what, count) in order_check.counts {
                    *counts.entry(what).or_default() += count;
                }
            }
        }
        for (merchant, delivery_log) in round_data.delivery_logs.iter().enumerate() {
            let its = order_records
                .iter()
                .filter(|order_record| order_record.merchant == merchant);
            let sessions =
                its.filter_map(|order_record| Some(order_record.session.as_ref()?.0.as_str()));
            self.findings
                .extend(delivery_log.problems(&sessions.collect()));
            let (came, refused) = delivery_log.counts();
            *counts.entry("deliveries received").or_default() += came;
            *counts.entry("of them rejected").or_default() += refused;
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

/// The sessions of the round by the merchant's reference; each reference should have exactly one.
async fn sessions_of_round(clients: &Clients, plan: &RoundPlan) -> HashMap<String, Vec<Value>> {
    let mut found: HashMap<String, Vec<Value>> = HashMap::new();
    let prefix = format!("k{}-", plan.round);
    for merchant in 0..clients.merchants() {
        let mut target = "/v1/checkout/sessions?limit=100".to_owned();
        loop {
            let page = clients
                .get(merchant, &mut SeededRng::from_numbers(&[1]), &target)
                .await;
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
