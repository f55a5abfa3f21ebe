//! A model check of the outbox: one session's events, one merchant's endpoint that answers as it
//! likes and is set, replaced or removed meanwhile, two workers with leases, crashes between any two
//! of their steps, and redelivery. What follows from an attempt is the domain's own decision.

#[path = "outbox/flaws.rs"]
mod flaws;
#[path = "outbox/post.rs"]
mod post;
#[path = "outbox/work.rs"]
mod work;

use flaws::Flaw;
use oncharge_domain::webhook::{DeliveryState, DisabledBecause};
use post::{FIVE_DAYS, Left, Post, Row, Rule, TEN, url};
use stateright::{Model, Property};
use work::{Reply, Stage};

use crate::check::{Walks, deeper, explore};

const AT_LEAST_ONCE: &str = "an event that was wanted is told at least once, or dies by the rules";
const ORDER: &str = "first attempts go out in order and do not overlap";
const FENCING: &str = "a lost lease never records";
const NUMBERS: &str = "each attempt is kept once";
const DEATH: &str = "ten failures and only ten, or a lost endpoint, make a delivery dead";
const GIVEN_UP: &str = "only an endpoint that has failed for five days is given up";
const REST: &str = "in calm weather every delivery ends, whatever became of the others";

/// How many workers there are.
const WORKERS: usize = 2;

/// The model: where it starts.
struct Outbox {
    starts: Vec<Post>,
    goals: &'static [&'static str],
}

/// One thing that happens; numbers are events, or places among the workers.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Action {
    /// An event happens; with `false`, the process dies before its delivery is written.
    Happen(bool),
    Set(u8),
    Remove,
    Redeliver(usize),
    Take(usize),
    Begin(usize),
    Answer(usize, Reply),
    /// With `false`, the answer to the commit is lost.
    Record(usize, bool),
    Crash(usize),
    Lapse(usize),
    Tick,
}

impl Outbox {
    /// Two events, few faults; one start with an old delivery that has failed eight times, and one
    /// with an endpoint that is about to be given up.
    fn small(flaw: Option<Flaw>) -> Self {
        let left = Left {
            events: 2,
            settings: 1,
            faults: 1,
            redeliveries: 0,
        };
        Self::starting(left, flaw)
    }

