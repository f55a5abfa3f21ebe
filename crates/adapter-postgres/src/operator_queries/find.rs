//! Searches: one statement per index that can answer a part of the query.

use std::collections::{BTreeSet, HashMap};

use diesel::{pg::Pg, prelude::*};
use oncharge_domain::{
    id::{MerchantId, SessionId},
    session::{Session, StatusName},
    text::MerchantName,
};
use oncharge_ports::{
    StoreError,
    operator_queries::{FoundSession, SessionIdentifier, SessionSearch},
    queries::Page,
};

use super::snapshot::Snapshot;
use crate::{
    queries::{StatusRange, newest},
    rows::{RowReader, at, session::SessionRow},
    schema::{merchants, operations, sessions},
};

/// An identifier of a session in a form that one index can find.
#[derive(Clone, Copy)]
enum NameFilter<'a> {
    Any,
    Id(SessionId),
    Reference(&'a str),
    Order(&'a str),
    Psp(&'a str),
}

pub(super) async fn find(
    snapshot: &Snapshot,
    search: &SessionSearch,
    page: Page,
) -> Result<Vec<FoundSession>, StoreError> {
    let names = match &search.identifier {
        None => vec![NameFilter::Any],
        Some(SessionIdentifier::Session(id)) => vec![NameFilter::Id(*id)],
        Some(SessionIdentifier::Text(text)) => vec![
            NameFilter::Reference(text),
            NameFilter::Order(text),
            NameFilter::Psp(text),
        ],
    };
    // An identifier or a merchant is selective by itself; otherwise the newest of each status
    // together contain the newest of all.
    let is_by_status = search.identifier.is_none() && search.merchant.is_none();
    let ranges = match search.status {
        None if is_by_status => StatusName::ALL
            .iter()
            .copied()
            .map(StatusRange::InStatus)
            .collect(),
        status => StatusRange::of(status),
    };
    let mut found: Vec<Session> = Vec::new();
    for by in names {
        for range in &ranges {
            let rows: Vec<SessionRow> =
                snapshot.read(search_page(search, page, by, *range)).await?;
            for row in rows {
                found.push(row.open_without_contact()?);
            }
        }
    }
    with_merchants(snapshot, newest(found, page)).await
}

type SessionsQuery = diesel::dsl::IntoBoxed<
    'static,
    diesel::dsl::Select<sessions::table, diesel::dsl::AsSelect<SessionRow, Pg>>,
    Pg,
>;

fn search_page(
    search: &SessionSearch,
    page: Page,
    by: NameFilter<'_>,
    range: StatusRange,
) -> SessionsQuery {
    let mut query = sessions::table
        .select(SessionRow::as_select())
        .into_boxed::<Pg>()
        .order((sessions::created_at.desc(), sessions::id.desc()))
        .limit(page.limit.into());
    query = match by {
        NameFilter::Any => query,
        NameFilter::Id(id) => query.filter(sessions::id.eq(id.uuid())),
        NameFilter::Reference(text) => query.filter(sessions::reference.eq(text.to_owned())),
        NameFilter::Order(text) => query.filter(sessions::order_id.eq(text.to_owned())),
        NameFilter::Psp(text) => {
            let operations = operations::table
                .filter(operations::psp_reference.eq(text.to_owned()))
                .select(operations::session_id);
            query.filter(sessions::id.eq_any(operations))
        }
    };
    let now = at(search.now);
    query = match range {
        StatusRange::All => query,
        StatusRange::InStatus(name) => query.filter(sessions::status.eq(name.name())),
        StatusRange::Payable => query
            .filter(sessions::status.eq("created"))
            .filter(sessions::expires_at.gt(now)),
        StatusRange::Overdue => query
            .filter(sessions::status.eq("created"))
            .filter(sessions::expires_at.le(now)),
    };
    if let Some(merchant) = search.merchant {
        query = query.filter(sessions::merchant_id.eq(merchant.uuid()));
    }
    if let Some(after) = search.created_after {
        query = query.filter(sessions::created_at.ge(at(after)));
    }
    if let Some(before) = search.created_before {
        query = query.filter(sessions::created_at.lt(at(before)));
    }
    if let Some(after) = page.after {
        let created_at = at(after.created_at);
        query = query.filter(sessions::created_at.le(created_at)).filter(
            sessions::created_at
                .lt(created_at)
                .or(sessions::id.lt(after.id)),
        );
    }
    query
}

/// Adds the merchants' names to the sessions.
pub(super) async fn with_merchants(
    snapshot: &Snapshot,
    found: Vec<Session>,
) -> Result<Vec<FoundSession>, StoreError> {
    let ids: BTreeSet<MerchantId> = found.iter().map(|session| session.merchant).collect();
    let mut names: HashMap<MerchantId, MerchantName> = HashMap::new();
    // One query per id: for a list of ids PostgreSQL may read the whole table.
    for id in ids {
        let query = merchants::table.find(id.uuid()).select(merchants::name);
        let found: Vec<String> = snapshot.read(query).await?;
        let reader = RowReader {
            table: "merchants",
            row: id,
        };
        let name = found
            .first()
            .and_then(|name| MerchantName::parse(name).ok());
        names.insert(id, reader.require("name", name)?);
    }
    let with_name = |session: Session| {
        let merchant_name = names.get(&session.merchant)?.clone();
        Some(FoundSession {
            session,
            merchant_name,
        })
    };
    Ok(found.into_iter().filter_map(with_name).collect())
}
