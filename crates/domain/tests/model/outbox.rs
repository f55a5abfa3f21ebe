//! A model check of the outbox: one session's events, one merchant's endpoint with arbitrary
//! responses that is set, replaced or removed meanwhile, two workers with leases, crashes between
//! any two of their steps, and redelivery. The consequences of an attempt are decided by the
//! domain's own code.

#[path = "outbox/job.rs"]
mod job;
#[path = "outbox/mutations.rs"]
mod mutations;
#[path = "outbox/state.rs"]
mod state;

use job::{Reply, Stage};
use mutations::Mutation;
use oncharge_domain::webhook::{DeliveryState, DisableReason};
use state::{Budget, FIVE_DAYS, OutboxState, Row, Rule, TEN, url};
use stateright::{Model, Property};

use crate::check::{Walks, depth_override, explore};

const AT_LEAST_ONCE: &str =
    "an event is delivered at least once, or its delivery is dead for a valid reason";
const ORDER: &str = "first attempts go out in order and do not overlap";
const FENCING: &str = "a lost lease never records";
const NUMBERS: &str = "each attempt is stored once";
const DEATH: &str = "ten failures and only ten, or a lost endpoint, make a delivery dead";
const GIVEN_UP: &str = "only an endpoint that has failed for five days is disabled";
const QUIESCENCE: &str = "without further faults every delivery ends";

/// Number of workers.
const WORKERS: usize = 2;

/// The model: its initial states.
struct OutboxModel {
    starts: Vec<OutboxState>,
    goals: &'static [&'static str],
}

/// A step; numbers are indexes of events or workers.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Action {
    /// An event occurs; with `false`, the process crashes before its delivery is written.
    AddEvent(bool),
    Set(u8),
    Remove,
    Redeliver(usize),
    Claim(usize),
    Begin(usize),
    Respond(usize, Reply),
    /// With `false`, the outcome of the commit is unknown.
    Record(usize, bool),
    Crash(usize),
    ExpireLease(usize),
    Tick,
}

impl OutboxModel {
    /// Two events, few faults; one initial state has an old delivery that has failed eight times,
    /// one an endpoint that is about to be disabled.
    fn small(mutation: Option<Mutation>) -> Self {
        let budget = Budget {
            events: 2,
            settings: 1,
            faults: 1,
            redeliveries: 0,
        };
        Self::starting(budget, mutation)
    }

    fn starting(budget: Budget, mutation: Option<Mutation>) -> Self {
        let fresh = OutboxState::new(budget, mutation);
        let mut old = fresh.clone();
        old.add_event(true);
        old.budget.events -= 1;
        old.budget.redeliveries += 1;
        if let Some(row) = old.rows[0].0.as_mut() {
            row.begun = true;
            (row.kept, row.failed) = (TEN - 2, TEN - 2);
            (row.delivery.attempts, row.delivery.failures) = (TEN - 2, TEN - 2);
        }
        let mut failing = fresh.clone();
        if let Some(endpoint) = failing.endpoint.as_mut() {
            endpoint.failing_since = Some(fresh.now.plus_seconds(60 - FIVE_DAYS));
        }
        Self {
            starts: vec![fresh, old, failing],
            goals: &[],
        }
    }
}

impl Model for OutboxModel {
    type State = OutboxState;
    type Action = Action;

    fn init_states(&self) -> Vec<OutboxState> {
        self.starts.clone()
    }

    fn actions(&self, outbox: &OutboxState, actions: &mut Vec<Action>) {
        if !outbox.broken.is_empty() {
            return;
        }
        let budget = &outbox.budget;
        if budget.events > 0 {
            actions.push(Action::AddEvent(true));
            if outbox.mutation == Some(Mutation::TwoCommits) && budget.faults > 0 {
                actions.push(Action::AddEvent(false));
            }
        }
        if budget.settings > 0 {
            actions.extend([Action::Set(1), Action::Set(2), Action::Remove]);
        }
        if budget.redeliveries > 0 {
            actions.extend((0..outbox.rows.len()).map(Action::Redeliver));
        }
        add_work(outbox, actions);
        // An attempt takes ten seconds at most, the shortest delay a minute: a worker that is still
        // sending has stalled.
        if outbox.jobs.iter().all(|job| !job.holds) {
            actions.push(Action::Tick);
        }
    }

