# shellcheck shell=bash
# Output of the scripts: headings and notes go to standard error, so that standard output has only the runners'.

if [[ -t 2 ]]; then BOLD=$'\e[1m' RED=$'\e[31m' PLAIN=$'\e[0m'; else BOLD='' RED='' PLAIN=''; fi

heading() { printf '\n%s── %s%s\n' "$BOLD" "$*" "$PLAIN" >&2; }
note() { printf '   %s\n' "$*" >&2; }
error() { printf '%s%s%s\n' "$RED" "$*" "$PLAIN" >&2; }

die() {
  error "$@"
  exit 1
}

have() { command -v "$1" >/dev/null 2>&1; }
is_root() { [[ $(id -u) == 0 ]]; }