    fn starting(left: Left, flaw: Option<Flaw>) -> Self {
        let fresh = Post::new(left, flaw);
        let mut old = fresh.clone();
        old.happen(true);
        old.left.events -= 1;
        old.left.redeliveries += 1;
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

impl Model for Outbox {
    type State = Post;
    type Action = Action;

    fn init_states(&self) -> Vec<Post> {
        self.starts.clone()
    }

    fn actions(&self, post: &Post, actions: &mut Vec<Action>) {
        if !post.broken.is_empty() {
            return;
        }
        let left = &post.left;
        if left.events > 0 {
            actions.push(Action::Happen(true));
            if post.flaw == Some(Flaw::TwoCommits) && left.faults > 0 {
                actions.push(Action::Happen(false));
            }
        }
        if left.settings > 0 {
            actions.extend([Action::Set(1), Action::Set(2), Action::Remove]);
        }
        if left.redeliveries > 0 {
            actions.extend((0..post.rows.len()).map(Action::Redeliver));
        }
        add_work(post, actions);
        // An attempt takes ten seconds at most, the shortest wait a minute: whoever is at work then
        // has stalled.
        if post.works.iter().all(|work| !work.holds) {
            actions.push(Action::Tick);
        }
    }

    fn next_state(&self, last: &Post, action: Action) -> Option<Post> {
        let mut post = last.clone();
        match action {
            Action::Happen(delivered) => {
                post.left.events -= 1;
                post.left.faults -= u8::from(!delivered);
                post.happen(delivered);
            }
            Action::Set(number) => {
                post.left.settings -= 1;
                post.set(url(number));
            }
            Action::Remove => {
                post.left.settings -= 1;
                post.remove()?;
            }
            Action::Redeliver(event) => {
                post.left.redeliveries -= 1;
                post.redeliver(event)?;
            }
            Action::Take(event) => post.take(event),
            Action::Begin(place) => post.begin(place),
            Action::Answer(place, reply) => post.answer(place, reply),
            Action::Record(place, heard) => {
                post.left.faults -= u8::from(!heard);
                post.record(place, heard);
            }
            Action::Crash(place) => {
                post.left.faults -= 1;
                post.works.remove(place);
            }
            Action::Lapse(event) => {
                post.left.faults -= u8::from(post.has_holder(event));
                post.lapse(event);
            }
            Action::Tick => post.tick()?,
        }
        post.tidy();
        Some(post)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        let rules = [
            Property::always(AT_LEAST_ONCE, |_, post: &Post| told(&rest(post))),
            Property::always(REST, |_, post: &Post| rests(&rest(post))),
            Property::always(ORDER, |_, post: &Post| !post.broken.contains(&Rule::Order)),
            Property::always(FENCING, |_, post: &Post| {
                !post.broken.contains(&Rule::Fencing)
            }),
            Property::always(NUMBERS, |_, post: &Post| {
                !post.broken.contains(&Rule::Numbers)
            }),
            Property::always(DEATH, |_, post: &Post| !post.broken.contains(&Rule::Death)),
            Property::always(GIVEN_UP, |_, post: &Post| {
                !post.broken.contains(&Rule::GivenUp)
            }),
        ];
        let goals = goals().into_iter();
        let wanted = goals.filter(|goal| self.goals.contains(&goal.name));
        rules.into_iter().chain(wanted).collect()
    }
}

/// What the workers can do, and what can happen to them.
fn add_work(post: &Post, actions: &mut Vec<Action>) {
    let faults = post.left.faults > 0;
    for (place, work) in post.works.iter().enumerate() {
        match work.stage {
            Stage::Read => actions.push(Action::Begin(place)),
            Stage::Sending => {
                actions.extend(Reply::ALL.map(|reply| Action::Answer(place, reply)));
            }
            Stage::Answered(_) => actions.push(Action::Record(place, true)),
        }
        if faults {
            actions.push(Action::Crash(place));
            if matches!(work.stage, Stage::Answered(_)) && work.holds {
                actions.push(Action::Record(place, false));
            }
        }
    }
    for event in 0..post.rows.len() {
        if post.works.len() < WORKERS && post.is_claimable(event) {
            actions.push(Action::Take(event));
        }
        let is_leased = post.row(event).is_some_and(|row| row.leased);
        let lapses = post.flaw != Some(Flaw::NeverLapses);
        if is_leased && lapses && (faults || !post.has_holder(event)) {
            actions.push(Action::Lapse(event));
        }
    }
}

/// What becomes of it when nothing goes wrong any more and the endpoint takes all it gets.
fn rest(post: &Post) -> Post {
    let mut post = post.clone();
    for _ in 0..200 {
        if !post.broken.is_empty() || !one_step(&mut post) {
            break;
        }
    }
    post
}

/// Does one thing that is waiting; `false` where nothing is.
fn one_step(post: &mut Post) -> bool {
    if let Some(last) = post.works.len().checked_sub(1) {
        match post.works[last].stage {
            Stage::Read => post.begin(last),
            Stage::Sending => post.answer(last, Reply::Taken),
            Stage::Answered(_) => post.record(last, true),
        }
        return true;
    }
    let events = 0..post.rows.len();
    let is_left = |event: &usize| {
        post.row(*event)
            .is_some_and(|row| row.leased && row.is_open())
    };
    if let Some(event) = events.clone().find(is_left)
        && post.flaw != Some(Flaw::NeverLapses)
    {
        post.lapse(event);
        return true;
    }
    if let Some(event) = events.clone().find(|event| post.is_claimable(*event)) {
        post.take(event);
        return true;
    }
    post.tick().is_some()
}

/// Whether every delivery has ended.
fn rests(post: &Post) -> bool {
    !post.broken.is_empty() || !rows(post).any(Row::is_open)
}

/// Whether every event that was wanted has reached the merchant, or its delivery is dead. That it
/// died by the rules is held against every step.
fn told(post: &Post) -> bool {
    let fine = |(row, wanted): &(Option<Row>, bool)| match row {
        Some(row) => row.told || row.is_open() || row.delivery.state == DeliveryState::Dead,
        None => !wanted,
    };
    !post.broken.is_empty() || post.rows.iter().all(fine)
}

fn rows(post: &Post) -> impl Iterator<Item = &Row> {
    post.rows.iter().filter_map(|(row, _)| row.as_ref())
}

/// What can be reached; each check names what it must reach.
fn goals() -> Vec<Property<Outbox>> {
    vec![
        Property::sometimes("all delivered", |_, post: &Post| {
            post.rows.len() > 1
                && rows(post).all(|row| row.delivery.state == DeliveryState::Delivered)
        }),
        Property::sometimes("dead after ten failures", |_, post: &Post| {
            rows(post).any(|row| row.delivery.state == DeliveryState::Dead && row.failed == TEN)
        }),
        Property::sometimes("gone", |_, post: &Post| {
            disabled(post, DisabledBecause::Gone)
        }),
        Property::sometimes("given up", |_, post: &Post| {
            disabled(post, DisabledBecause::Failing)
        }),
        Property::sometimes("taken twice at once", |_, post: &Post| {
            let mut works = post.works.iter().filter(|work| work.event == 0);
            works.clone().count() == WORKERS && works.all(|work| work.stage == Stage::Sending)
        }),
        Property::sometimes("removed while it is sent", |_, post: &Post| {
            post.endpoint.is_none() && post.works.iter().any(|work| work.stage == Stage::Sending)
        }),
        Property::sometimes("redelivered while it is sent", |_, post: &Post| {
            let mut works = post.works.iter();
            works.any(|work| work.stage == Stage::Sending && !post.is_same_round(work))
        }),
        Property::sometimes("dead and delivered after all", |_, post: &Post| {
            rows(post).any(|row| row.told && row.again && row.kept > TEN)
        }),
    ]
}

fn disabled(post: &Post, because: DisabledBecause) -> bool {
    let endpoint = post.endpoint.as_ref();
    endpoint.is_some_and(|endpoint| endpoint.disabled == Some(because))
}

/// Two events, with a fault and a change of the endpoint at any time.
#[test]
fn deliveries_faults_and_endpoints() {
    let model = Outbox {
        goals: &[
            "all delivered",
            "dead after ten failures",
            "gone",
            "given up",
            "taken twice at once",
            "removed while it is sent",
        ],
        ..Outbox::small(None)
    };
    let depth = deeper().map_or(14, |depth| depth + 8);
    explore(model, Some(depth), 80_000);
}

/// All that can become of one event, from its first attempt to the tenth, with these limits.
fn whole_life(left: Left, goals: &'static [&'static str], floor: usize) {
    let starts = vec![Post::new(left, None)];
    explore(Outbox { starts, goals }, None, floor);
}

#[test]
fn a_whole_life_with_a_fault() {
    let left = Left {
        events: 1,
        settings: 1,
        faults: if deeper().is_some() { 2 } else { 1 },
        redeliveries: 0,
    };
    whole_life(left, &["dead after ten failures", "gone"], 50_000);
}

#[test]
fn a_whole_life_with_a_redelivery() {
    let left = Left {
        events: 1,
        settings: 1,
        faults: u8::from(deeper().is_some()),
        redeliveries: 1,
    };
    let goals = &[
        "dead and delivered after all",
        "redelivered while it is sent",
    ];
    whole_life(left, goals, 9000);
}

/// Far more of everything than can be explored: long walks at random.
#[test]
fn long_random_walks_of_deliveries() {
    let left = Left {
        events: 4,
        settings: 6,
        faults: 8,
        redeliveries: 3,
    };
    let walks = Walks {
        count: 1000,
        length: 150,
        seldom: |action| matches!(action, Action::Set(_) | Action::Remove | Action::Crash(_)),
        end: |post: &Post| {
            let is = |state| rows(post).any(|row| row.delivery.state == state);
            match (is(DeliveryState::Delivered), is(DeliveryState::Dead)) {
                (true, true) => "both",
                (true, false) => "delivered",
                (false, true) => "dead",
                (false, false) => "neither",
            }
        },
    };
    let ends = walks.run(&Outbox::starting(left, None));
    for end in ["delivered", "dead", "both"] {
        assert!(ends.contains_key(end), "no walk ended {end}: {ends:?}");
    }
}
