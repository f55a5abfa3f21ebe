# shellcheck shell=bash
# How many tests passed and failed, read from what each runner leaves. Each function prints "PASSED FAILED".

# nextest's JUnit report. No file: the run ended before the first test.
counts_of_junit() {
  [[ -f $1 ]] || return 1
  local head tests failures errors
  head=$(grep -m1 -o '<testsuites [^>]*>' "$1") || return 1
  tests=$(attribute tests "$head") failures=$(attribute failures "$head") errors=$(attribute errors "$head")
  echo "$((tests - failures - errors)) $((failures + errors))"
}

attribute() { sed -E "s/.* $1=\"([0-9]+)\".*/\1/" <<<"$2"; }

# The "test result:" lines of `cargo test`, one for each test binary.
counts_of_cargo_test() {
  awk '/^test result:/ { for (i = 2; i <= NF; i++) { if ($i ~ /^passed/) p += $(i-1); if ($i ~ /^failed/) f += $(i-1) } }
       END { print p + 0, f + 0 }' "$1"
}

# The summary of node's TAP reporter. A cancelled test (its time ran out) did not pass.
counts_of_tap() {
  awk '/^# pass / { p = $3 } /^# (fail|cancelled) / { f += $3 } END { print p + 0, f + 0 }' "$1"
}
