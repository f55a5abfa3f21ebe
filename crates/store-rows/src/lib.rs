//! What the two stores share: SQL types, schema, conversions between rows and domain values, and
//! sealing. No statement: those stay apart, in files of the same names.

#![expect(
    missing_docs,
    reason = "tables, rows and columns are named as in the schema, and only the stores use them"
)]

mod bind;
mod column_value;
mod json_text;
mod page;

pub mod prepared;
pub mod row_reader;
pub mod rows;
pub mod schema;
pub mod seal;
pub mod sealed_columns;
pub mod session_ranges;
pub mod sql_types;

pub use bind::Bind;
pub use column_value::ColumnValue;
pub use json_text::JsonText;
