//! The addresses of the sandbox.

/// The addresses of all servers, as `http://127.0.0.1:PORT`.
#[derive(Debug, Clone)]
pub(crate) struct Urls {
    pub(crate) api: String,
    pub(crate) simulator: String,
    pub(crate) ops: String,
    pub(crate) shop: String,
}
