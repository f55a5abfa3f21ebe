//! The store's state of one session's deliveries to one merchant, and the workers that send them.
//! Every step is one commit, or one event outside the store.

use std::{
    collections::BTreeSet,
    hash::{Hash, Hasher},
};

use oncharge_domain::{
    time::Timestamp,
    webhook::{
        Delivery, DeliveryAttempt, DeliveryOutcome, DeliveryState, DisableReason, EndpointChange,
        EndpointUrl,
    },
};
use time::Duration;

use super::{
    job::{Job, Reply, Stage},
    mutations::Mutation,
};
use crate::session_records::{at, id};

/// Number of failed attempts after which a delivery is dead.
pub(super) const TEN: u32 = 10;
/// Seconds of failures after which an endpoint is disabled.
pub(super) const FIVE_DAYS: i64 = 5 * 86_400;

/// A violated property.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Rule {
    /// First attempts are in order and do not overlap.
    Order,
    /// A worker whose lease is lost writes nothing.
    Fencing,
    /// Each attempt is stored once, under its own number.
    Numbers,
    /// A delivery becomes dead by ten failures or with its endpoint, and for no other reason.
    Death,
    /// An endpoint is disabled only after five days of failures without a success.
    GivenUp,
}

/// The merchant's endpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Endpoint {
    pub(super) url: EndpointUrl,
    pub(super) disabled: Option<DisableReason>,
    pub(super) failing_since: Option<Timestamp>,
}

/// A row of the outbox, and what the model records about it.
#[expect(
    clippy::struct_excessive_bools,
    reason = "independent facts, each of which may be true by itself"
)]
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Row {
    pub(super) delivery: Delivery,
    pub(super) next_try_at: Option<Timestamp>,
    /// It is claimed, and the lease has neither ended nor expired.
    pub(super) leased: bool,
    /// The merchant has received it since the event occurred or was redelivered.
    pub(super) received: bool,
    /// An attempt has begun.
    pub(super) begun: bool,
    /// A lease on it has expired.
    pub(super) lease_expired: bool,
    /// It was redelivered, and is no longer part of the order.
    pub(super) again: bool,
    /// Number of stored attempts.
    pub(super) kept: u32,
    /// Number of failed attempts among those claimed since the event occurred or was redelivered.
    pub(super) failed: u32,
}

impl Row {
    pub(super) fn is_open(&self) -> bool {
        self.next_try_at.is_some()
    }
}

/// How many more actions of each kind may occur.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Budget {
    pub(super) events: u8,
    /// The endpoint is set, replaced or removed.
    pub(super) settings: u8,
    /// Crashes, stalls, commits with an unknown outcome.
    pub(super) faults: u8,
    pub(super) redeliveries: u8,
}

/// The state.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct OutboxState {
    pub(super) now: Timestamp,
    pub(super) endpoint: Option<Endpoint>,
    /// By event: its delivery, and whether there must be one.
    pub(super) rows: Vec<(Option<Row>, bool)>,
    pub(super) jobs: Vec<Job>,
    pub(super) budget: Budget,
    pub(super) broken: BTreeSet<Rule>,
    pub(super) mutation: Option<Mutation>,
}

/// Two states are equal if the same can happen next: times are relative to now, and attempts are
/// counted only as far as they matter.
impl Hash for OutboxState {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let age = |since: Option<Timestamp>| {
            since.map(|since| self.now.since(since).whole_seconds().min(FIVE_DAYS))
        };
        if let Some(endpoint) = &self.endpoint {
            let why = endpoint.disabled.map(DisableReason::name);
            (&endpoint.url, why, age(endpoint.failing_since)).hash(state);
        }
        for (row, wanted) in &self.rows {
            wanted.hash(state);
            let Some(row) = row else { continue };
            hash_delivery(&row.delivery, state);
            let wait = row.next_try_at.map(|due| due.since(self.now));
            wait.map(|wait| wait.max(Duration::ZERO)).hash(state);
            (
                row.leased,
                row.received,
                row.begun,
                row.lease_expired,
                row.again,
            )
                .hash(state);
            (row.failed, row.kept - row.delivery.attempts.min(row.kept)).hash(state);
        }
        for job in &self.jobs {
            (job.event, job.holds, job.stage, job.wanted).hash(state);
            (job.may_lose, self.is_same_round(job)).hash(state);
            hash_delivery(&job.read, state);
            age(job.failing_since).hash(state);
        }
        (&self.budget, &self.broken).hash(state);
    }
}

