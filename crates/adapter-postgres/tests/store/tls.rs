//! TLS to PostgreSQL: accepted certificates, and data that is never sent without TLS.

use std::{fmt::Display, path::PathBuf};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use oncharge_conformance::keys;
use oncharge_ports::{Maintenance, StoreError};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};
use tokio_postgres::Client;

use crate::database::{Database, admin_url, connect, open};

/// Advisory lock: one process at a time changes the cluster's certificate; the bytes of `tls-test`.
const ADVISORY_LOCK: i64 = i64::from_be_bytes(*b"tls-test");

/// A certificate authority, and the file with its certificate.
struct Authority {
    issuer: Issuer<'static, KeyPair>,
    file: PathBuf,
}

impl Authority {
    fn new(dir: &TempDir, name: &str) -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new([]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let certificate = params.self_signed(&key).unwrap();
        let file = dir.path().join(name);
        std::fs::write(&file, pem("CERTIFICATE", certificate.der())).unwrap();
        Self {
            issuer: Issuer::new(params, key),
            file,
        }
    }
}

fn pem(label: &str, der: &[u8]) -> String {
    let text = BASE64_STANDARD.encode(der);
    format!("-----BEGIN {label}-----\n{text}\n-----END {label}-----\n")
}

/// Enables TLS in the cluster, with a certificate for `localhost` only.
async fn switch_tls_on(admin: &Client, authority: &Authority) {
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(["localhost".to_owned()]).unwrap();
    let certificate = params.signed_by(&key, &authority.issuer).unwrap();
    for (file, text) in [
        ("oncharge-test.crt", pem("CERTIFICATE", certificate.der())),
        (
            "oncharge-test.key",
            pem("PRIVATE KEY", &key.serialize_der()),
        ),
    ] {
        // Written by the server, which may run as another user with an unknown data directory.
        let write = format!(
            "COPY (SELECT unnest(string_to_array('{}', E'\\n'))) TO PROGRAM 'umask 077; cat > {file}'",
            text.trim_end()
        );
        admin.batch_execute(&write).await.unwrap();
    }
    for setting in [
        "ssl_cert_file = 'oncharge-test.crt'",
        "ssl_key_file = 'oncharge-test.key'",
        "ssl = on",
    ] {
        let set = format!("ALTER SYSTEM SET {setting}");
        admin.batch_execute(&set).await.unwrap();
    }
    reload(admin).await;
}

async fn switch_tls_off(admin: &Client) {
    for setting in ["ssl", "ssl_cert_file", "ssl_key_file"] {
        let reset = format!("ALTER SYSTEM RESET {setting}");
        admin.batch_execute(&reset).await.unwrap();
    }
    reload(admin).await;
}

