//! The parameters of lists: `limit`, `starting_after`, `created[…]`.

use super::error::StripeError;
use super::form::{Form, invalid};

const DEFAULT_LIMIT: i64 = 10;
const MAX_LIMIT: i64 = 100;
const MICROS: i64 = 1_000_000;

/// Which page of a list to return.
#[derive(Debug)]
pub(super) struct Page {
    pub(super) limit: i64,
    pub(super) starting_after: Option<String>,
    /// Created at or after this instant, in microseconds.
    pub(super) from: Option<i64>,
    /// Created before this instant, in microseconds.
    pub(super) until: Option<i64>,
}

impl Page {
    /// Takes the parameters of a page; instants are whole seconds.
    pub(super) fn read(form: &mut Form) -> Result<Self, StripeError> {
        let limit = form.integer("limit")?.unwrap_or(DEFAULT_LIMIT);
        if !(1..=MAX_LIMIT).contains(&limit) {
            return Err(invalid("limit", "must be an integer from 1 to 100"));
        }
        let exact = form.integer("created")?;
        let from = [
            exact,
            form.integer("created[gte]")?,
            form.integer("created[gt]")?.map(next),
        ];
        let until = [
            exact.map(next),
            form.integer("created[lte]")?.map(next),
            form.integer("created[lt]")?,
        ];
        let micros = |second: i64| second.saturating_mul(MICROS);
        Ok(Self {
            limit,
            starting_after: form.take("starting_after"),
            from: from.into_iter().flatten().max().map(micros),
            until: until.into_iter().flatten().min().map(micros),
        })
    }

    /// Cuts what was loaded with `limit + 1` to the page; returns whether there is more.
    pub(super) fn cut<T>(&self, rows: &mut Vec<T>) -> bool {
        let limit = usize::try_from(self.limit).unwrap_or(usize::MAX);
        let has_more = rows.len() > limit;
        rows.truncate(limit);
        has_more
    }
}

const fn next(second: i64) -> i64 {
    second.saturating_add(1)
}

#[cfg(test)]
mod tests {
    use super::{Form, Page};

    #[test]
    fn instants_bound_a_page() {
        let mut form = Form::parse(b"created[gte]=10&created[lt]=20&limit=2");
        let page = Page::read(&mut form).unwrap();
        assert_eq!(
            (page.from, page.until),
            (Some(10_000_000), Some(20_000_000))
        );
        let mut form = Form::parse(b"created[gt]=10&created[lte]=20");
        let page = Page::read(&mut form).unwrap();
        assert_eq!(
            (page.from, page.until),
            (Some(11_000_000), Some(21_000_000))
        );
        let mut rows = vec![1; 11];
        assert!(page.cut(&mut rows) && rows.len() == 10);
        assert!(!page.cut(&mut rows));
    }

    #[test]
    fn a_limit_is_from_1_to_100() {
        for limit in ["0", "101", "x"] {
            let query = format!("limit={limit}");
            assert!(Page::read(&mut Form::parse(query.as_bytes())).is_err());
        }
    }
}
