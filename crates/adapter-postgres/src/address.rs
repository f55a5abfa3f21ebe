//! Where the database is and how a connection to it is protected: without TLS on this machine, over
//! verified TLS everywhere else.

mod driver;
mod plain;
mod tls;
mod url;

use std::{
    error::Error as _,
    io,
    net::IpAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use diesel::{ConnectionError, ConnectionResult};
use tokio_postgres::{
    Config, NoTls, Socket,
    config::{Host, LoadBalanceHosts, SslMode, SslNegotiation},
    error::SqlState,
    tls::{MakeTlsConnect, TlsConnect, TlsStream},
};
use tokio_postgres_rustls::MakeRustlsConnect;

pub(crate) use self::driver::Connected;
use self::{
    driver::drive,
    plain::{PlainConnector, UnprotectedPassword},
    tls::Verification,
    url::Mode,
};

/// How long all hosts together may take to accept a connection, unless the URL has
/// `connect_timeout`.
const CONNECT: Duration = Duration::from_secs(4);
/// The least time that one of many hosts gets.
const SHORTEST_CONNECT: Duration = Duration::from_secs(1);
/// How long TLS and authentication may take once a host has accepted the connection.
const HANDSHAKE: Duration = Duration::from_secs(1);

/// A database's address: its hosts in the order in which they are tried.
#[derive(Clone)]
pub(crate) struct Address {
    hosts: Arc<[Target]>,
    /// Where the next connection begins to try, if `load_balance_hosts` spreads them.
    next: Option<Arc<AtomicUsize>>,
    location: Location,
}

/// One host and how it is connected to.
struct Target {
    config: Config,
    connector: Connector,
    /// How long a connection to this host may take, authentication included.
    limit: Duration,
}

/// What carries the connection to one host.
enum Connector {
    /// A Unix socket.
    Socket,
    /// TCP without TLS; see [`plain`].
    Plain,
    /// TCP with TLS.
    Tls(MakeRustlsConnect),
}

/// Where a database URL leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Location {
    /// For people: `host:port,host:port/database`, without user, password and options.
    pub name: String,
    /// What protects its connections.
    pub protection: Protection,
}

/// How the connections of a database URL are protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protection {
    /// TLS, with the server's certificate verified.
    Tls,
    /// None, and none is needed: every host is a loopback address or a Unix socket.
    Local,
    /// None, although a host is another machine: `sslmode=disable`.
    Unencrypted,
}

/// A database URL that cannot be used. No text repeats the URL or its password.
#[derive(Debug, thiserror::Error)]
pub enum AddressError {
    /// Another scheme.
    #[error("the database URL must begin with postgres://")]
    Scheme,
    /// Not of the form `postgres://user:password@host:port/database?option=value`.
    #[error("the database URL cannot be read")]
    Malformed(#[source] tokio_postgres::Error),
    /// An option stands there more than once.
    #[error("the database URL has {0} more than once")]
    Repeated(&'static str),
    /// An `sslmode` that does not exist, or that could fall back to a connection without TLS.
    #[error(
        "sslmode of the database URL must be disable, require, verify-ca or verify-full \
         (prefer and allow could fall back to a connection without TLS)"
    )]
    SslMode,
    /// A root certificate for connections that have no TLS.
    #[error(
        "sslrootcert of the database URL needs sslmode=require, verify-ca or verify-full with it"
    )]
    UnusedRootCertificate,
    /// `sslrootcert` names no file with certificates.
    #[error("sslrootcert of the database URL is not a PEM file with certificates")]
    RootCertificate(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// There is nothing to verify the server's certificate with.
    #[error(
        "this machine has no root certificates to verify the database's certificate with: name a \
         file by sslrootcert in the database URL"
    )]
    NoRootCertificates,
    /// TLS cannot be configured.
    #[error("TLS cannot be set up")]
    Tls(#[source] rustls::Error),
}

/// Reads a database URL as a connection would, root certificates included, and says where it leads.
pub fn location(url: &str) -> Result<Location, AddressError> {
    Ok(Address::parse(url)?.location)
}

impl Address {
    /// Reads a URL, `postgres://user:password@host:port/database?option=value`.
    ///
    /// `sslmode` is `disable`, `require`, `verify-ca` or `verify-full`; without it TLS is required
    /// unless every host (and `hostaddr`) is a loopback address or a Unix socket. Stricter than
    /// libpq, `require` verifies as `verify-full` does: against the certificates in `sslrootcert`,
    /// else the machine's, and the host's name. `verify-ca` leaves out the name.
    pub(crate) fn parse(url: &str) -> Result<Self, AddressError> {
        let (url, options) = url::split(url)?;
        let config: Config = url.parse().map_err(AddressError::Malformed)?;
        let is_local = is_local(&config);
        let default = if is_local {
            Mode::Disable
        } else {
            Mode::VerifyFull
        };
        let verification = match options.mode.unwrap_or(default) {
            Mode::Disable if options.root_certificate.is_some() => {
                return Err(AddressError::UnusedRootCertificate);
            }
            Mode::Disable => None,
            Mode::VerifyCa => Some(Verification::Chain),
            Mode::VerifyFull => Some(Verification::ChainAndName),
        };
        let tls = verification
            .map(|how| tls::connector(how, options.root_certificate.as_deref()))
            .transpose()?;
        let protection = match (&tls, is_local) {
            (Some(_), _) => Protection::Tls,
            (None, true) => Protection::Local,
            (None, false) => Protection::Unencrypted,
        };
        let count = config.get_hosts().len().max(config.get_hostaddrs().len());
        let hosts = (0..count).map(|index| Target::new(&config, index, tls.as_ref()));
        let spread = config.get_load_balance_hosts() == LoadBalanceHosts::Random;
        Ok(Self {
            hosts: hosts.collect(),
            next: spread.then(Arc::default),
            location: Location {
                name: name(&config, count),
                protection,
            },
        })
    }

