//! A node whose database connection can fail.

use std::ops::Deref;

use crate::{
    database_state::DatabaseState,
    shared::{self, proxy::Proxy},
};

/// Long enough for recovery to look up a killed node's attempts before their sessions expire
/// (afterwards an attempt that was never sent fails only a minute later), short enough for sessions
/// to expire within a round.
const SESSION_TTL_SECONDS: &str = "24";

/// A node and the proxy in front of its database.
pub(crate) struct Node {
    node: shared::node::Node,
    pub(crate) link: Option<Proxy>,
}

impl Node {
    /// A node that is not started yet.
    pub(crate) fn new(database_state: &DatabaseState, simulator: &str, number: usize) -> Self {
        let mut settings = vec![
            ("LIMITS__ADDRESS_PER_SECOND", "5000"),
            ("LIMITS__ADDRESS_BURST", "10000"),
            ("CHECKOUT__SESSION_TTL_SECONDS", SESSION_TTL_SECONDS),
            ("WEBHOOKS__CLOCK", "fast"),
            ("PSP__DEFAULT__URL", simulator),
        ];
        let link = database_state.url().map(|url| Proxy::start(url, None));
        settings.extend(link.iter().map(|link| ("DATABASE__URL", &*link.url)));
        let (program, dir) = (database_state.program(), database_state.node_dir(number));
        Self {
            node: shared::node::Node::new(program, dir, &settings),
            link,
        }
    }
}

impl Deref for Node {
    type Target = shared::node::Node;

    fn deref(&self) -> &Self::Target {
        &self.node
    }
}
