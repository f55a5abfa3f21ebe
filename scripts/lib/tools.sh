# shellcheck shell=bash
# Programs that the tests need: found on the system, or installed if permitted.
#
# `grep … >/dev/null` and not `grep -q`: the latter exits early, and with pipefail a writer that
# fails because of the closed pipe looks like "not found".

readonly NODE_OLDEST=18

# ---- finding -------------------------------------------------------------------------------------

# cargo may be installed without being in this shell's PATH (directly after rustup).
find_cargo() {
  have cargo || PATH="${CARGO_HOME:-$HOME/.cargo}/bin:$PATH"
  have cargo || die "cargo was not found. Install Rust first: https://rustup.rs"
}

find_compiler() { have cc && printf '#include <stdio.h>\n' | cc -E - >/dev/null 2>&1; }

# Whether Node is new enough for the browser tests.
find_node() {
  have node && node -e "process.exit(parseInt(process.versions.node) >= $NODE_OLDEST ? 0 : 1)" 2>/dev/null
}

find_npm() { have npm && npm --version >/dev/null 2>&1; }

# Prints the path of a Chromium that starts. A snap is skipped: it has a private /tmp.
find_chromium() {
  local candidate path
  for candidate in "${ONCHARGE_TEST_CHROMIUM:-}" chromium chromium-browser google-chrome google-chrome-stable; do
    path=$(command -v "${candidate:-/nowhere}") || continue
    [[ $(readlink -f "$path") != */snap* ]] || continue
    "$path" --version --no-sandbox 2>/dev/null | grep -i chrom >/dev/null || continue
    printf '%s\n' "$path"
    return
  done
  fallback_chromium_is_unpacked && printf '%s\n' "$FALLBACK_CHROMIUM"
}

# ---- installing ----------------------------------------------------------------------------------

# Prints the missing Debian packages, one per line. Arguments: the required tools.
missing_packages() {
  local want
  find_compiler || echo build-essential
  for want in "$@"; do
    case $want in
      postgres) find_postgres >/dev/null || echo postgresql ;;
      node)
        find_node || echo nodejs
        find_npm || echo npm
        ;;
      examples) example_packages ;;
      chromium) find_chromium >/dev/null || chromium_packages ;;
    esac
  done
}

# The languages of docs/examples (Node is a separate argument).
example_packages() {
  have curl || echo curl
  have openssl || echo openssl
  have python3 || echo python3
  have php || echo php-cli
}

# Ubuntu has Chromium only as a snap, which needs a running snapd and a store. There Chromium is installed from
# the npm registry (install_fallback_chromium), and these are the libraries that it loads.
chromium_packages() {
  if distribution_is ubuntu; then
    have_library libnss3.so || echo libnss3
    have_library libexpat.so.1 || echo libexpat1
  else
    # Without any font, text in Chromium has no width and is invisible to the tests.
    printf '%s\n' chromium fonts-liberation
  fi
}

distribution_is() { grep -qsE "^ID=\"?$1\"?$" /etc/os-release; }
have_library() { ldconfig -p 2>/dev/null | grep -F "$1" >/dev/null; }

