//! The names of all settings, so that a misspelled one is an error at startup.

use anyhow::bail;
use config::{Map, Value, ValueKind};

/// All settings except those of PSP accounts.
const SETTINGS: [&str; 22] = [
    "mode",
    "network.bind",
    "network.port",
    "network.ops_bind",
    "network.ops_port",
    "network.ops_hosts",
    "network.trusted_proxies",
    "network.behind_tls",
    "limits.key_per_second",
    "limits.key_burst",
    "limits.address_per_second",
    "limits.address_burst",
    "limits.address_connections",
    "database.url",
    "database.pool_size",
    "keys.master",
    "keys.pepper",
    "checkout.session_ttl_seconds",
    "checkout.ban_answers_per_hour",
    "webhooks.clock",
    "log.format",
    "log.filter",
];

/// The settings of a PSP account, under `psp.<account>`.
const PSP_SETTINGS: [&str; 5] = [
    "connector",
    "url",
    "bearer",
    "notification_key",
    "notify_url",
];

/// The prefix of all variables meant for this program.
const PREFIX: &str = "ONCHARGE_";
/// The prefix of settings.
const SETTING_PREFIX: &str = "ONCHARGE__";
/// Variables of merchants' programs, including `oncharge sign` and the examples.
const CLIENT_VARIABLES: [&str; 3] = ["ONCHARGE_URL", "ONCHARGE_API_KEY", "ONCHARGE_API_SECRET"];
/// Prefixes of the variables of this project's tests, simulator and examples; not used in
/// production.
const TOOL_VARIABLE_PREFIXES: [&str; 6] = [
    "ONCHARGE_TEST_",
    "ONCHARGE_REPLAY_",
    "ONCHARGE_KILL9_",
    "ONCHARGE_MODEL_",
    "ONCHARGE_SIMULATOR_",
    "ONCHARGE_SIGNING_SECRET",
];

/// Number of names that an error suggests.
const SUGGESTIONS: usize = 3;

/// Whether variables of this project's tools are accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ToolVariables {
    /// Accepted: tests or the simulator may run in the same shell.
    Accepted,
    /// Refused, like any variable that is not a setting.
    Refused,
}

/// Refuses variables of this process that start with `ONCHARGE_` but are not settings.
pub(super) fn check_environment(tools: ToolVariables) -> anyhow::Result<()> {
    let names = std::env::vars_os().map(|(name, _)| name.to_string_lossy().into_owned());
    check_variables(names, tools)
}

fn check_variables(
    names: impl Iterator<Item = String>,
    tools: ToolVariables,
) -> anyhow::Result<()> {
    for name in names {
        let upper = name.to_ascii_uppercase();
        let is_accepted = !upper.starts_with(PREFIX)
            || CLIENT_VARIABLES.contains(&name.as_str())
            || tools == ToolVariables::Accepted
                && TOOL_VARIABLE_PREFIXES
                    .iter()
                    .any(|prefix| upper.starts_with(prefix));
        let setting = upper
            .strip_prefix(SETTING_PREFIX)
            .map(|rest| rest.replace("__", ".").to_ascii_lowercase());
        if is_accepted || setting.is_some_and(|setting| is_setting(&setting)) {
            continue;
        }
        let target = upper.strip_prefix(PREFIX).unwrap_or_default();
        let nearest = nearest(target).map(|setting| variable(&setting)).join(", ");
        bail!(
            "the environment variable {name} is not a setting; similar names are {nearest}. \
             Correct or unset it: every variable that starts with {PREFIX} must be a setting"
        );
    }
    Ok(())
}

/// Refuses keys that are not settings.
pub(super) fn check_keys(values: &Map<String, Value>) -> anyhow::Result<()> {
    for (key, value) in values {
        check_key(key, value)?;
    }
    Ok(())
}

fn check_key(path: &str, value: &Value) -> anyhow::Result<()> {
    if let ValueKind::Table(table) = &value.kind {
        for (key, value) in table {
            check_key(&format!("{path}.{key}"), value)?;
        }
        return Ok(());
    }
    if is_setting(path) {
        return Ok(());
    }
    let source = value.origin().unwrap_or("the configuration");
    bail!(
        "{source}: {path} is not a setting; similar names are {}",
        nearest(path).join(", ")
    );
}

fn is_setting(path: &str) -> bool {
    let account_setting = path
        .strip_prefix("psp.")
        .and_then(|rest| rest.split_once('.'));
    match account_setting {
        Some((account, setting)) => !account.is_empty() && PSP_SETTINGS.contains(&setting),
        None => SETTINGS.contains(&path),
    }
}

/// The environment variable of a setting.
fn variable(setting: &str) -> String {
    let rest = setting.to_ascii_uppercase().replace('.', "__");
    format!("{SETTING_PREFIX}{rest}")
}

