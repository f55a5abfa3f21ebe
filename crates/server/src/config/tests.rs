//! Precedence of the sources, and errors that name the setting.

use super::*;

fn load(preset: &str) -> anyhow::Result<Settings> {
    let directory = tempfile::tempdir()?;
    let file = directory.path().join("oncharge.toml");
    std::fs::write(&file, "")?;
    Settings::load(Some(&file), preset, None)
}

#[test]
fn the_defaults_are_acceptable() {
    let settings = load("").unwrap();
    assert_eq!(settings.mode, Mode::Production);
    assert_eq!(settings.network.port, 8080);
    assert_eq!(settings.limits.key_burst, 200);
}

#[test]
fn every_error_names_the_setting() {
    let account = |rest: &str| {
        format!(
            "mode = \"sandbox\"\n[psp.default]\nconnector = \"simulator\"\nurl = \"http://127.0.0.1:1\"\nbearer = \"b\"\nnotification_key = \"n\"\n{rest}"
        )
    };
    for (preset, name) in [
        ("[network]\nport = 70000", "network.port"),
        ("[network]\nbind = \"nowhere\"", "network.bind"),
        (
            "[network]\ntrusted_proxies = [\"x\"]",
            "network.trusted_proxies",
        ),
        (
            "[network]\nops_hosts = [\"ops.example.com\", \"https://ops.example.com\"]",
            "network.ops_hosts",
        ),
        (
            "[network]\nops_hosts = [\"*.example.com\"]",
            "network.ops_hosts",
        ),
        ("[network]\nops_hosts = [\"ops:8082\"]", "network.ops_hosts"),
        ("[network]\nops_hosts = [\"\"]", "network.ops_hosts"),
        (
            "mode = \"sandbox\"\n[network]\nbind = \"0.0.0.0\"",
            "network.bind",
        ),
        ("[limits]\nkey_burst = 0", "limits.key_burst"),
        ("[database]\nurl = \"mysql://x\"", "database.url"),
        (
            "[database]\nurl = \"postgres://db.example.com/x?sslmode=disable\"",
            "database.url",
        ),
        (
            "[database]\nurl = \"postgres://db.example.com/x?sslmode=prefer\"",
            "sslmode",
        ),
        ("[database]\nulr = \"x\"", "are database.url"),
        ("[databse]\nurl = \"x\"", "are database.url"),
        ("[database]\npool_size = 0", "database.pool_size"),
        (
            "[checkout]\nsession_ttl_seconds = 0",
            "checkout.session_ttl_seconds",
        ),
        ("[webhooks]\nclock = \"fast\"", "webhooks.clock"),
        (
            "mode = \"sandbox\"\n[webhooks]\nclock = \"slow\"",
            "webhooks.clock",
        ),
        ("[log]\nformat = \"loud\"", "log.format"),
        ("[log]\nfilter = \"a=b=c\"", "log.filter"),
        ("unknown = 1", "unknown"),
        (
            &account("notify_url = \"x\"").replace("sandbox", "production"),
            "psp.default.connector",
        ),
        (&account("notify_url = \"x\""), "psp.default.notify_url"),
        (
            &account("").replace("\"simulator\"", "\"other\""),
            "psp.default.connector",
        ),
    ] {
        let error = format!("{:#}", load(preset).unwrap_err());
        assert!(error.contains(name), "{preset}: {error}");
    }
}

#[test]
fn errors_name_the_allowed_values_and_repeat_no_value() {
    for (preset, allowed) in [
        ("mode = \"secret\"", "mode must be production or sandbox"),
        (
            "[log]\nformat = \"secret\"",
            "log.format must be pretty or json",
        ),
        (
            "[webhooks]\nclock = \"secret\"",
            "webhooks.clock must be real or fast",
        ),
        (
            "[network]\nbind = \"secret\"",
            "network.bind must be an IP address",
        ),
        (
            "[network]\nport = \"secret\"",
            "network.port must be an integer",
        ),
        (
            "[network]\nport = 731415",
            "network.port must be an unsigned 16 bit integer",
        ),
        (
            "[network]\nbehind_tls = \"secret\"",
            "network.behind_tls must be a boolean",
        ),
        (
            "[database]\nurl = [\"secret\"]",
            "database.url must be a string",
        ),
        ("[psp.x]\nbearer = \"secret\"", "psp.x.connector is missing"),
    ] {
        let error = load(preset).unwrap_err();
        let text = format!("{error:#} {error:?}");
        assert!(text.contains(allowed), "{preset}: {text}");
        let is_repeated = text.contains("secret") || text.contains("731415");
        assert!(!is_repeated, "{preset}: {text}");
    }
}