    fn next_state(&self, last: &OutboxState, action: Action) -> Option<OutboxState> {
        let mut outbox = last.clone();
        match action {
            Action::AddEvent(delivered) => {
                outbox.budget.events -= 1;
                outbox.budget.faults -= u8::from(!delivered);
                outbox.add_event(delivered);
            }
            Action::Set(number) => {
                outbox.budget.settings -= 1;
                outbox.set_endpoint(url(number));
            }
            Action::Remove => {
                outbox.budget.settings -= 1;
                outbox.remove_endpoint()?;
            }
            Action::Redeliver(event) => {
                outbox.budget.redeliveries -= 1;
                outbox.redeliver(event)?;
            }
            Action::Claim(event) => outbox.claim(event),
            Action::Begin(place) => outbox.begin(place),
            Action::Respond(place, reply) => outbox.respond(place, reply),
            Action::Record(place, acknowledged) => {
                outbox.budget.faults -= u8::from(!acknowledged);
                outbox.record(place, acknowledged);
            }
            Action::Crash(place) => {
                outbox.budget.faults -= 1;
                outbox.jobs.remove(place);
            }
            Action::ExpireLease(event) => {
                outbox.budget.faults -= u8::from(outbox.has_holder(event));
                outbox.expire_lease(event);
            }
            Action::Tick => outbox.tick()?,
        }
        outbox.normalize();
        Some(outbox)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        let rules = [
            Property::always(AT_LEAST_ONCE, |_, outbox: &OutboxState| {
                received(&drained(outbox))
            }),
            Property::always(QUIESCENCE, |_, outbox: &OutboxState| {
                all_deliveries_ended(&drained(outbox))
            }),
            Property::always(ORDER, |_, outbox: &OutboxState| {
                !outbox.broken.contains(&Rule::Order)
            }),
            Property::always(FENCING, |_, outbox: &OutboxState| {
                !outbox.broken.contains(&Rule::Fencing)
            }),
            Property::always(NUMBERS, |_, outbox: &OutboxState| {
                !outbox.broken.contains(&Rule::Numbers)
            }),
            Property::always(DEATH, |_, outbox: &OutboxState| {
                !outbox.broken.contains(&Rule::Death)
            }),
            Property::always(GIVEN_UP, |_, outbox: &OutboxState| {
                !outbox.broken.contains(&Rule::GivenUp)
            }),
        ];
        let goals = goals().into_iter();
        let wanted = goals.filter(|goal| self.goals.contains(&goal.name));
        rules.into_iter().chain(wanted).collect()
    }
}

/// The actions of the workers, and their faults.
fn add_work(outbox: &OutboxState, actions: &mut Vec<Action>) {
    let faults = outbox.budget.faults > 0;
    for (place, job) in outbox.jobs.iter().enumerate() {
        match job.stage {
            Stage::Read => actions.push(Action::Begin(place)),
            Stage::Sending => {
                actions.extend(Reply::ALL.map(|reply| Action::Respond(place, reply)));
            }
            Stage::Answered(_) => actions.push(Action::Record(place, true)),
        }
        if faults {
            actions.push(Action::Crash(place));
            if matches!(job.stage, Stage::Answered(_)) && job.holds {
                actions.push(Action::Record(place, false));
            }
        }
    }
    for event in 0..outbox.rows.len() {
        if outbox.jobs.len() < WORKERS && outbox.is_claimable(event) {
            actions.push(Action::Claim(event));
        }
        let is_leased = outbox.row(event).is_some_and(|row| row.leased);
        let lapses = outbox.mutation != Some(Mutation::NeverExpiresLeases);
        if is_leased && lapses && (faults || !outbox.has_holder(event)) {
            actions.push(Action::ExpireLease(event));
        }
    }
}

/// The final state without further faults, with an endpoint that accepts everything.
fn drained(outbox: &OutboxState) -> OutboxState {
    let mut outbox = outbox.clone();
    for _ in 0..200 {
        if !outbox.broken.is_empty() || !run_next(&mut outbox) {
            break;
        }
    }
    outbox
}

/// Executes one pending step; `false` if there is none.
fn run_next(outbox: &mut OutboxState) -> bool {
    if let Some(last) = outbox.jobs.len().checked_sub(1) {
        match outbox.jobs[last].stage {
            Stage::Read => outbox.begin(last),
            Stage::Sending => outbox.respond(last, Reply::Taken),
            Stage::Answered(_) => outbox.record(last, true),
        }
        return true;
    }
    let events = 0..outbox.rows.len();
    let is_abandoned = |event: &usize| {
        outbox
            .row(*event)
            .is_some_and(|row| row.leased && row.is_open())
    };
    if let Some(event) = events.clone().find(is_abandoned)
        && outbox.mutation != Some(Mutation::NeverExpiresLeases)
    {
        outbox.expire_lease(event);
        return true;
    }
    if let Some(event) = events.clone().find(|event| outbox.is_claimable(*event)) {
        outbox.claim(event);
        return true;
    }
    outbox.tick().is_some()
}

/// Whether every delivery has ended.
fn all_deliveries_ended(outbox: &OutboxState) -> bool {
    !outbox.broken.is_empty() || !rows(outbox).any(Row::is_open)
}