/// The settings whose names are most similar to this text, most similar first.
fn nearest(text: &str) -> [String; SUGGESTIONS] {
    let normalized = |text: &str| {
        let parts = text.split(|c: char| !c.is_ascii_alphanumeric());
        let parts: Vec<_> = parts.filter(|part| !part.is_empty()).collect();
        parts.join("_").to_ascii_lowercase()
    };
    let target = normalized(text);
    let account = target
        .strip_prefix("psp_")
        .and_then(|it| it.split('_').next());
    let account = account.unwrap_or("default");
    let account_setting = PSP_SETTINGS.map(|setting| format!("psp.{account}.{setting}"));
    let mut all: Vec<String> = SETTINGS.map(str::to_owned).into();
    all.extend(account_setting);
    let distance = |setting: &String| strsim::damerau_levenshtein(&target, &normalized(setting));
    all.sort_by_key(distance);
    let mut all = all.into_iter();
    std::array::from_fn(|_| all.next().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::config::Settings;

    fn refusal(name: &str, tools: ToolVariables) -> Option<String> {
        let checked = check_variables(std::iter::once(name.to_owned()), tools);
        checked.err().map(|error| error.to_string())
    }

    #[test]
    fn an_unknown_variable_is_rejected_with_suggestions() {
        for (name, nearest) in [
            ("ONCHARGE_DATABASE_URL", "ONCHARGE__DATABASE__URL"),
            ("ONCHARGE__DATABSE__URL", "ONCHARGE__DATABASE__URL"),
            ("ONCHARGE__DATABASE_URL", "ONCHARGE__DATABASE__URL"),
            ("oncharge_database_url", "ONCHARGE__DATABASE__URL"),
            ("ONCHARGE__KEYS__MASTERS", "ONCHARGE__KEYS__MASTER"),
            ("ONCHARGE__PSP__EU__BEARRER", "ONCHARGE__PSP__EU__BEARER"),
        ] {
            let text = refusal(name, ToolVariables::Accepted).unwrap();
            assert!(text.contains(&format!("{name} is not a setting")), "{text}");
            assert!(text.contains(&format!("names are {nearest}")), "{text}");
        }
    }

    #[test]
    fn settings_and_unrelated_variables_are_accepted() {
        let known = SETTINGS.iter().map(|setting| variable(setting));
        let others = ["ONCHARGE__PSP__EU__URL", "ONCHARGE_API_KEY", "ONCHARGE_URL"];
        let others = [&others[..], &["ONCHARGE_API_SECRET", "PATH"]].concat();
        for name in known.chain(others.into_iter().map(str::to_owned)) {
            assert_eq!(refusal(&name, ToolVariables::Refused), None);
        }
        for tool_variable in ["ONCHARGE_TEST_POSTGRES_URL", "ONCHARGE_KILL9_SEED"] {
            assert_eq!(refusal(tool_variable, ToolVariables::Accepted), None);
            assert!(refusal(tool_variable, ToolVariables::Refused).is_some());
        }
    }

    /// The list equals the names that serde expects in each table.
    #[test]
    fn the_setting_list_matches_the_structs() {
        let tables = SETTINGS.iter().filter_map(|it| it.split_once('.'));
        let tables: BTreeSet<_> = tables.map(|(table, _)| table).collect();
        let mut expected = BTreeSet::from(["mode".to_owned()]);
        let psp = expected_in("psp.x", "");
        for table in &tables {
            expected.extend(expected_in(table, table));
        }
        let listed: BTreeSet<_> = SETTINGS.iter().map(ToString::to_string).collect();
        assert_eq!(listed, expected);
        let listed: BTreeSet<_> = PSP_SETTINGS.iter().map(ToString::to_string).collect();
        assert_eq!(psp, listed);
        let top: BTreeSet<_> = tables.iter().map(ToString::to_string).collect();
        let mut expected = expected_in("", "");
        assert!(expected.remove("mode") && expected.remove("psp"));
        assert_eq!(top, expected);
    }

    /// The names that serde reports for a table with an unknown key.
    fn expected_in(table: &str, prefix: &str) -> BTreeSet<String> {
        let header = if table.is_empty() {
            String::new()
        } else {
            format!("[{table}]\n")
        };
        let text = format!("{header}nope = 1");
        let defaults = include_str!("defaults.toml");
        let build = config::Config::builder()
            .add_source(config::File::from_str(defaults, config::FileFormat::Toml))
            .add_source(config::File::from_str(&text, config::FileFormat::Toml));
        let read = build.build().unwrap().try_deserialize::<Settings>();
        let error = read.unwrap_err().to_string();
        let (_, names) = error
            .split_once("expected")
            .unwrap_or_else(|| panic!("{error}"));
        let names = names.split(" for key").next().unwrap_or_default();
        let names = names.split('`').skip(1).step_by(2);
        let join = |name: &str| match prefix {
            "" => name.to_owned(),
            prefix => format!("{prefix}.{name}"),
        };
        names.map(join).collect()
    }
}
