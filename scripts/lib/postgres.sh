# shellcheck shell=bash disable=SC2034
# A temporary PostgreSQL cluster: created in a temporary directory, removed when the script ends.

readonly POSTGRES_OLDEST=15

POSTGRES_DIR='' # of the cluster that this script started; empty if there is none
POSTGRES_URL='' # read by the scripts that source this file
POSTGRES_WATCHDOG=''

# Prints the directory with initdb, pg_ctl and postgres of the newest PostgreSQL on this
# machine; fails if there is none, or none new enough. (psql alone is only a client.)
find_postgres() {
  local directory version best='' best_version=$((POSTGRES_OLDEST - 1))
  while read -r directory; do
    [[ -x $directory/initdb && -x $directory/pg_ctl && -x $directory/postgres ]] || continue
    version=$("$directory/postgres" --version 2>/dev/null | sed -E 's/^[^0-9]*([0-9]+).*/\1/')
    [[ $version =~ ^[0-9]+$ ]] || continue
    if ((version > best_version)); then best=$directory best_version=$version; fi
  done < <(postgres_directories)
  [[ -n $best ]] && printf '%s\n' "$best"
}

postgres_directories() {
  if have initdb; then dirname "$(readlink -f "$(command -v initdb)")"; fi
  if have pg_config; then pg_config --bindir; fi
  printf '%s\n' /usr/lib/postgresql/*/bin /usr/pgsql-*/bin /usr/local/pgsql/bin
}

# The account that runs the server. The server refuses root, so root uses `postgres` or `nobody`.
postgres_account() {
  if id postgres >/dev/null 2>&1; then echo postgres; else echo nobody; fi
}

as_postgres() {
  if is_root; then
    local account
    account=$(postgres_account)
    setpriv --reuid="$account" --regid="$(id -g "$account")" --clear-groups -- \
      env HOME="$POSTGRES_DIR" USER="$account" LOGNAME="$account" "$@"
  else
    "$@"
  fi
}

# Starts the cluster and sets POSTGRES_URL. Its data is disposable, so fsync is off, unless
# POSTGRES_DURABLE=yes (a benchmark must include the cost of commits). It listens on loopback only,
# on a free port, without passwords.
start_postgres() {
  local bin
  bin=$(find_postgres) || die "PostgreSQL $POSTGRES_OLDEST or newer (initdb, pg_ctl, postgres) was not found."
  make_postgres_directory
  # The server's account may not be able to enter the caller's directory.
  pushd "$POSTGRES_DIR" >/dev/null || return
  as_postgres "$bin/initdb" --no-sync --auth=trust --username=postgres --encoding=UTF8 --locale=C \
    -D "$POSTGRES_DIR/data" >"$POSTGRES_DIR/initdb.log" 2>&1 || {
    cat "$POSTGRES_DIR/initdb.log" >&2
    die "initdb failed (see its output above)."
  }
  postgres_settings | as_postgres tee -a "$POSTGRES_DIR/data/postgresql.conf" >/dev/null
  watch_over_postgres "$bin"
  start_on_a_free_port "$bin"
  popd >/dev/null || return
}

make_postgres_directory() {
  # Not in $TMPDIR: a socket's path is limited to 107 bytes, and another account needs access.
  # /tmp may be memory, /var/tmp is a disk.
  local place=/tmp
  if [[ ${POSTGRES_DURABLE:-} == yes ]]; then place=/var/tmp; fi
  POSTGRES_DIR=$(mktemp -d "$place/oncharge-postgres.XXXXXX")
  if is_root; then chown "$(postgres_account)" "$POSTGRES_DIR"; fi
}

postgres_settings() {
  cat <<SETTINGS
listen_addresses = '127.0.0.1'
unix_socket_directories = '$POSTGRES_DIR'
max_connections = 300
SETTINGS
  [[ ${POSTGRES_DURABLE:-} == yes ]] || cat <<'SETTINGS'
fsync = off
full_page_writes = off
wal_level = minimal
max_wal_senders = 0
SETTINGS
}

start_on_a_free_port() {
  local bin=$1 port attempt
  for attempt in {1..20}; do
    port=$((20000 + RANDOM % 12000)) # below the ephemeral range
    port_is_free "$port" || continue
    if as_postgres "$bin/pg_ctl" start --wait --silent -D "$POSTGRES_DIR/data" \
      -l "$POSTGRES_DIR/log" -o "-p $port" >/dev/null 2>&1; then
      POSTGRES_URL="postgres://postgres@127.0.0.1:$port/postgres"
      return
    fi
    # Another process may have taken the port; other errors are permanent.
    grep -q 'could not bind' "$POSTGRES_DIR/log" 2>/dev/null || break
  done
  tail -n 20 "$POSTGRES_DIR/log" >&2 || true
  die "PostgreSQL did not start (attempt $attempt; see its log above)."
}

port_is_free() { ! (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# A trap does not run if the script is killed with SIGKILL, so a separate process waits for its end.
watch_over_postgres() {
  local bin=$1
  export -f as_postgres postgres_account is_root
  # shellcheck disable=SC2016 # the inner shell expands it
  POSTGRES_DIR=$POSTGRES_DIR setsid bash -c '
    trap "" INT
    while kill -0 "$1" 2>/dev/null; do sleep 1; done
    as_postgres "$2/pg_ctl" stop --mode=immediate --silent -D "$POSTGRES_DIR/data"
    rm -rf "$POSTGRES_DIR"
  ' watchdog "$$" "$bin" </dev/null >/dev/null 2>&1 &
  POSTGRES_WATCHDOG=$!
  disown "$POSTGRES_WATCHDOG"
}

# Safe to call repeatedly, and if nothing was started.
stop_postgres() {
  [[ -n $POSTGRES_DIR ]] || return 0
  local directory=$POSTGRES_DIR bin
  if bin=$(find_postgres) && [[ -f $directory/data/postmaster.pid ]]; then
    (cd "$directory" && as_postgres "$bin/pg_ctl" stop --mode=immediate --silent -D "$directory/data") \
      >/dev/null 2>&1 || true
  fi
  if [[ -n $POSTGRES_WATCHDOG ]]; then kill "$POSTGRES_WATCHDOG" 2>/dev/null || true; fi
  rm -rf "$directory"
  POSTGRES_DIR='' POSTGRES_URL='' POSTGRES_WATCHDOG=''
}