fn hash_delivery(delivery: &Delivery, state: &mut impl Hasher) {
    let has_tried = delivery.attempts > 0;
    (delivery.state.name(), delivery.failures, has_tried).hash(state);
    delivery.url.hash(state);
}

pub(super) fn url(number: u8) -> EndpointUrl {
    EndpointUrl::parse(&format!("https://shop{number}.example.com/"), false).unwrap()
}

impl OutboxState {
    /// An endpoint and no events.
    pub(super) fn new(budget: Budget, mutation: Option<Mutation>) -> Self {
        let endpoint = Endpoint {
            url: url(1),
            disabled: None,
            failing_since: None,
        };
        Self {
            now: at(0),
            endpoint: Some(endpoint),
            rows: Vec::new(),
            jobs: Vec::new(),
            budget,
            broken: BTreeSet::new(),
            mutation,
        }
    }

    pub(super) fn row(&self, event: usize) -> Option<&Row> {
        self.rows.get(event)?.0.as_ref()
    }

    /// The endpoint, if it is enabled.
    fn enabled(&self) -> Option<&Endpoint> {
        let endpoint = self.endpoint.as_ref();
        endpoint.filter(|endpoint| endpoint.disabled.is_none())
    }

    /// The next event occurs; its delivery is written in the same commit.
    pub(super) fn add_event(&mut self, delivered: bool) {
        let to = self.enabled().map(|endpoint| endpoint.url.clone());
        let (wanted, event) = (to.is_some(), self.rows.len());
        let row = to.map(|url| self.new_row(event, url));
        self.rows.push((row.filter(|_| delivered), wanted));
    }

    fn new_row(&self, event: usize, url: EndpointUrl) -> Row {
        Row {
            delivery: Delivery {
                event: id(event + 1),
                session: id(0),
                merchant: id(0),
                sequence: u32::try_from(event + 1).unwrap(),
                endpoint: id(0),
                url,
                state: DeliveryState::Pending,
                attempts: 0,
                failures: 0,
                round: 0,
            },
            next_try_at: Some(self.now),
            leased: false,
            received: false,
            begun: false,
            lease_expired: false,
            again: false,
            kept: 0,
            failed: 0,
        }
    }

    /// Whether the queue returns it: it is due, not leased, and no earlier first attempt is
    /// outstanding.
    pub(super) fn is_claimable(&self, event: usize) -> bool {
        let Some(row) = self.row(event) else {
            return false;
        };
        let is_due = row.next_try_at.is_some_and(|due| due <= self.now);
        let mut earlier = self.rows[..event]
            .iter()
            .filter_map(|(row, _)| row.as_ref());
        let must_wait = row.delivery.attempts == 0
            && earlier.any(|row| match self.mutation {
                Some(Mutation::IgnoresOrder) => false,
                Some(Mutation::WaitsForSuccess) => row.delivery.state != DeliveryState::Delivered,
                _ => row.is_open() && row.delivery.attempts == 0,
            });
        is_due && !row.leased && !must_wait
    }

    /// A worker claims a delivery and reads it.
    pub(super) fn claim(&mut self, event: usize) {
        let endpoint = self.endpoint.clone();
        let Some(row) = self.rows[event].0.as_mut() else {
            return;
        };
        row.leased = true;
        match self.mutation {
            Some(Mutation::ClaimCounts) => row.delivery.failures += 1,
            Some(Mutation::AtMostOnce) => {
                row.delivery.state = DeliveryState::Delivered;
                row.next_try_at = None;
            }
            _ => {}
        }
        let read = row.delivery.clone();
        let same = endpoint.as_ref().filter(|found| found.url == read.url);
        let is_disabled = same.is_some_and(|same| same.disabled.is_some());
        self.jobs.push(Job {
            event,
            holds: true,
            may_lose: false,
            stage: Stage::Read,
            wanted: endpoint.is_some() && !is_disabled,
            failing_since: same.and_then(|same| same.failing_since),
            read,
        });
    }