async fn reload(admin: &Client) {
    let reload = "SELECT pg_reload_conf()";
    admin.batch_execute(reload).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_server_certificate_is_verified() {
    let dir = TempDir::new().unwrap();
    let (ours, other) = (
        Authority::new(&dir, "ca.pem"),
        Authority::new(&dir, "other.pem"),
    );
    let admin = connect(&admin_url().unwrap()).await.unwrap();
    let lock = format!("SELECT pg_advisory_lock({ADVISORY_LOCK})");
    admin.batch_execute(&lock).await.unwrap();
    switch_tls_on(&admin, &ours).await;
    let database = Database::migrated().await.unwrap();
    let named = database.url.replace("127.0.0.1", "localhost");
    let url = |base: &str, mode: &str, root: Option<&PathBuf>| {
        let root = root.map(|file| format!("&sslrootcert={}", file.display()));
        format!("{base}?sslmode={mode}{}", root.unwrap_or_default())
    };

    // The server applies its new settings some time after the reload.
    let good = url(&named, "verify-full", Some(&ours.file));
    let until = std::time::Instant::now() + std::time::Duration::from_secs(20);
    let store = loop {
        match open(&good, keys(), 2).await {
            Ok(store) => break store,
            Err(error) => assert!(std::time::Instant::now() < until, "{error:#}"),
        }
    };
    store.ping().await.unwrap();
    let plain = "SELECT count(*) FROM pg_stat_activity JOIN pg_stat_ssl USING (pid) \
                 WHERE datname = current_database() AND application_name = 'oncharge' AND NOT ssl";
    let client = database.client().await;
    let plain: i64 = client.query_one(plain, &[]).await.unwrap().get(0);
    assert_eq!(plain, 0, "a connection has no TLS");

    for good in [
        url(&named, "require", Some(&ours.file)),
        url(&database.url, "verify-ca", Some(&ours.file)),
    ] {
        open(&good, keys(), 2).await.unwrap().ping().await.unwrap();
    }
    for (bad, why) in [
        (
            url(&database.url, "require", Some(&ours.file)),
            "another host name",
        ),
        (
            url(&database.url, "verify-full", Some(&ours.file)),
            "another host name",
        ),
        (
            url(&named, "verify-full", Some(&other.file)),
            "another authority",
        ),
        (
            url(&named, "verify-ca", Some(&other.file)),
            "another authority",
        ),
        (url(&named, "require", None), "not among the machine's"),
    ] {
        let text = final_error(&bad, why).await;
        assert!(text.contains("certificate"), "{why}: {text}");
    }
    switch_tls_off(&admin).await;
}

/// The error that ends a start; a retryable error fails the test.
async fn final_error(url: &str, what: impl Display) -> String {
    let error = open(url, keys(), 2).await.err();
    let error = error.unwrap_or_else(|| panic!("{what} is accepted"));
    let store = error.downcast_ref::<StoreError>();
    assert!(
        matches!(store, Some(StoreError::Failed(_))),
        "{what}: {error:#}"
    );
    format!("{error:#}")
}

/// A server without TLS that requests the password with this authentication code; the task returns
/// the response that it receives.
async fn server_asking_for_password(code: u32) -> (u16, JoinHandle<Vec<u8>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    #[expect(clippy::disallowed_methods, reason = "the test awaits the task")]
    let task = tokio::spawn(async move {
        let (mut client, _) = listener.accept().await.unwrap();
        let mut head = [0; 8];
        client.read_exact(&mut head).await.unwrap();
        // SSLRequest: no.
        if head[4..] == 80_877_103_u32.to_be_bytes() {
            client.write_all(b"N").await.unwrap();
            return read_once(&mut client).await;
        }
        let length = u32::from_be_bytes([head[0], head[1], head[2], head[3]]);
        let mut startup = vec![0; usize::try_from(length).unwrap() - head.len()];
        client.read_exact(&mut startup).await.unwrap();
        let request = [&b"R\0\0\0\x0c"[..], &code.to_be_bytes(), b"salt"].concat();
        // Only code 5 (MD5) has a salt.
        let request = if code == 5 {
            request
        } else {
            [&b"R\0\0\0\x08"[..], &code.to_be_bytes()].concat()
        };
        client.write_all(&request).await.unwrap();
        read_once(&mut client).await
    });
    (port, task)
}

/// The client's next message; empty if it closes the connection.
async fn read_once(client: &mut TcpStream) -> Vec<u8> {
    let mut bytes = vec![0; 256];
    let count = client.read(&mut bytes).await.unwrap_or_default();
    bytes.truncate(count);
    bytes
}

#[tokio::test]
async fn no_password_is_sent_without_tls() {
    for (code, options) in [
        (3, ""),
        (5, ""),
        (3, "?sslmode=disable"),
        (3, "?sslmode=require"),
    ] {
        let (port, answered) = server_asking_for_password(code).await;
        let url = format!("postgres://me:hunter2@127.0.0.1:{port}/x{options}");
        let text = final_error(&url, format_args!("{code} {options}")).await;
        let expected = if options.ends_with("require") {
            "TLS"
        } else {
            "SCRAM"
        };
        assert!(
            text.contains(expected) && !text.contains("hunter2"),
            "{text}"
        );
        assert_eq!(answered.await.unwrap(), b"", "{code} {options}");
    }
}

#[tokio::test]
async fn an_unresponsive_host_leaves_time_for_the_next_one() {
    let database = Database::migrated().await.unwrap();
    // The kernel accepts connections, and nothing responds.
    let silent = [(); 2].map(|()| std::net::TcpListener::bind("127.0.0.1:0").unwrap());
    let silent = silent.each_ref().map(|it| it.local_addr().unwrap());
    let (before, after) = database.url.split_once("127.0.0.1").unwrap();
    let url = format!(
        "{before}{},{},127.0.0.1{after}?connect_timeout=1",
        silent[0], silent[1]
    );
    let store = open(&url, keys(), 1).await.unwrap();
    store.ping().await.unwrap();
}