    /// Connects to the first host that accepts. The handle ends the connection at once, whatever it
    /// is doing.
    ///
    /// `InvalidConnectionUrl` where a host has answered what waiting does not change: an unknown
    /// user, password or database, a certificate that cannot be trusted, no TLS; else
    /// `BadConnection`.
    pub(crate) async fn connect(&self) -> ConnectionResult<Connected> {
        let first = self.next.as_ref().map_or(0, |next| {
            next.fetch_add(1, Ordering::Relaxed) % self.hosts.len().max(1)
        });
        let mut failed = ConnectionError::BadConnection("the URL names no host".to_owned());
        let (before, after) = self.hosts.split_at(first);
        for target in after.iter().chain(before) {
            // On the heap: every future that waits for the store would carry this one's size.
            let connecting = tokio::time::timeout(target.limit, Box::pin(target.connect()));
            let error = match connecting.await {
                Ok(Ok(connected)) => return Ok(connected),
                Ok(Err(error)) => error,
                Err(_) => ConnectionError::BadConnection("no answer in time".to_owned()),
            };
            // What only a person can change is reported, whichever host says so.
            if !matches!(failed, ConnectionError::InvalidConnectionUrl(_)) {
                failed = error;
            }
        }
        Err(failed)
    }
}

impl Target {
    /// One host of a URL that may name several.
    fn new(all: &Config, index: usize, tls: Option<&MakeRustlsConnect>) -> Self {
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
        let count = all.get_hosts().len().max(all.get_hostaddrs().len());
        let share = CONNECT / u32::try_from(count.max(1)).unwrap_or(u32::MAX);
        let connect = all
            .get_connect_timeout()
            .copied()
            .unwrap_or(share.max(SHORTEST_CONNECT));
        config.connect_timeout(connect);
        Self {
            config,
            connector,
            limit: connect.saturating_add(HANDSHAKE),
        }
    }

    async fn connect(&self) -> ConnectionResult<Connected> {
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

/// The hosts, ports and database of a URL.
fn name(config: &Config, count: usize) -> String {
    let ports = config.get_ports();
    let places = (0..count).map(|index| {
        let port = ports.get(index).or(ports.first()).unwrap_or(&5432);
        let host = match config.get_hosts().get(index) {
            Some(Host::Tcp(name)) => name.clone(),
            #[cfg(unix)]
            Some(Host::Unix(path)) => path.display().to_string(),
            None => config
                .get_hostaddrs()
                .get(index)
                .map(ToString::to_string)
                .unwrap_or_default(),
        };
        format!("{host}:{port}")
    });
    let places: Vec<_> = places.collect();
    let database = config.get_dbname().or(config.get_user());
    format!("{}/{}", places.join(","), database.unwrap_or_default())
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

/// `InvalidConnectionUrl` for what waiting does not change.
fn refused(error: &tokio_postgres::Error) -> ConnectionError {
    let text = error
        .source()
        .map_or_else(|| error.to_string(), |cause| format!("{error}: {cause}"));
    if is_final(error) {
        ConnectionError::InvalidConnectionUrl(text)
    } else {
        ConnectionError::BadConnection(text)
    }
}

/// Whether the host has answered, and will answer the same until a person changes something.
fn is_final(error: &tokio_postgres::Error) -> bool {
    if let Some(code) = error.code() {
        return *code == SqlState::INVALID_PASSWORD
            || *code == SqlState::INVALID_AUTHORIZATION_SPECIFICATION
            || *code == SqlState::INVALID_CATALOG_NAME;
    }
    let Some(cause) = error.source() else {
        return false;
    };
    let inner = cause
        .downcast_ref::<io::Error>()
        .and_then(|error| error.get_ref());
    // tokio-postgres has no type for this case; a test notices another text.
    cause.to_string() == "server does not support TLS"
        || inner.is_some_and(|it| it.is::<rustls::Error>() || it.is::<UnprotectedPassword>())
}

fn is_local(config: &Config) -> bool {
    let is_local_host = |host: &Host| match host {
        Host::Tcp(name) => {
            let bare = name.trim_start_matches('[').trim_end_matches(']');
            let address: Result<IpAddr, _> = bare.parse();
            name == "localhost" || address.is_ok_and(|address| address.is_loopback())
        }
        #[cfg(unix)]
        Host::Unix(_) => true,
    };
    config.get_hosts().iter().all(is_local_host)
        && config.get_hostaddrs().iter().all(IpAddr::is_loopback)
}

#[cfg(test)]
mod tests;