    /// The attempt begins; a delivery that is no longer pending ends without one.
    pub(super) fn begin(&mut self, place: usize) {
        let job = &mut self.jobs[place];
        if !job.wanted {
            return self.record(place, true);
        }
        job.stage = Stage::Sending;
        let (event, is_first) = (job.event, job.read.attempts == 0);
        let earlier = self.rows[..event]
            .iter()
            .filter_map(|(row, _)| row.as_ref());
        let in_order = |row: &Row| {
            let has_ended = row.begun && (row.delivery.attempts > 0 || row.lease_expired);
            row.again || !row.is_open() || has_ended
        };
        let has_no_place = self.row(event).is_some_and(|row| row.again);
        let in_order = !is_first || has_no_place || earlier.into_iter().all(in_order);
        self.require(in_order, Rule::Order);
        if let Some(row) = self.rows[event].0.as_mut() {
            row.begun = true;
        }
    }

    /// The endpoint responds.
    pub(super) fn respond(&mut self, place: usize, reply: Reply) {
        let job = &mut self.jobs[place];
        job.stage = Stage::Answered(reply);
        let (event, round) = (job.event, job.read.round);
        if let Some(row) = self.rows[event].0.as_mut() {
            row.received |= reply == Reply::Taken && row.delivery.round == round;
        }
    }

    /// Whether the delivery was not redelivered since this worker read it.
    pub(super) fn is_same_round(&self, job: &Job) -> bool {
        let row = self.row(job.event);
        row.is_some_and(|row| row.delivery.round == job.read.round)
    }

    /// The worker records the result; if the outcome of the commit is unknown, it tries again.
    pub(super) fn record(&mut self, place: usize, acknowledged: bool) {
        let job = self.jobs.remove(place);
        let mutated = matches!(self.mutation, Some(Mutation::NoFencing));
        // A running worker that has renewed its lease can record its attempt.
        self.require(job.holds || job.may_lose, Rule::Numbers);
        if !job.holds && !mutated {
            return;
        }
        self.require(job.holds, Rule::Fencing);
        if !acknowledged {
            let holds = self.mutation == Some(Mutation::KeepsLease);
            self.jobs.push(Job {
                holds,
                may_lose: true,
                ..job.clone()
            });
        }
        let (attempt, after) = job.outcome(self.now);
        self.write(&job, attempt.as_ref(), &after);
    }

    fn write(&mut self, job: &Job, attempt: Option<&DeliveryAttempt>, after: &DeliveryOutcome) {
        let mutation = self.mutation;
        let Some(row) = self.rows[job.event].0.as_mut() else {
            return;
        };
        let is_next = attempt.is_none_or(|attempt| attempt.number == row.kept + 1);
        let has_failed = attempt.is_some_and(|attempt| !attempt.is_success());
        let is_same_round = row.delivery.round == job.read.round;
        row.kept += u32::from(attempt.is_some());
        row.failed += u32::from(has_failed && is_same_round);
        let was_dead = row.delivery.state == DeliveryState::Dead;
        // A delivery that was redelivered or ended meanwhile is not changed by this attempt.
        let is_meant = match mutation {
            Some(Mutation::StaleCounts) => row.is_open(),
            Some(Mutation::RevivesDeadDeliveries) => is_same_round,
            // The delivery ends when it is claimed.
            Some(Mutation::AtMostOnce) => true,
            _ => is_same_round && row.is_open(),
        };
        row.delivery.attempts = after.delivery.attempts;
        if is_meant {
            row.delivery.state = after.delivery.state;
            row.delivery.failures = after.delivery.failures;
            row.next_try_at = after.next_try_at;
        }
        row.leased &= mutation == Some(Mutation::KeepsLease);
        let is_gone = job.stage == Stage::Answered(Reply::Gone);
        let may_die = is_same_round && (!job.wanted || is_gone || row.failed == TEN);
        let by_the_rules = match (was_dead, row.delivery.state == DeliveryState::Dead) {
            (true, is_dead) => is_dead,
            (false, true) => may_die,
            (false, false) => row.failed < TEN || row.received,
        };
        self.require(is_next, Rule::Numbers);
        self.require(by_the_rules, Rule::Death);
        self.change_endpoint(job, after.endpoint);
    }

