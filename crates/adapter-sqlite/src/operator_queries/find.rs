//! Searches: one statement per index that can answer a part of the query.

use std::collections::{BTreeSet, HashMap};

use diesel::prelude::*;
use oncharge_domain::{
    id::MerchantId,
    session::{Session, StatusName},
    text::MerchantName,
};
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

use crate::error;

pub(super) fn find(
    connection: &mut SqliteConnection,
    search: &SessionSearch,
    page: Page,
) -> Result<Vec<FoundSession>, StoreError> {
    let ranges = StatusRange::of_search(search);
    let mut found: Vec<Session> = Vec::new();
    for by in NameFilter::of_search(search) {
        for range in &ranges {
            let rows = search_page(connection, search, page, by, *range).map_err(error::store)?;
            for row in rows {
                found.push(row.open_without_contact()?);
            }
        }
    }
    with_merchants(connection, newest(found, page))
}

fn search_page(
    connection: &mut SqliteConnection,
    search: &SessionSearch,
    page: Page,
    by: NameFilter<'_>,
    range: StatusRange,
) -> QueryResult<Vec<SessionRow>> {
    let mut query = sessions::table.select(SessionRow::as_select()).into_boxed();
    query = match by {
        NameFilter::Any => query,
        NameFilter::Id(id) => query.filter(sessions::id.eq(Bind(id))),
        NameFilter::Reference(text) => query.filter(sessions::reference.eq(text)),
        NameFilter::Order(text) => query.filter(sessions::order_id.eq(text)),
        NameFilter::Psp(text) => {
            let operations = operations::table
                .filter(operations::psp_reference.eq(text))
                .select(operations::session_id);
            query.filter(sessions::id.eq_any(operations))
        }
    };
    let now = search.now;
    query = match range {
        StatusRange::All => query,
        StatusRange::InStatus(name) => query.filter(sessions::status.eq(name.name())),
        StatusRange::Payable => query
            .filter(sessions::status.eq(StatusName::Created.name()))
            .filter(sessions::expires_at.gt(Bind(now))),
        StatusRange::Overdue => query
            .filter(sessions::status.eq(StatusName::Created.name()))
            .filter(sessions::expires_at.le(Bind(now))),
    };
    if let Some(merchant) = search.merchant {
        query = query.filter(sessions::merchant_id.eq(Bind(merchant)));
    }
    if let Some(at) = search.created_after {
        query = query.filter(sessions::created_at.ge(Bind(at)));
    }
    if let Some(at) = search.created_before {
        query = query.filter(sessions::created_at.lt(Bind(at)));
    }
    page_of!(query, sessions, page).load(connection)
}

/// Adds the merchants' names to the sessions.
pub(super) fn with_merchants(
    connection: &mut SqliteConnection,
    found: Vec<Session>,
) -> Result<Vec<FoundSession>, StoreError> {
    let ids: BTreeSet<MerchantId> = found.iter().map(|session| session.merchant).collect();
    let mut names: HashMap<MerchantId, MerchantName> = HashMap::new();
    for id in ids {
        let name: String = merchants::table
            .find(Bind(id))
            .select(merchants::name)
            .get_result(connection)
            .map_err(error::store)?;
        let reader = RowReader::of("merchants", id);
        names.insert(id, reader.parse("name", MerchantName::parse(&name))?);
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
