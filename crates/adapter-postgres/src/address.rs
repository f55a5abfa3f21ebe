//! Database URLs and connections: without TLS on this machine, over verified TLS everywhere else.

mod driver;
mod host;
mod plain;
mod tls;
mod url;

use std::{
    net::IpAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use diesel::ConnectionResult;
use tokio_postgres::{
    Config,
    config::{Host, LoadBalanceHosts},
};

pub(crate) use self::driver::DrivenConnection;
use self::{
    host::{HostFailure, Target},
    tls::Verification,
    url::TlsMode,
};

/// Time limit for all hosts together to accept a connection, unless the URL has `connect_timeout`.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(4);
/// Minimum connect time limit per host when the URL names several.
const MIN_CONNECT_TIMEOUT: Duration = Duration::from_secs(1);

/// A database's address: its hosts in the order in which they are tried.
#[derive(Clone)]
pub(crate) struct Address {
    hosts: Arc<[Target]>,
    /// Index of the host to try first for the next connection, if `load_balance_hosts` is `random`.
    next: Option<Arc<AtomicUsize>>,
    location: Location,
}

/// The target of a database URL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Location {
    /// Display name, `host:port,host:port/database`, without user, password and options.
    pub name: String,
    /// How its connections are protected.
    pub protection: Protection,
}

/// How the connections of a database URL are protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protection {
    /// TLS, with the server's certificate verified.
    Tls,
    /// Unencrypted, and it needs no encryption: every host is a loopback address or a Unix socket.
    Local,
    /// Unencrypted although a host is another machine: `sslmode=disable`.
    Unencrypted,
}

/// A database URL that cannot be used. No message repeats the URL or its password.
#[derive(Debug, thiserror::Error)]
pub enum AddressError {
    /// The scheme is not `postgres://`.
    #[error("the database URL must begin with postgres://")]
    Scheme,
    /// Not of the form `postgres://user:password@host:port/database?option=value`.
    #[error("the database URL is invalid")]
    Malformed(#[source] tokio_postgres::Error),
    /// An `@`, or a `/` or `?` before it, that is not percent-encoded: where the password ends is
    /// ambiguous.
    #[error(
        "the user name, password and options of the database URL must be percent-encoded: @ as \
         %40, / as %2F, ? as %3F"
    )]
    NotEncoded,
    /// A host that is not a host name, an IP address or the path of a Unix socket.
    #[error(
        "a host of the database URL has an invalid character: use letters, digits, '.', '-' and \
         '_', an IPv6 address in brackets, or the path of a Unix socket (with / as %2F)"
    )]
    HostName,
    /// An unknown option. Its name is not shown because it could be part of a password.
    #[error("the database URL has an unknown option; allowed: {}", url::OPTIONS.join(", "))]
    UnknownOption,
    /// No host, or the number of ports or addresses differs from the number of hosts.
    #[error(
        "the database URL must have at least one host, and either no port and hostaddr or one for \
         each host"
    )]
    Hosts,
    /// A repeated option.
    #[error("the database URL has {0} more than once")]
    Repeated(&'static str),
    /// An unknown `sslmode`, or one that could fall back to a connection without TLS.
    #[error(
        "sslmode of the database URL must be disable, require, verify-ca or verify-full \
         (prefer and allow could fall back to a connection without TLS)"
    )]
    SslMode,
    /// A root certificate is given for connections without TLS.
    #[error("sslrootcert in the database URL requires sslmode=require, verify-ca or verify-full")]
    UnusedRootCertificate,
    /// `sslrootcert` does not name a file with certificates.
    #[error("sslrootcert in the database URL must be a PEM file with certificates")]
    RootCertificate(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// No root certificate to verify the server's certificate with.
    #[error(
        "this machine has no root certificates to verify the database's certificate: set \
         sslrootcert in the database URL"
    )]
    NoRootCertificates,
    /// TLS cannot be configured.
    #[error("cannot set up TLS")]
    Tls(#[source] rustls::Error),
}

/// Parses a database URL as a connection would, root certificates included, and returns its target.
pub fn location(url: &str) -> Result<Location, AddressError> {
    Ok(Address::parse(url)?.location)
}

