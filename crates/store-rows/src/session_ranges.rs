//! Lists of sessions, split so that each part is one range of an index.

use std::cmp::Reverse;

use oncharge_domain::{
    id::SessionId,
    session::{Session, StatusName},
};
use oncharge_ports::{
    operator_queries::{SessionIdentifier, SessionSearch},
    queries::Page,
};

/// The sessions of a status, or all of them, as one range of an index.
#[derive(Clone, Copy)]
pub enum StatusRange {
    All,
    InStatus(StatusName),
    /// `created`, and not past its deadline.
    Payable,
    /// `created`, but read as `expired` because its deadline has passed.
    Overdue,
}

/// An identifier of a session in a form that one index can find.
#[derive(Clone, Copy)]
pub enum NameFilter<'a> {
    Any,
    Id(SessionId),
    Reference(&'a str),
    Order(&'a str),
    Psp(&'a str),
}

impl StatusRange {
    /// The ranges that contain the sessions of this status. An overdue session can become expired
    /// between two reads; it is then found in both ranges.
    pub fn of(status: Option<StatusName>) -> Vec<Self> {
        match status {
            None => vec![Self::All],
            Some(StatusName::Created) => vec![Self::Payable],
            Some(StatusName::Expired) => vec![Self::Overdue, Self::InStatus(StatusName::Expired)],
            Some(name) => vec![Self::InStatus(name)],
        }
    }

    /// The ranges that contain the newest sessions that match.
    pub fn of_search(search: &SessionSearch) -> Vec<Self> {
        // An identifier or a merchant is selective by itself; otherwise the newest of each status
        // together contain the newest of all.
        let is_by_status = search.identifier.is_none() && search.merchant.is_none();
        match search.status {
            None if is_by_status => {
                let names = StatusName::ALL.iter().copied();
                names.map(Self::InStatus).collect()
            }
            status => Self::of(status),
        }
    }
}

impl<'a> NameFilter<'a> {
    /// What the wanted identifier may be.
    pub fn of_search(search: &'a SessionSearch) -> Vec<Self> {
        match &search.identifier {
            None => vec![Self::Any],
            Some(SessionIdentifier::Session(id)) => vec![Self::Id(*id)],
            Some(SessionIdentifier::Text(text)) => {
                vec![Self::Reference(text), Self::Order(text), Self::Psp(text)]
            }
        }
    }
}

/// The newest of these sessions, without duplicates.
pub fn newest(mut found: Vec<Session>, page: Page) -> Vec<Session> {
    found.sort_by_key(|session| Reverse((session.created_at, session.id)));
    found.dedup_by_key(|session| session.id);
    found.truncate(usize::try_from(page.limit).unwrap_or(usize::MAX));
    found
}
