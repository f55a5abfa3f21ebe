# shellcheck shell=bash
# The numbers of passed and failed tests from each runner's output. Each function prints "PASSED FAILED".

# From nextest's JUnit report. No file: the run ended before the first test.
counts_of_junit() {
  [[ -f $1 ]] || return 1
  local head tests failures errors
  head=$(grep -m1 -o '<testsuites [^>]*>' "$1") || return 1
  tests=$(attribute tests "$head") failures=$(attribute failures "$head") errors=$(attribute errors "$head")
  echo "$((tests - failures - errors)) $((failures + errors))"
}

attribute() { sed -E "s/.* $1=\"([0-9]+)\".*/\1/" <<<"$2"; }

# From the "test result:" lines of `cargo test`, one per test binary.
counts_of_cargo_test() {
  awk '/^test result:/ { for (i = 2; i <= NF; i++) { if ($i ~ /^passed/) p += $(i-1); if ($i ~ /^failed/) f += $(i-1) } }
       END { print p + 0, f + 0 }' "$1"
}

# From the summary of node's TAP reporter. A cancelled test (time-out) counts as failed.
counts_of_tap() {
  awk '/^# pass / { p = $3 } /^# (fail|cancelled) / { f += $3 } END { print p + 0, f + 0 }' "$1"
}
