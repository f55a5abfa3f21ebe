//! One host of a database URL, and a connection to it.

use std::{error::Error as _, io, time::Duration};

use diesel::ConnectionError;
use tokio_postgres::{
    Config, NoTls, Socket,
    config::{Host, SslMode, SslNegotiation},
    error::SqlState,
    tls::{MakeTlsConnect, TlsConnect, TlsStream},
};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::{
    driver::{DrivenConnection, drive},
    plain::{PlainConnector, UnprotectedPassword},
};

/// How long TLS and authentication may take once a host has accepted the connection.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(1);

/// One host and the settings to connect to it.
pub(super) struct Target {
    pub(super) config: Config,
    pub(super) connector: Connector,
    /// Time limit for a connection to this host, authentication included.
    pub(super) limit: Duration,
}

/// Transport of a connection to one host.
pub(super) enum Connector {
    /// A Unix socket.
    Socket,
    /// TCP without TLS; see [`super::plain`].
    Plain,
    /// TCP with TLS.
    Tls(MakeRustlsConnect),
}

impl Target {
    /// Builds the target for one host of a URL that may name several.
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
            // The certificate is then verified against the address.
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
            // The connector takes over the new connection before a byte is sent.
            Connector::Plain => config
                .ssl_mode(SslMode::Require)
                .ssl_negotiation(SslNegotiation::Direct),
        };
        config.connect_timeout(connect);
        Self {
            config,
            connector,
            limit: connect.saturating_add(HANDSHAKE_TIMEOUT),
        }
    }

    pub(super) async fn connect(&self) -> Result<DrivenConnection, HostFailure> {
        match &self.connector {
            Connector::Socket => self.connect_with(NoTls).await,
            Connector::Plain => self.connect_with(PlainConnector).await,
            Connector::Tls(tls) => self.connect_with(tls.clone()).await,
        }
    }

    async fn connect_with<T>(&self, connector: T) -> Result<DrivenConnection, HostFailure>
    where
        T: MakeTlsConnect<Socket>,
        T::Stream: TlsStream + Unpin + Send + 'static,
        <T::TlsConnect as TlsConnect<Socket>>::Future: Send,
    {
        let connecting = self.config.connect(connector).await;
        let (client, connection) = connecting.map_err(|error| HostFailure::of(&error))?;
        let driven = drive(client, connection).await;
        driven.map_err(|error| match error {
            ConnectionError::BadConnection(text) => HostFailure::Absent(text),
            error => HostFailure::Refused(error.to_string()),
        })
    }
}

/// Why a host could not be connected to.
#[derive(Debug)]
pub(super) enum HostFailure {
    /// The host name has no DNS address.
    UnknownName(String),
    /// The host does not answer, or the server is starting, stopping or in recovery.
    Absent(String),
    /// The server refuses the connection, or we refuse the server: a wrong password, a database
    /// that does not exist, an untrusted certificate. Retrying does not help.
    Refused(String),
}

/// Copies a URL's options except its hosts, ports and TLS settings.
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
        // Keepalive detects a peer that disappears without closing the connection.
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

impl HostFailure {
    fn of(error: &tokio_postgres::Error) -> Self {
        let cause = error.source();
        let text = cause.map_or_else(|| error.to_string(), |cause| format!("{error}: {cause}"));
        if cause.is_some_and(|cause| is_unknown_name(&cause.to_string())) {
            Self::UnknownName(text)
        } else if is_unavailable(error) {
            Self::Absent(text)
        } else {
            Self::Refused(text)
        }
    }

    /// If several hosts fail, the failure with the highest rank is reported.
    pub(super) fn rank(&self) -> u8 {
        match self {
            Self::UnknownName(_) => 0,
            Self::Absent(_) => 1,
            Self::Refused(_) => 2,
        }
    }
}

impl From<HostFailure> for ConnectionError {
    fn from(failure: HostFailure) -> Self {
        match failure {
            HostFailure::Absent(text) => Self::BadConnection(text),
            HostFailure::UnknownName(text) | HostFailure::Refused(text) => {
                Self::InvalidConnectionUrl(text)
            }
        }
    }
}

/// Error texts of `getaddrinfo` for a name without an address (`EAI_NONAME`, `EAI_NODATA`) in
/// glibc, musl and macOS. The standard library does not expose the code. A DNS server that does not
/// answer has another text (`EAI_AGAIN`).
const UNKNOWN_NAME: [&str; 4] = [
    "Name or service not known",
    "No address associated with hostname",
    "Name does not resolve",
    "nodename nor servname provided",
];

fn is_unknown_name(cause: &str) -> bool {
    UNKNOWN_NAME.iter().any(|text| cause.contains(text))
}

fn is_unavailable(error: &tokio_postgres::Error) -> bool {
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
    // Network failures, or a standby where a primary is wanted; not refusals by TLS or by our own
    // checks.
    let is_refusal = |error: &io::Error| {
        let inner = error.get_ref();
        error.kind() == io::ErrorKind::InvalidData
            || inner.is_some_and(|it| it.is::<rustls::Error>() || it.is::<UnprotectedPassword>())
    };
    error.is_closed() || network.is_some_and(|error| !is_refusal(error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_does_not_exist_differs_from_a_dns_that_does_not_respond() {
        for (text, is_unknown) in [
            (
                "failed to lookup address information: Name or service not known",
                true,
            ),
            (
                "failed to lookup address information: Name does not resolve",
                true,
            ),
            (
                "failed to lookup address information: Temporary failure in name resolution",
                false,
            ),
            ("failed to lookup address information: Try again", false),
            ("Connection refused (os error 111)", false),
        ] {
            assert_eq!(is_unknown_name(text), is_unknown, "{text}");
        }
    }

    #[test]
    fn the_failure_of_a_host_that_may_come_back_outranks_an_unknown_name() {
        let unknown = HostFailure::UnknownName(String::new());
        let absent = HostFailure::Absent(String::new());
        let connection_error = HostFailure::Refused(String::new());
        assert!(connection_error.rank() > absent.rank() && absent.rank() > unknown.rank());
        let reported = ConnectionError::from;
        assert!(matches!(
            reported(absent),
            ConnectionError::BadConnection(_)
        ));
        for ends in [unknown, connection_error] {
            let error = reported(ends);
            assert!(matches!(error, ConnectionError::InvalidConnectionUrl(_)));
        }
    }
}
