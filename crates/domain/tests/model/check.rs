//! How the models are looked through: all that can happen, or long walks at random; and what a
//! broken rule must lead to.

use std::{
    collections::BTreeMap,
    fmt::Debug,
    hash::{DefaultHasher, Hash, Hasher},
};

use stateright::{Checker, Expectation, HasDiscoveries, Model};

/// How deep `ONCHARGE_MODEL_DEPTH` wants to look.
#[expect(
    clippy::disallowed_methods,
    reason = "a test's own knob, not configuration of the product"
)]
pub(crate) fn depth_override() -> Option<usize> {
    let depth = std::env::var("ONCHARGE_MODEL_DEPTH").ok()?;
    Some(depth.parse().unwrap())
}

/// Whether it holds; what does not is printed, beside the path that stateright shows.
pub(crate) fn report(result: &Result<(), String>) -> bool {
    if let Err(broken) = result {
        println!("{broken}");
    }
    result.is_ok()
}

/// Explores so deep, or all there is, and asserts that at least so many states were seen: fewer
/// would mean that the model has lost its teeth.
pub(crate) fn explore<M>(model: M, depth: Option<usize>, floor: usize)
where
    M: Model + Send + Sync + 'static,
    M::State: Clone + PartialEq + Debug + Hash + Send + Sync,
    M::Action: Debug + Clone + PartialEq,
{
    let mut checker = model
        .checker()
        .threads(2)
        .finish_when(HasDiscoveries::AnyFailures);
    if let Some(depth) = depth {
        checker = checker.target_max_depth(depth);
    }
    let checker = checker.spawn_bfs().join();
    let states = checker.unique_state_count();
    let reached = checker.max_depth();
    let all = if depth.is_none() {
        ", all there are"
    } else {
        ""
    };
    println!("{states} states, {reached} steps deep{all}");
    checker.assert_properties();
    assert!(states >= floor, "only {states} states were visited");
}

/// Asserts that a model with a flaw is found out by this property.
pub(crate) fn assert_found<M>(model: M, property: &'static str)
where
    M: Model + Send + Sync + 'static,
    M::State: Clone + PartialEq + Debug + Hash + Send + Sync,
    M::Action: Debug + Clone + PartialEq,
{
    let checker = model
        .checker()
        .threads(2)
        .finish_when(HasDiscoveries::AnyOf([property].into()))
        .spawn_bfs()
        .join();
    let found = checker.discovery(property);
    let path = found.map(stateright::Path::into_actions);
    assert!(path.is_some(), "nothing breaks: {property}");
    println!("{property}: broken by {:?}", path.unwrap());
}

/// How long walks at random are made.
pub(crate) struct Walks<M: Model> {
    pub(crate) count: usize,
    pub(crate) length: usize,
    /// What shall happen eight times less often than the rest.
    pub(crate) is_rare: fn(&M::Action) -> bool,
    /// What is said of a walk's end.
    pub(crate) end: fn(&M::State) -> &'static str,
}

impl<M> Walks<M>
where
    M: Model,
    M::State: Clone + Debug,
    M::Action: Debug + Clone,
{
    /// Walks, each step held against the model's rules, and counts how the walks ended. Walk by walk
    /// the same in every run.
    pub(crate) fn run(&self, model: &M) -> BTreeMap<&'static str, usize> {
        let mut ends = BTreeMap::new();
        let walks = self.count * depth_override().unwrap_or(1);
        for walk in 0..walks {
            *ends.entry((self.end)(&self.walk(model, walk))).or_insert(0) += 1;
        }
        println!("{walks} walks ended in {ends:?}");
        ends
    }

    fn walk(&self, model: &M, walk: usize) -> M::State {
        let mut rules = model.properties();
        rules.retain(|rule| rule.expectation == Expectation::Always);
        let start = model.init_states();
        let mut state = start[walk % start.len()].clone();
        let mut path = Vec::new();
        for step in 0..self.length {
            let mut actions = Vec::new();
            model.actions(&state, &mut actions);
            if actions.is_empty() {
                break;
            }
            let number = pseudo_random(walk, step);
            let action = actions.swap_remove(number % actions.len());
            // A step that is not possible, or brings nothing, is left out.
            if (self.is_rare)(&action) && !(number / 1024).is_multiple_of(8) {
                continue;
            }
            let Some(next) = model.next_state(&state, action.clone()) else {
                continue;
            };
            path.push(action);
            state = next;
            for rule in &rules {
                let kept = (rule.condition)(model, &state);
                assert!(kept, "{}: walk {walk}:\n{path:#?}", rule.name);
            }
        }
        state
    }
}

/// A number that depends on walk and step alone.
fn pseudo_random(walk: usize, step: usize) -> usize {
    let mut hasher = DefaultHasher::new();
    (walk, step).hash(&mut hasher);
    usize::try_from(hasher.finish() >> 33).unwrap()
}