#[test]
fn syntax_errors_name_the_position_and_quote_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("oncharge.toml");
    for line in [
        "master = \"k1:hunter2",
        "master = k1:hunter2",
        "master \"hunter2\"",
        "master = \"hunter2\\q\"",
        "hunter2",
        "pepper = \"hunter2\"\npepper = \"hunter2\"",
        "pepper = 123456789012345678901234567890",
    ] {
        std::fs::write(&file, format!("[keys]\n{line}\n")).unwrap();
        let error = Settings::load(Some(&file), "", None).unwrap_err();
        let text = format!("{error:#} {error:?}");
        assert!(text.contains(file.to_str().unwrap()), "{line}: {text}");
        assert!(text.contains("not valid TOML"), "{line}: {text}");
        let is_quoted = text.contains("hunter2") || text.contains("123456789");
        assert!(!is_quoted, "{line}: {text}");
        if line.contains("hunter2") {
            assert!(
                text.contains(": line ") && text.contains("column"),
                "{text}"
            );
        }
    }
}

#[test]
fn ops_hosts_accepts_host_names() {
    assert!(load("").unwrap().network.ops_hosts.is_empty());
    let names = ["ops.example.com", "oncharge_ops", "OPS-2.internal"];
    let set = format!("[network]\nops_hosts = {names:?}");
    assert_eq!(load(&set).unwrap().network.ops_hosts, names);
}

#[test]
fn secrets_are_masked() {
    let settings = load(
        "[database]\nurl = \"postgres://user:hunter2@host/db\"\n[keys]\nmaster = \"k:hunter2\"",
    )
    .unwrap();
    assert!(!format!("{settings:?}").contains("hunter2"));
    let error = format!("{:#}", settings.keys.configured().unwrap_err());
    assert!(
        error.contains("keys.master") && !error.contains("hunter2"),
        "{error}"
    );
}

#[test]
fn a_missing_key_names_its_variable() {
    let error = format!("{:#}", load("").unwrap().keys.configured().unwrap_err());
    assert!(error.contains("ONCHARGE__KEYS__MASTER"), "{error}");
}

#[test]
fn a_data_directory_writable_by_others_is_rejected() {
    use std::{fs, os::unix::fs::PermissionsExt};

    let dir = tempfile::tempdir().unwrap();
    let data_dir = dir.path().join("data");
    let entropy = crate::system::SystemEntropy::new();
    let open = || KeySettings::default().configured_or_stored(&data_dir, Some(&entropy));
    let set = |path: &Path, mode| {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    };
    create_private_dir(&data_dir).unwrap();
    let mode = fs::metadata(&data_dir).unwrap().permissions().mode();
    assert_eq!(mode & 0o7777, 0o700);
    open().unwrap();
    for mode in [0o770, 0o702, 0o1777] {
        set(&data_dir, mode);
        for refused in [create_private_dir(&data_dir), open().map(|_| ())] {
            let text = refused.unwrap_err().to_string();
            let names = [data_dir.to_str().unwrap(), &format!("mode {mode:04o}")];
            assert!(names.iter().all(|name| text.contains(name)), "{text}");
        }
    }
    set(&data_dir, 0o755);
    create_private_dir(&data_dir).unwrap();
    let file = data_dir.join("pepper.key");
    set(&file, 0o640);
    let text = open().unwrap_err().to_string();
    assert!(
        text.contains("pepper.key") && text.contains("mode 0640"),
        "{text}"
    );
}

#[test]
fn files_of_another_user_are_rejected() {
    let directory = Path::new("/srv/oncharge");
    for owner in [0, 1000] {
        keys::check_owner(directory, owner, 1000).unwrap();
    }
    for user in [0, 1000] {
        let refused = keys::check_owner(directory, 1001, user)
            .unwrap_err()
            .to_string();
        let names = ["/srv/oncharge", "user 1001"];
        assert!(names.iter().all(|name| refused.contains(name)), "{refused}");
    }
}

/// Only root can change a directory's owner; other users skip this test.
#[test]
fn a_data_directory_of_another_user_is_refused() {
    let parent = tempfile::tempdir().unwrap();
    let data_dir = parent.path().join("data");
    create_private_dir(&data_dir).unwrap();
    if std::os::unix::fs::chown(&data_dir, Some(1001), None).is_ok() {
        let refused = create_private_dir(&data_dir).unwrap_err().to_string();
        let names = [data_dir.to_str().unwrap(), "user 1001"];
        assert!(names.iter().all(|name| refused.contains(name)), "{refused}");
    }
}
