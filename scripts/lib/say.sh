# shellcheck shell=bash
# How the scripts speak: headings and notes to standard error, so that standard output stays the runners'.

if [[ -t 2 ]]; then BOLD=$'\e[1m' RED=$'\e[31m' PLAIN=$'\e[0m'; else BOLD='' RED='' PLAIN=''; fi

heading() { printf '\n%s── %s%s\n' "$BOLD" "$*" "$PLAIN" >&2; }
note() { printf '   %s\n' "$*" >&2; }
complain() { printf '%s%s%s\n' "$RED" "$*" "$PLAIN" >&2; }

die() {
  complain "$@"
  exit 1
}

have() { command -v "$1" >/dev/null 2>&1; }
is_root() { [[ $(id -u) == 0 ]]; }