/// Whether every required event has reached the merchant, or its delivery is dead. That it is dead
/// for a valid reason is checked at every step.
fn received(outbox: &OutboxState) -> bool {
    let fine = |(row, wanted): &(Option<Row>, bool)| match row {
        Some(row) => row.received || row.is_open() || row.delivery.state == DeliveryState::Dead,
        None => !wanted,
    };
    !outbox.broken.is_empty() || outbox.rows.iter().all(fine)
}

fn rows(outbox: &OutboxState) -> impl Iterator<Item = &Row> {
    outbox.rows.iter().filter_map(|(row, _)| row.as_ref())
}

/// States that can be reached; each check names those that it must reach.
fn goals() -> Vec<Property<OutboxModel>> {
    vec![
        Property::sometimes("all delivered", |_, outbox: &OutboxState| {
            outbox.rows.len() > 1
                && rows(outbox).all(|row| row.delivery.state == DeliveryState::Delivered)
        }),
        Property::sometimes("dead after ten failures", |_, outbox: &OutboxState| {
            rows(outbox).any(|row| row.delivery.state == DeliveryState::Dead && row.failed == TEN)
        }),
        Property::sometimes("gone", |_, outbox: &OutboxState| {
            disabled(outbox, DisableReason::Gone)
        }),
        Property::sometimes("given up", |_, outbox: &OutboxState| {
            disabled(outbox, DisableReason::Failing)
        }),
        Property::sometimes("sent twice at once", |_, outbox: &OutboxState| {
            let mut jobs = outbox.jobs.iter().filter(|job| job.event == 0);
            jobs.clone().count() == WORKERS && jobs.all(|job| job.stage == Stage::Sending)
        }),
        Property::sometimes("removed during an attempt", |_, outbox: &OutboxState| {
            outbox.endpoint.is_none() && outbox.jobs.iter().any(|job| job.stage == Stage::Sending)
        }),
        Property::sometimes(
            "redelivered during an attempt",
            |_, outbox: &OutboxState| {
                let mut jobs = outbox.jobs.iter();
                jobs.any(|job| job.stage == Stage::Sending && !outbox.is_same_round(job))
            },
        ),
        Property::sometimes("dead, then delivered", |_, outbox: &OutboxState| {
            rows(outbox).any(|row| row.received && row.again && row.kept > TEN)
        }),
    ]
}

fn disabled(outbox: &OutboxState, reason: DisableReason) -> bool {
    let endpoint = outbox.endpoint.as_ref();
    endpoint.is_some_and(|endpoint| endpoint.disabled == Some(reason))
}

/// Two events, with a fault and a change of the endpoint at any time.
#[test]
fn outbox_with_faults_and_endpoint_changes() {
    let model = OutboxModel {
        goals: &[
            "all delivered",
            "dead after ten failures",
            "gone",
            "given up",
            "sent twice at once",
            "removed during an attempt",
        ],
        ..OutboxModel::small(None)
    };
    let depth = depth_override().map_or(14, |depth| depth + 8);
    explore(model, Some(depth), 80_000);
}

/// All states of one event, from its first attempt to the tenth, within these limits.
fn explore_one_event(budget: Budget, goals: &'static [&'static str], floor: usize) {
    let starts = vec![OutboxState::new(budget, None)];
    explore(OutboxModel { starts, goals }, None, floor);
}

#[test]
fn one_event_with_a_fault() {
    let budget = Budget {
        events: 1,
        settings: 1,
        faults: if depth_override().is_some() { 2 } else { 1 },
        redeliveries: 0,
    };
    explore_one_event(budget, &["dead after ten failures", "gone"], 50_000);
}

#[test]
fn one_event_with_a_redelivery() {
    let budget = Budget {
        events: 1,
        settings: 1,
        faults: u8::from(depth_override().is_some()),
        redeliveries: 1,
    };
    let goals = &["dead, then delivered", "redelivered during an attempt"];
    explore_one_event(budget, goals, 9000);
}

/// A much larger model that cannot be explored: long random walks.
#[test]
fn long_random_outbox_walks() {
    let budget = Budget {
        events: 4,
        settings: 6,
        faults: 8,
        redeliveries: 3,
    };
    let walks = Walks {
        count: 1000,
        length: 150,
        is_rare: |action| matches!(action, Action::Set(_) | Action::Remove | Action::Crash(_)),
        end: |outbox: &OutboxState| {
            let is = |state| rows(outbox).any(|row| row.delivery.state == state);
            match (is(DeliveryState::Delivered), is(DeliveryState::Dead)) {
                (true, true) => "both",
                (true, false) => "delivered",
                (false, true) => "dead",
                (false, false) => "neither",
            }
        },
    };
    let ends = walks.run(&OutboxModel::starting(budget, None));
    for end in ["delivered", "dead", "both"] {
        assert!(ends.contains_key(end), "no walk ended {end}: {ends:?}");
    }
}