    fn change_endpoint(&mut self, job: &Job, change: EndpointChange) {
        let (now, mutation, url) = (self.now, self.mutation, &job.read.url);
        let Some(endpoint) = self.endpoint.as_mut().filter(|found| found.url == *url) else {
            return;
        };
        match change {
            // The endpoint was set or has recovered meanwhile.
            EndpointChange::Disabled(DisableReason::Failing)
                if endpoint.failing_since != job.failing_since
                    && mutation != Some(Mutation::StaleFailingSince) => {}
            EndpointChange::None => {}
            EndpointChange::Recovered => endpoint.failing_since = None,
            EndpointChange::Failing => {
                endpoint.failing_since.get_or_insert(now);
            }
            EndpointChange::Disabled(reason) => {
                let since = endpoint.failing_since;
                let has_failed =
                    since.is_some_and(|since| now.since(since).whole_seconds() >= FIVE_DAYS);
                endpoint.disabled = Some(reason);
                self.require(reason == DisableReason::Gone || has_failed, Rule::GivenUp);
                self.end_deliveries(Some(url));
            }
        }
    }

    /// Pending deliveries end, all or those to one URL; an attempt in progress keeps its lease.
    fn end_deliveries(&mut self, url: Option<&EndpointUrl>) {
        for (event, (row, _)) in self.rows.iter_mut().enumerate() {
            let meant =
                |row: &&mut Row| row.is_open() && url.is_none_or(|url| row.delivery.url == *url);
            if let Some(row) = row.as_mut().filter(meant) {
                row.delivery.state = DeliveryState::Dead;
                row.next_try_at = None;
                if self.mutation == Some(Mutation::EndsLeases) {
                    row.leased = false;
                    let jobs = self.jobs.iter_mut().filter(|job| job.event == event);
                    jobs.for_each(|job| job.holds = false);
                }
            }
        }
    }

    /// The merchant sets this endpoint in place of the current one.
    pub(super) fn set_endpoint(&mut self, url: EndpointUrl) {
        self.endpoint = Some(Endpoint {
            url,
            disabled: None,
            failing_since: None,
        });
    }

    /// The merchant removes the endpoint; `None` if there is none.
    pub(super) fn remove_endpoint(&mut self) -> Option<()> {
        self.endpoint.take()?;
        self.end_deliveries(None);
        Some(())
    }

    /// The merchant redelivers an event; `None` without an endpoint.
    pub(super) fn redeliver(&mut self, event: usize) -> Option<()> {
        let (url, now) = (self.enabled()?.url.clone(), self.now);
        let mut row = self.rows.get(event)?.0.clone();
        match &mut row {
            Some(row) => row.delivery.round += 1,
            None => row = Some(self.new_row(event, url.clone())),
        }
        let row = row.as_mut()?;
        (row.delivery.url, row.delivery.state, row.delivery.failures) =
            (url, DeliveryState::Pending, 0);
        (row.next_try_at, row.again, row.failed, row.received) = (Some(now), true, 0, false);
        self.rows[event].0 = Some(row.clone());
        Some(())
    }

    /// A lease expires: its worker has crashed or stalled.
    pub(super) fn expire_lease(&mut self, event: usize) {
        let Some(row) = self.rows[event].0.as_mut() else {
            return;
        };
        (row.leased, row.lease_expired) = (false, true);
        let jobs = self.jobs.iter_mut().filter(|job| job.event == event);
        jobs.for_each(|job| (job.holds, job.may_lose) = (false, true));
    }

    /// The running worker that holds this delivery.
    pub(super) fn has_holder(&self, event: usize) -> bool {
        self.jobs.iter().any(|job| job.event == event && job.holds)
    }

    /// Time advances to the next due attempt; `None` if nothing waits.
    pub(super) fn tick(&mut self) -> Option<()> {
        let rows = self
            .rows
            .iter()
            .filter_map(|(row, _)| row.as_ref()?.next_try_at);
        self.now = rows.filter(|due| *due > self.now).min()?;
        Some(())
    }

    fn require(&mut self, kept: bool, rule: Rule) {
        if !kept {
            self.broken.insert(rule);
        }
    }

    /// Sorts parts without an order, because the workers are interchangeable.
    pub(super) fn normalize(&mut self) {
        self.jobs
            .sort_by_key(|job| (job.event, job.holds, job.stage));
    }
}
