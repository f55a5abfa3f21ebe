//! One host of a database URL, and a connection to it.

use std::{error::Error as _, io, time::Duration};

use diesel::{ConnectionError, ConnectionResult};
use tokio_postgres::{
    Config, NoTls, Socket,
    config::{Host, SslMode, SslNegotiation},
    error::SqlState,
    tls::{MakeTlsConnect, TlsConnect, TlsStream},
};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::{
    driver::{Connected, drive},
    plain::{PlainConnector, UnprotectedPassword},
};

/// How long TLS and authentication may take once a host has accepted the connection.
const HANDSHAKE: Duration = Duration::from_secs(1);

/// One host and how it is connected to.
pub(super) struct Target {
    pub(super) config: Config,
    pub(super) connector: Connector,
    /// How long a connection to this host may take, authentication included.
    pub(super) limit: Duration,
}

/// What carries the connection to one host.
pub(super) enum Connector {
    /// A Unix socket.
    Socket,
    /// TCP without TLS; see [`super::plain`].
    Plain,
    /// TCP with TLS.
    Tls(MakeRustlsConnect),
}

impl Target {
    /// One host of a URL that may name several.
    pub(super) fn new(
        all: &Config,
        index: usize,
        tls: Option<&MakeRustlsConnect>,
        connect: Duration,
    ) -> Self {
        let mut config = with_options_of(all);
        let (host, address) = (
            all.get_hosts().get(index),
            all.get_hostaddrs().get(index).copied(),
        );
        let connector = match (host, tls) {
            #[cfg(unix)]
            (Some(Host::Unix(_)), _) => Connector::Socket,
            (_, Some(tls)) => Connector::Tls(tls.clone()),
            (_, None) => Connector::Plain,
        };
        match (host, address) {
            #[cfg(unix)]
            (Some(Host::Unix(path)), _) => {
                config.host_path(path);
            }
            (Some(Host::Tcp(name)), _) => {
                config.host(name);
            }
            // The certificate is then verified for the address.
            (None, Some(address)) => {
                config.host(address.to_string());
            }
            (None, None) => {}
        }
        if let Some(address) = address {
            config.hostaddr(address);
        }
        let ports = all.get_ports();
        if let Some(&port) = ports.get(index).or(ports.first()) {
            config.port(port);
        }
        match connector {
            Connector::Socket => config.ssl_mode(SslMode::Disable),
            Connector::Tls(_) => config.ssl_mode(SslMode::Require),
            // Hands the new connection to the connector before a byte is sent.
            Connector::Plain => config
                .ssl_mode(SslMode::Require)
                .ssl_negotiation(SslNegotiation::Direct),
        };
        config.connect_timeout(connect);
        Self {
            config,
            connector,
            limit: connect.saturating_add(HANDSHAKE),
        }
    }

    pub(super) async fn connect(&self) -> ConnectionResult<Connected> {
        match &self.connector {
            Connector::Socket => self.connect_with(NoTls).await,
            Connector::Plain => self.connect_with(PlainConnector).await,
            Connector::Tls(tls) => self.connect_with(tls.clone()).await,
        }
    }

    async fn connect_with<T>(&self, connector: T) -> ConnectionResult<Connected>
    where
        T: MakeTlsConnect<Socket>,
        T::Stream: TlsStream + Unpin + Send + 'static,
        <T::TlsConnect as TlsConnect<Socket>>::Future: Send,
    {
        let connecting = self.config.connect(connector).await;
        let (client, connection) = connecting.map_err(|error| refused(&error))?;
        drive(client, connection).await
    }
}

/// Everything of a URL but its hosts, ports and what protects the connection.
fn with_options_of(all: &Config) -> Config {
    let mut config = Config::new();
    if let Some(user) = all.get_user() {
        config.user(user);
    }
    if let Some(password) = all.get_password() {
        config.password(password);
    }
    if let Some(name) = all.get_dbname() {
        config.dbname(name);
    }
    if let Some(options) = all.get_options() {
        config.options(options);
    }
    if let Some(name) = all.get_application_name() {
        config.application_name(name);
    }
    if let Some(interval) = all.get_keepalives_interval() {
        config.keepalives_interval(interval);
    }
    if let Some(retries) = all.get_keepalives_retries() {
        config.keepalives_retries(retries);
    }
    match all.get_tcp_user_timeout() {
        Some(&timeout) => config
            .tcp_user_timeout(timeout)
            .keepalives_idle(all.get_keepalives_idle()),
        // The kernel notices a peer that disappears without closing the connection.
        None => config
            .tcp_user_timeout(Duration::from_secs(10))
            .keepalives_idle(Duration::from_secs(30)),
    };
    config
        .keepalives(all.get_keepalives())
        .target_session_attrs(all.get_target_session_attrs())
        .channel_binding(all.get_channel_binding())
        .ssl_negotiation(all.get_ssl_negotiation());
    config
}

/// `BadConnection` where nobody answers or the server is starting, stopping or in recovery; else
/// `InvalidConnectionUrl`: waiting does not change a wrong password, a database that does not exist
/// or a certificate that is refused.
fn refused(error: &tokio_postgres::Error) -> ConnectionError {
    let text = error
        .source()
        .map_or_else(|| error.to_string(), |cause| format!("{error}: {cause}"));
    if is_absence(error) {
        ConnectionError::BadConnection(text)
    } else {
        ConnectionError::InvalidConnectionUrl(text)
    }
}

fn is_absence(error: &tokio_postgres::Error) -> bool {
    if let Some(code) = error.code() {
        return [
            SqlState::CANNOT_CONNECT_NOW,
            SqlState::ADMIN_SHUTDOWN,
            SqlState::CRASH_SHUTDOWN,
        ]
        .contains(code);
    }
    let cause = error.source();
    let network = cause.and_then(|cause| cause.downcast_ref::<io::Error>());
    // The network, or a standby where a primary is wanted; not what TLS or a guard of ours refused.
    let is_refusal = |error: &io::Error| {
        let inner = error.get_ref();
        error.kind() == io::ErrorKind::InvalidData
            || inner.is_some_and(|it| it.is::<rustls::Error>() || it.is::<UnprotectedPassword>())
    };
    error.is_closed() || network.is_some_and(|error| !is_refusal(error))
}
