//! The demo shop.

/// A running shop.
pub(crate) struct Running;

impl Running {
    pub(crate) async fn stop(self) {}
}

pub(crate) fn start(
    _listener: std::net::TcpListener,
    _urls: &crate::sandbox::Urls,
    _pair: &crate::sandbox::Pair,
    _data_dir: &std::path::Path,
) -> anyhow::Result<Running> {
    Ok(Running)
}
