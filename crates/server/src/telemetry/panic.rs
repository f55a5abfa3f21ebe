//! Logs panics like other errors.

use std::panic::{self, PanicHookInfo};

/// Installs a hook that logs panics in the configured format.
pub(super) fn log_panics() {
    panic::set_hook(Box::new(|panic| {
        let location = panic
            .location()
            .map(|it| format!("{}:{}", source_path(it.file()), it.line()));
        let thread = std::thread::current();
        tracing::error!(
            thread = thread.name(),
            location,
            "panicked: {}",
            message(panic)
        );
    }));
}

fn message<'a>(panic: &'a PanicHookInfo<'_>) -> &'a str {
    let payload = panic.payload();
    let text = payload.downcast_ref::<&str>().copied();
    text.or_else(|| payload.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("without a message")
}

/// A source file's path without the directory of the build.
fn source_path(file: &str) -> &str {
    // Dependencies: …/registry/src/<registry>/<crate>/…; the standard library: /rustc/<commit>/….
    for before in ["/registry/src/", "/rustc/"] {
        if let Some((_, rest)) = file.split_once(before) {
            return rest.split_once('/').map_or(rest, |(_, path)| path);
        }
    }
    if file.starts_with('/') {
        return file.rsplit_once('/').map_or(file, |(_, name)| name);
    }
    file
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn source_paths_do_not_reveal_the_build_machine() {
        for (file, expected) in [
            ("crates/server/src/main.rs", "crates/server/src/main.rs"),
            (
                "/builds/cargo/registry/src/index.crates.io-1949cf8c6b5b557f/tokio-1.54.0/src/a.rs",
                "tokio-1.54.0/src/a.rs",
            ),
            (
                "/rustc/0123abc/library/core/src/a.rs",
                "library/core/src/a.rs",
            ),
            ("/builds/oncharge/src/main.rs", "main.rs"),
        ] {
            assert_eq!(source_path(file), expected);
        }
    }
}
