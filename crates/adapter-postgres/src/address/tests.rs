//! TLS by host, and connect timeouts by host.

use super::{host::Connector, *};

#[test]
fn only_local_hosts_are_connected_to_without_tls() {
    use Protection::{Local, Tls, Unencrypted};
    for (url, expected) in [
        ("postgres://a@127.0.0.1/x", Local),
        ("postgres://a@localhost:5433/x", Local),
        ("postgres://a@[::1]/x", Local),
        ("postgres://a@%2Frun%2Fpostgresql/x", Local),
        ("postgres:///x?host=/run/postgresql", Local),
        ("postgres://a@127.0.0.1/x?", Local),
        ("postgres://a@127.0.0.1/x?user=b&", Local),
        ("postgres://a@127.0.0.1:1,127.0.0.2:2/x", Local),
        ("postgres://a@127.0.0.1/x?hostaddr=127.0.0.1", Local),
        ("postgres://a@db.example.com/x", Tls),
        ("postgres://a@10.0.0.1/x", Tls),
        ("postgres://a@127.0.0.1:1,10.0.0.1:2/x", Tls),
        ("postgres://a@localhost/x?hostaddr=10.0.0.1", Tls),
        ("postgres:///x?hostaddr=10.0.0.1", Tls),
        ("postgres://a@127.0.0.1/x?sslmode=require", Tls),
        ("postgres://a@db.example.com/x?sslmode=verify-ca", Tls),
        ("postgres://a@db.example.com/x?sslmode=verify-full", Tls),
        ("postgres://a@db.example.com/x?sslmode=disable", Unencrypted),
        (
            "postgres://a@localhost/x?hostaddr=10.0.0.1&sslmode=disable",
            Unencrypted,
        ),
    ] {
        let address = Address::parse(url).unwrap();
        assert_eq!(address.location.protection, expected, "{url}");
        for host in address.hosts.iter() {
            let is_tls = matches!(host.connector, Connector::Tls(_));
            assert_eq!(is_tls, expected == Tls, "{url}");
        }
    }
}

#[test]
fn an_error_for_a_bad_url_does_not_contain_it() {
    for url in [
        "postgres://a:secret@host:port/x",
        "postgres://a:secret@host/x?unknown=secret",
        "postgres://a:secret@host/x?sslmode=secret",
        "postgres://a:secret@127.0.0.1/x?sslrootcert=/nowhere",
        "postgres://a:secret@host/x?sslrootcert=/nowhere",
        "mysql://a:secret@host/x",
        "postgres:///x?password=secret",
        "postgres://a:secret@h1,h2/x?hostaddr=10.0.0.1",
        "postgres://a:secret@h1,h2/x?port=1,2,3",
        "postgres://a:b@host/x?secret=c",
        "postgres://a:b@host/x?secret",
    ] {
        let error = Address::parse(url).err().unwrap();
        let text = format!("{error} {error:?}");
        assert!(!text.contains("secret"), "{text}");
    }
}

/// A parser that ends the credentials at the first `@` would treat the rest of the password as the
/// host name, log it and send it to the DNS.
#[test]
fn a_password_that_is_not_percent_encoded_is_refused() {
    for url in [
        "postgres://u:hunter2@secret@127.0.0.1:21590/db",
        "postgres://u:hunter2@sec/ret@127.0.0.1/db",
        "postgres://u:hunter2@sec?ret=1@127.0.0.1/db",
        "postgres://u:hunter2/secret@127.0.0.1/db",
        "postgres://u:hunter2?secret@127.0.0.1/db",
        "postgres://127.0.0.1:5432/db?user=u&password=hunter2@secret",
        "postgres:///db?host=127.0.0.1&password=hunter2@secret",
    ] {
        let error = Address::parse(url).err();
        let error = error.unwrap_or_else(|| panic!("{url} is accepted"));
        let text = format!("{error} {error:?}");
        assert!(matches!(error, AddressError::NotEncoded), "{url}: {text}");
        assert!(text.contains("%40"), "{text}");
        for part in ["hunter2", "sec", "ret", "127"] {
            assert!(!error.to_string().contains(part), "{text}");
        }
    }
    let encoded = "postgres://u%40corp:hunter2%40sec%2Fret%3F@127.0.0.1/db";
    let address = Address::parse(encoded).unwrap();
    let password = address.hosts.first().unwrap().config.get_password();
    assert_eq!(password, Some(&b"hunter2@sec/ret?"[..]));
}

#[test]
fn a_host_is_a_name_an_address_or_the_path_of_a_socket() {
    for host in [
        "db",
        "db-1.example.com",
        "pg_primary",
        "10.0.0.1",
        "[fd00::1]",
        "[fe80::1%25eth0]",
        "%2Frun%2Fpostgresql",
    ] {
        assert!(
            Address::parse(&format!("postgres://a@{host}/x")).is_ok(),
            "{host}"
        );
    }
    for host in [
        "sec%40ret",
        "sec ret",
        "secret!",
        "sec#ret",
        "s%C3%A9cret",
        "secret,",
    ] {
        let error = Address::parse(&format!("postgres://a@{host}/x")).err();
        let error = error.unwrap_or_else(|| panic!("{host} is accepted"));
        assert!(matches!(error, AddressError::HostName), "{host}: {error:?}");
    }
}

#[test]
fn the_name_of_a_location_contains_no_secret() {
    for (url, name) in [
        (
            "postgres://me:hunter2@db.example.com/shop?password=hunter2",
            "db.example.com:5432/shop",
        ),
        ("postgres://me@127.0.0.1:5433/x", "127.0.0.1:5433/x"),
        ("postgres://me@a:1,b:2/x", "a:1,b:2/x"),
        ("postgres://me@%2Frun%2Fpg/x", "/run/pg:5432/x"),
    ] {
        assert_eq!(location(url).unwrap().name, name);
    }
}

#[test]
fn the_connect_timeout_is_divided_among_the_hosts() {
    let limits = |url: &str| -> Vec<u64> {
        let address = Address::parse(url).unwrap();
        address.hosts.iter().map(|it| it.limit.as_secs()).collect()
    };
    assert_eq!(limits("postgres://127.0.0.1/x"), [5]);
    assert_eq!(limits("postgres://127.0.0.1,127.0.0.2/x"), [3, 3]);
    assert_eq!(limits("postgres://127.0.0.1/x?connect_timeout=9"), [10]);
}

#[test]
fn other_url_options_apply_to_every_host() {
    let url = "postgres://a:b@h1:1,h2:2/x?application_name=n&target_session_attrs=read-write\
               &channel_binding=require&keepalives_retries=4&options=-c%20a%3Db&tcp_user_timeout=7";
    let whole: Config = url.parse().unwrap();
    let address = Address::parse(url).unwrap();
    for (host, port) in address.hosts.iter().zip([1, 2]) {
        let config = &host.config;
        assert_eq!(config.get_ports(), [port]);
        assert_eq!(config.get_hosts().len(), 1);
        assert_eq!(config.get_user(), whole.get_user());
        assert_eq!(config.get_password(), whole.get_password());
        assert_eq!(config.get_dbname(), whole.get_dbname());
        assert_eq!(config.get_options(), whole.get_options());
        assert_eq!(config.get_application_name(), whole.get_application_name());
        assert_eq!(config.get_channel_binding(), whole.get_channel_binding());
        assert_eq!(config.get_tcp_user_timeout(), whole.get_tcp_user_timeout());
        assert_eq!(config.get_keepalives_retries(), Some(4));
        assert_eq!(
            config.get_target_session_attrs(),
            whole.get_target_session_attrs()
        );
    }
}