# Ensures that the required tools are installed, or ends the script with the names of the missing packages.
ensure_packages() {
  local missing package
  mapfile -t missing < <(missing_packages "$@")
  if ((${#missing[@]} > 0)); then
    may_install || explain_what_to_install "${missing[@]}"
    heading "installing ${missing[*]}"
    update_package_lists_if_stale
    # One by one, because one may include another (some nodejs packages include npm).
    for package in "${missing[@]}"; do
      missing_packages "$@" | grep -x "$package" >/dev/null || [[ $package == fonts-* ]] || continue
      install_package "$package" || die "apt-get could not install $package (see its output above)."
    done
  fi
  if [[ " $* " == *' chromium '* ]] && ! find_chromium >/dev/null; then install_fallback_chromium; fi
  mapfile -t missing < <(missing_packages "$@")
  ((${#missing[@]} == 0)) || explain_what_is_too_old "${missing[@]}"
}

may_install() {
  [[ ${NO_INSTALL:-} != yes ]] && have apt-get && { is_root || sudo -n true 2>/dev/null; }
}

as_root() {
  if is_root; then "$@"; else sudo -n "$@"; fi
}

apt() {
  as_root env DEBIAN_FRONTEND=noninteractive NEEDRESTART_MODE=l apt-get -qq \
    -o DPkg::Lock::Timeout=300 -o Acquire::Retries=2 -o Dpkg::Use-Pty=0 "$@" >&2
}

# An unreachable source is not an error: the others may have the packages.
update_package_lists() { apt update || note "apt-get update failed; continuing with the present package lists."; }

update_package_lists_if_stale() {
  [[ -n $(find /var/lib/apt/lists -name '*_Packages*' -mtime -1 -print -quit 2>/dev/null) ]] || update_package_lists
}

install_package() {
  apt install -y --no-install-recommends "$1" && return
  note "trying again with fresh package lists"
  update_package_lists
  apt install -y --no-install-recommends "$1"
}

explain_what_to_install() {
  error "The tests need missing packages, which this script may not install (it is" \
    "neither root nor allowed sudo without a password, or there is no apt-get, or --no-install was given)."
  printf 'Install these and run scripts/test again:\n\n  apt-get install %s\n\n' "$*" >&2
  note "(elsewhere: PostgreSQL $POSTGRES_OLDEST or newer with its server, Chromium, Node.js $NODE_OLDEST or newer with npm, a C compiler)"
  note "Without the browser tests: scripts/test --no-browser. With another PostgreSQL: set ONCHARGE_TEST_POSTGRES_URL."
  exit 1
}

explain_what_is_too_old() {
  error "Still missing after the installation, or too old in this system's packages: $*"
  note "Needed: PostgreSQL $POSTGRES_OLDEST or newer, Node.js $NODE_OLDEST or newer with npm, Chromium, a C compiler."
  exit 1
}

# ---- cargo's tools -----------------------------------------------------------------------------

# nextest runs each test in its own process. If it cannot be installed, `cargo test` is used.
ensure_nextest() {
  cargo nextest --version >/dev/null 2>&1 && return
  [[ ${NO_INSTALL:-} != yes ]] || return 1
  heading "installing cargo-nextest (once; some minutes)"
  cargo install --locked cargo-nextest >&2 && return
  note "cargo-nextest could not be installed; \`cargo test\` runs the tests instead."
  return 1
}

# Formatter and linter are not part of a minimal toolchain.
ensure_component() {
  cargo "$1" --version >/dev/null 2>&1 && return
  have rustup && [[ ${NO_INSTALL:-} != yes ]] && rustup component add "$2" >&2 && return
  return 1
}

# ---- npm packages --------------------------------------------------------------------------------

# `npm ci` if the lock file has changed since the last run.
ensure_node_modules() {
  local directory=$1
  [[ $directory/node_modules/.package-lock.json -nt $directory/package-lock.json ]] && return
  heading "npm ci in ${directory#"$ROOT/"}"
  (cd "$directory" && npm ci --loglevel=error >&2) || die "npm ci failed in $directory."
  touch "$directory/node_modules/.package-lock.json"
}

readonly FALLBACK_CHROMIUM_DIR="$TARGET/test-tools"
readonly FALLBACK_CHROMIUM="$FALLBACK_CHROMIUM_DIR/chromium"

fallback_chromium_is_unpacked() {
  [[ -x $FALLBACK_CHROMIUM ]] && "$FALLBACK_CHROMIUM" --version --no-sandbox 2>/dev/null | grep -i chrom >/dev/null
}

install_fallback_chromium() {
  local project="$ROOT/tests/browser/fallback-chromium"
  ensure_node_modules "$project"
  mkdir -p "$FALLBACK_CHROMIUM_DIR"
  # The package unpacks into the temporary directory: a private one, which others cannot have written to.
  (cd "$project" && TMPDIR="$FALLBACK_CHROMIUM_DIR" node --input-type=module -e \
    'import chromium from "@sparticuz/chromium"; await chromium.executablePath();') ||
    die "the Chromium of the npm registry could not be unpacked."
}
