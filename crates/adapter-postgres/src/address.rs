//! Where the database is and how it is reached: plain on the own machine, else TLS with rustls.

use std::{sync::Arc, time::Duration};

use diesel::{ConnectionError, ConnectionResult};
use diesel_async::AsyncPgConnection;
use rustls::{ClientConfig, RootCertStore};
use tokio::task::AbortHandle;
use tokio_postgres::{
    Config, NoTls, Socket,
    config::{Host, SslMode},
    error::SqlState,
    tls::TlsStream,
};
use tokio_postgres_rustls::MakeRustlsConnect;

/// A database's address, ready to be connected to.
#[derive(Clone)]
pub(crate) struct Address {
    config: Config,
    tls: Option<MakeRustlsConnect>,
}

/// The address is of no use.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AddressError {
    /// Not of the form `postgres://user:password@host:port/database`.
    #[error("the database URL cannot be read")]
    Malformed(#[source] tokio_postgres::Error),
    /// No TLS with the machine's root certificates.
    #[error("TLS cannot be set up")]
    Tls(#[source] rustls::Error),
}

impl Address {
    /// Reads a URL (or libpq's `key=value` form).
    ///
    /// `sslmode` may be `disable`, `prefer`, `require`, `verify-ca` or `verify-full`. Where TLS is
    /// spoken the server's certificate is always verified against the machine's roots and the
    /// host's name (stricter than libpq, whose `require` believes any certificate); roots of
    /// one's own go into `SSL_CERT_FILE`. Without `sslmode`: plain to this very machine, else
    /// `prefer`.
    pub(crate) fn parse(url: &str) -> Result<Self, AddressError> {
        let mut config: Config = as_known_modes(url)
            .parse()
            .map_err(AddressError::Malformed)?;
        if !url.contains("sslmode=") && config.get_hosts().iter().all(is_this_machine) {
            config.ssl_mode(SslMode::Disable);
        }
        if config.get_connect_timeout().is_none() {
            config.connect_timeout(Duration::from_secs(4));
        }
        if config.get_tcp_user_timeout().is_none() {
            // A peer that is gone without a word is noticed by the kernel, too.
            config.tcp_user_timeout(Duration::from_secs(10));
            config.keepalives_idle(Duration::from_secs(30));
        }
        let tls = match config.get_ssl_mode() {
            SslMode::Disable => None,
            _ => Some(MakeRustlsConnect::new(client_config()?)),
        };
        Ok(Self { config, tls })
    }

    /// Connects. The handle ends the connection at once, whatever it is doing.
    pub(crate) async fn connect(&self) -> ConnectionResult<(AsyncPgConnection, AbortHandle)> {
        match &self.tls {
            None => {
                let (client, connection) = self
                    .config
                    .connect(NoTls)
                    .await
                    .map_err(|error| refused(&error))?;
                drive(client, connection).await
            }
            Some(tls) => {
                let connecting = self.config.connect(tls.clone());
                let (client, connection) = connecting.await.map_err(|error| refused(&error))?;
                drive(client, connection).await
            }
        }
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "a connection is driven by a task of its own, which ends with the pool's connection"
)]
async fn drive<S>(
    client: tokio_postgres::Client,
    connection: tokio_postgres::Connection<Socket, S>,
) -> ConnectionResult<(AsyncPgConnection, AbortHandle)>
where
    S: TlsStream + Unpin + Send + 'static,
{
    let driver = tokio::spawn(async move {
        if let Err(error) = connection.await {
            // Whoever waits for an answer is told as well; this is for those that were idle.
            tracing::debug!(%error, "a connection to PostgreSQL ended");
        }
    });
    let diesel = AsyncPgConnection::try_from(client).await?;
    Ok((diesel, driver.abort_handle()))
}

/// `InvalidConnectionUrl` where the server has answered that it does not know the user, the password
/// or the database, which waiting does not change; else `BadConnection`.
fn refused(error: &tokio_postgres::Error) -> ConnectionError {
    let text = std::error::Error::source(error)
        .map_or_else(|| error.to_string(), |cause| format!("{error}: {cause}"));
    let is_final = error.code().is_some_and(|code| {
        *code == SqlState::INVALID_PASSWORD
            || *code == SqlState::INVALID_AUTHORIZATION_SPECIFICATION
            || *code == SqlState::INVALID_CATALOG_NAME
    });
    if is_final {
        ConnectionError::InvalidConnectionUrl(text)
    } else {
        ConnectionError::BadConnection(text)
    }
}

/// tokio-postgres knows three modes; as certificates are always verified, these are the same.
fn as_known_modes(url: &str) -> String {
    let (address, options) = url.split_once('?').unwrap_or(("", url));
    let options = options
        .replace("sslmode=verify-full", "sslmode=require")
        .replace("sslmode=verify-ca", "sslmode=require")
        .replace("sslmode=allow", "sslmode=prefer");
    if address.is_empty() {
        options
    } else {
        format!("{address}?{options}")
    }
}

fn is_this_machine(host: &Host) -> bool {
    match host {
        Host::Tcp(name) => {
            let bare = name.trim_start_matches('[').trim_end_matches(']');
            let ip: Result<std::net::IpAddr, _> = bare.parse();
            name == "localhost" || ip.is_ok_and(|ip| ip.is_loopback())
        }
        #[cfg(unix)]
        Host::Unix(_) => true,
    }
}

fn client_config() -> Result<ClientConfig, AddressError> {
    let mut roots = RootCertStore::empty();
    let native = rustls_native_certs::load_native_certs();
    for error in &native.errors {
        tracing::warn!(%error, "a root certificate of this machine cannot be read");
    }
    roots.add_parsable_certificates(native.certs);
    // The provider is named here, so that nothing depends on what a main function has installed.
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(AddressError::Tls)?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(config)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_is_spoken_to_plainly_and_others_by_tls() {
        for (url, mode) in [
            ("postgres://a@127.0.0.1/x", SslMode::Disable),
            ("postgres://a@localhost:5433/x", SslMode::Disable),
            ("postgres://a@[::1]/x", SslMode::Disable),
            ("host=/run/postgresql user=a", SslMode::Disable),
            ("postgres://a@db.example.com/x", SslMode::Prefer),
            (
                "postgres://a@db.example.com/x?sslmode=disable",
                SslMode::Disable,
            ),
            ("postgres://a@127.0.0.1/x?sslmode=require", SslMode::Require),
            (
                "postgres://a@db.example.com/x?sslmode=verify-full",
                SslMode::Require,
            ),
            (
                "host=db.example.com user=a sslmode=verify-ca",
                SslMode::Require,
            ),
        ] {
            let address = Address::parse(url).unwrap();
            assert_eq!(address.config.get_ssl_mode(), mode, "{url}");
            assert_eq!(address.tls.is_some(), mode != SslMode::Disable, "{url}");
        }
    }

    #[test]
    fn a_bad_url_is_refused_without_repeating_it() {
        let error = Address::parse("postgres://a:secret@host:port/x")
            .err()
            .unwrap();
        let text = format!("{error} {error:?}");
        assert!(!text.contains("secret"), "{text}");
    }
}
