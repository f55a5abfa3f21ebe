//! A failure as merchants see it.

use oncharge_domain::session::{Failure, FailureCode};
use serde::Serialize;
use utoipa::ToSchema;

/// Why something failed.
#[derive(Serialize, ToSchema)]
#[schema(as = Failure)]
pub(crate) struct FailureBody {
    /// A code for programs.
    #[schema(value_type = crate::schema::FailureCode)]
    code: &'static str,
    /// A message for people.
    message: String,
}

impl From<FailureCode> for FailureBody {
    fn from(code: FailureCode) -> Self {
        Self {
            code: code.name(),
            message: code.message().to_owned(),
        }
    }
}

impl From<&Failure> for FailureBody {
    fn from(failure: &Failure) -> Self {
        Self {
            code: failure.code.name(),
            message: failure.message().to_owned(),
        }
    }
}
