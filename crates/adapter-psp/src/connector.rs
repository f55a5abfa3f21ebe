//! The connector to a PSP with an HTTP API: which requests to send, and what the responses mean.

use oncharge_domain::{id::OperationId, psp::PspReport};
use oncharge_ports::psp::{Connector, PreparedRequest, PspError};

use crate::http::HttpResponse;

/// Why a request could not be built.
pub(crate) type BuildError = Box<dyn std::error::Error + Send + Sync>;

/// Builds the requests of an account and reads the responses; pure, like [`Connector`].
///
/// `HttpPsp` sends the requests. One that cannot be built is `NotSent`, a call
/// without a complete HTTP response is classified there; a connector classifies only what a
/// response says.
pub(crate) trait HttpConnector: Connector + 'static {
    /// The kind of a prepared request as a metrics label: `authorize`, `capture`, …
    fn request_kind(&self, prepared: &PreparedRequest) -> &'static str;

    /// The HTTP request of a prepared one, the same for every try.
    fn build_request(&self, prepared: &PreparedRequest) -> Result<reqwest::Request, BuildError>;

    /// Reads the response to a call that moves money. `NotSent` only if the response proves that
    /// nothing was executed and a later try under the same key may succeed.
    fn read_response(&self, response: &HttpResponse) -> Result<PspReport, PspError>;

    /// The HTTP request that looks up an operation.
    fn build_look_up(&self, operation: OperationId) -> Result<reqwest::Request, BuildError>;

    /// Reads the response to a look-up; `None` if the PSP has not seen the operation.
    fn read_look_up(
        &self,
        operation: OperationId,
        response: &HttpResponse,
    ) -> Result<Option<PspReport>, PspError>;
}
