//! Ways to check the models: exhaustive exploration, or long random walks; and checks that
//! mutations are detected.

use std::{
    collections::BTreeMap,
    fmt::Debug,
    hash::{DefaultHasher, Hash, Hasher},
};

use stateright::{Checker, Expectation, HasDiscoveries, Model};

/// The depth set by `ONCHARGE_MODEL_DEPTH`.
#[expect(
    clippy::disallowed_methods,
    reason = "a setting of the test, not of the product"
)]
pub(crate) fn depth_override() -> Option<usize> {
    let depth = std::env::var("ONCHARGE_MODEL_DEPTH").ok()?;
    Some(depth.parse().unwrap())
}

/// Whether the result is `Ok`; an error is printed, in addition to the path that stateright shows.
pub(crate) fn report(result: &Result<(), String>) -> bool {
    if let Err(broken) = result {
        println!("{broken}");
    }
    result.is_ok()
}

/// Explores to this depth, or all states, and asserts a minimum number of states: with fewer, the
/// model would no longer check what it is meant to.
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
    let all = if depth.is_none() { ", all states" } else { "" };
    println!("{states} states, {reached} steps deep{all}");
    checker.assert_properties();
    assert!(states >= floor, "only {states} states were visited");
}

/// Asserts that this property detects the mutation of a model.
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
    assert!(path.is_some(), "not violated: {property}");
    println!("{property}: violated by {:?}", path.unwrap());
}

/// Parameters of random walks.
pub(crate) struct Walks<M: Model> {
    pub(crate) count: usize,
    pub(crate) length: usize,
    /// Actions that are chosen eight times less often.
    pub(crate) is_rare: fn(&M::Action) -> bool,
    /// The name of a walk's final state.
    pub(crate) end: fn(&M::State) -> &'static str,
}

impl<M> Walks<M>
where
    M: Model,
    M::State: Clone + Debug,
    M::Action: Debug + Clone,
{
    /// Runs walks, checks every state with the model's properties, and counts the final states. The
    /// walks are the same in every run.
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
            // A step that is impossible or has no effect is skipped.
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

/// A number that depends only on walk and step.
fn pseudo_random(walk: usize, step: usize) -> usize {
    let mut hasher = DefaultHasher::new();
    (walk, step).hash(&mut hasher);
    usize::try_from(hasher.finish() >> 33).unwrap()
}