impl Address {
    /// Parses a URL, `postgres://user:password@host:port/database?option=value`.
    ///
    /// `sslmode` is `disable`, `require`, `verify-ca` or `verify-full`; without it TLS is required
    /// unless every host (and `hostaddr`) is a loopback address or a Unix socket. Stricter than
    /// libpq, `require` verifies as `verify-full` does: against the certificates in `sslrootcert`,
    /// else the machine's, and the host's name. `verify-ca` leaves out the name.
    pub(crate) fn parse(url: &str) -> Result<Self, AddressError> {
        let (url, options) = url::split(url)?;
        let config: Config = url.parse().map_err(AddressError::Malformed)?;
        let count = host_count(&config)?;
        url::check_hosts(&config)?;
        let is_local = is_local(&config);
        let default = if is_local {
            TlsMode::Disable
        } else {
            TlsMode::VerifyFull
        };
        let verification = match options.mode.unwrap_or(default) {
            TlsMode::Disable if options.root_certificate.is_some() => {
                return Err(AddressError::UnusedRootCertificate);
            }
            TlsMode::Disable => None,
            TlsMode::VerifyCa => Some(Verification::Chain),
            TlsMode::VerifyFull => Some(Verification::ChainAndName),
        };
        let tls = verification
            .map(|how| tls::connector(how, options.root_certificate.as_deref()))
            .transpose()?;
        let protection = match (&tls, is_local) {
            (Some(_), _) => Protection::Tls,
            (None, true) => Protection::Local,
            (None, false) => Protection::Unencrypted,
        };
        let time_per_host = CONNECT_TIMEOUT / u32::try_from(count).unwrap_or(u32::MAX);
        let connect = config.get_connect_timeout().copied();
        let connect = connect.unwrap_or(time_per_host.max(MIN_CONNECT_TIMEOUT));
        let hosts = (0..count).map(|index| Target::new(&config, index, tls.as_ref(), connect));
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

    /// Connects to the first host that accepts. The handle closes the connection at once, whatever
    /// is in progress.
    ///
    /// `BadConnection` if no host answers or is ready; `InvalidConnectionUrl` if one refuses (an
    /// unknown user, password or database, an untrusted certificate, no TLS, no free connection),
    /// or if no host name resolves.
    pub(crate) async fn connect(&self) -> ConnectionResult<DrivenConnection> {
        let first = self.next.as_ref().map_or(0, |next| {
            next.fetch_add(1, Ordering::Relaxed) % self.hosts.len().max(1)
        });
        let mut failed = HostFailure::UnknownName("the URL has no host".to_owned());
        let (before, after) = self.hosts.split_at(first);
        for target in after.iter().chain(before) {
            // Boxed: otherwise every future that waits for the store would contain this large one.
            let connecting = tokio::time::timeout(target.limit, Box::pin(target.connect()));
            let error = match connecting.await {
                Ok(Ok(driven)) => return Ok(driven),
                Ok(Err(error)) => error,
                Err(_) => HostFailure::Absent("timed out".to_owned()),
            };
            // An error that only a person can fix is reported, whichever host it comes from; but
            // the name of a host that is down may not resolve until it is back.
            if error.rank() >= failed.rank() {
                failed = error;
            }
        }
        Err(failed.into())
    }
}

/// Formats the hosts, ports and database of a URL.
fn name(config: &Config, count: usize) -> String {
    let ports = config.get_ports();
    let endpoints = (0..count).map(|index| {
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
    let endpoints: Vec<_> = endpoints.collect();
    let database = config.get_dbname().or(config.get_user());
    format!("{}/{}", endpoints.join(","), database.unwrap_or_default())
}

/// Number of hosts, as tokio-postgres counts them.
fn host_count(config: &Config) -> Result<usize, AddressError> {
    let (hosts, addresses) = (config.get_hosts().len(), config.get_hostaddrs().len());
    let (count, ports) = (hosts.max(addresses), config.get_ports().len());
    let fits = |number: usize, least: usize| number <= least || number == count;
    if count > 0 && fits(hosts, 0) && fits(addresses, 0) && fits(ports, 1) {
        Ok(count)
    } else {
        Err(AddressError::Hosts)
    }
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
