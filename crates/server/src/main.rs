//! The `oncharge` binary.

fn main() -> std::process::ExitCode {
    oncharge::run()
}
