# Short names for common tasks. `just` lists them. CI calls the scripts, not this file.

# List the recipes.
default:
  @just --list --unsorted

# Run every test, or only those named: `just test domain`, `just test browser`.
test *WHAT:
  scripts/test {{WHAT}}

# Format all Rust code.
fmt:
  cargo fmt --all

# Check format and lints, as CI does.
lint:
  cargo fmt --all --check
  cargo clippy --workspace --all-targets --locked -- -D warnings

# Start the sandbox: API, simulator and demo shop on an embedded database.
run *FLAGS:
  cargo run --locked -- {{FLAGS}}

# Walk through one payment without a browser: created, authorized, captured, partially refunded.
demo:
  cargo run --locked -- demo

# Run a temporary PostgreSQL in the foreground and print the line that configures the tests for it.
postgres:
  scripts/postgres

# Check the domain's model deeper than the tests do, optimized: `just model 14`.
model DEPTH="12":
  ONCHARGE_MODEL_DEPTH={{DEPTH}} cargo test --release --locked -p oncharge-domain --test model -- --nocapture

# Kill nodes under faulty load and audit every cent and event, at length: `just kill9 --rounds 5 --seed 1`.
kill9 *ARGS:
  scripts/kill9 {{ARGS}}

# Find defects of the memory store that no law detects (needs cargo-mutants): `just mutants --shard 0/20`.
mutants *ARGS:
  cargo mutants -p oncharge-testkit --test-package oncharge-conformance -f 'crates/testkit/src/store/*.rs' --baseline skip --timeout 60 --cargo-test-arg=--test --cargo-test-arg=memory {{ARGS}}

# Measure requests per second and latencies, compared with the limits of this machine.
bench *ARGS:
  scripts/bench {{ARGS}}

# Fill a disposable, migrated PostgreSQL database: `just fill postgres://… 1000000`.
fill URL PAYMENTS="1000000":
  scripts/fill {{URL}} {{PAYMENTS}}

# Retake the screenshots in docs/images.
screenshots:
  scripts/screenshots

# Check licenses, sources and bans of all dependencies (needs cargo-deny).
deny:
  cargo deny --locked check bans licenses sources

# Regenerate openapi.json from the code.
openapi:
  cargo run --locked --quiet -- openapi > target/openapi.json
  mv target/openapi.json openapi.json
