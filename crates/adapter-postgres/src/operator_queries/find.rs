//! Searches: one statement per index that can answer a part of the query.

use std::collections::{BTreeSet, HashMap};

use diesel::{pg::Pg, prelude::*};
use oncharge_domain::{id::MerchantId, session::Session, text::MerchantName};
use oncharge_ports::{
    StoreError,
    operator_queries::{FoundSession, SessionSearch},
    queries::Page,
};
use oncharge_store_rows::{
    Bind, page_of,
    row_reader::RowReader,
    rows::session::SessionRow,
    schema::{merchants, operations, sessions},
    session_ranges::{NameFilter, StatusRange, newest},
};

use super::snapshot::Snapshot;

pub(super) async fn find(
    snapshot: &Snapshot,
    search: &SessionSearch,
    page: Page,
) -> Result<Vec<FoundSession>, StoreError> {
    let ranges = StatusRange::of_search(search);
    let mut found: Vec<Session> = Vec::new();
    for by in NameFilter::of_search(search) {
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
        .into_boxed::<Pg>();
    query = match by {
        NameFilter::Any => query,
        NameFilter::Id(id) => query.filter(sessions::id.eq(Bind(id))),
        NameFilter::Reference(text) => query.filter(sessions::reference.eq(text.to_owned())),
        NameFilter::Order(text) => query.filter(sessions::order_id.eq(text.to_owned())),
        NameFilter::Psp(text) => {
            let operations = operations::table
                .filter(operations::psp_reference.eq(text.to_owned()))
                .select(operations::session_id);
            query.filter(sessions::id.eq_any(operations))
        }
    };
    let now = search.now;
    query = match range {
        StatusRange::All => query,
        StatusRange::InStatus(name) => query.filter(sessions::status.eq(name.name())),
        StatusRange::Payable => query
            .filter(sessions::status.eq("created"))
            .filter(sessions::expires_at.gt(Bind(now))),
        StatusRange::Overdue => query
            .filter(sessions::status.eq("created"))
            .filter(sessions::expires_at.le(Bind(now))),
    };
    if let Some(merchant) = search.merchant {
        query = query.filter(sessions::merchant_id.eq(Bind(merchant)));
    }
    if let Some(after) = search.created_after {
        query = query.filter(sessions::created_at.ge(Bind(after)));
    }
    if let Some(before) = search.created_before {
        query = query.filter(sessions::created_at.lt(Bind(before)));
    }
    page_of!(query, sessions, page)
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
        let query = merchants::table.find(Bind(id)).select(merchants::name);
        let found: Vec<String> = snapshot.read(query).await?;
        let reader = RowReader::of("merchants", id);
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
