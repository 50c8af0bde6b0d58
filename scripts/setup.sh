#!/usr/bin/env bash
# Sets up one thing: `setup.sh venv` the virtual environment, `setup.sh apt` what tests need from Debian,
# `setup.sh parsedmarc` a peer for `make bench`.
set -euo pipefail
cd "$(dirname "$0")/.."
python=${PYTHON:-python3}

as_root() { [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; }

apt_install() {
  export DEBIAN_FRONTEND=noninteractive
  { apt-get install -y -q "$@" || { apt-get update -q && apt-get install -y -q "$@"; }; } >/dev/null
}

venv() {
  if ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
    as_root && apt_install python3
    if ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
      echo "setup: Python 3.11 or newer is needed ($python)" >&2
      exit 1
    fi
  fi
  if [ ! -x .venv/bin/python ] || ! .venv/bin/python -m pip --version >/dev/null 2>&1; then
    rm -rf .venv
    if ! "$python" -m venv .venv >/dev/null 2>&1; then
      rm -rf .venv
      as_root || { echo "setup: $python has no venv module; install python3-venv" >&2; exit 1; }
      apt_install python3-venv
      "$python" -m venv .venv
    fi
  fi
  .venv/bin/python -m pip install --quiet --editable .
}

apt() {
  local missing=()
  command -v chromium >/dev/null || missing+=(chromium fonts-dejavu-core)
  command -v java >/dev/null || missing+=(default-jre-headless) # Spark
  command -v swaks >/dev/null || missing+=(swaks)
  # Debian keeps PostgreSQL's programs out of the path.
  compgen -G '/usr/lib/postgresql/*/bin/pg_ctl' >/dev/null || command -v pg_ctl >/dev/null || missing+=(postgresql)
  { [ -x /usr/sbin/postfix ] && command -v smtp-sink >/dev/null; } || missing+=(postfix)
  [ -x /usr/sbin/haproxy ] || missing+=(haproxy)
  if [ ${#missing[@]} != 0 ] && ! { as_root && apt_install "${missing[@]}"; }; then
    echo "setup: missing ${missing[*]}; the tests that need them are skipped by name" >&2
  fi
  # What Debian recommends beside npm is a compiler and 300 MB.
  command -v npm >/dev/null || { as_root && apt_install --no-install-recommends nodejs npm; } || true
  kusto
}

# Microsoft's Kusto language service, for the tests of hunting queries.
kusto() {
  [ -d .venv/kusto/node_modules/@kusto/language-service-next ] && return 0
  if command -v npm >/dev/null; then
    mkdir -p .venv/kusto
    npm install --silent --no-audit --no-fund --prefix .venv/kusto @kusto/language-service-next >/dev/null 2>&1 && return 0
  fi
  echo "setup: no @kusto/language-service-next from npm; the tests that need it are skipped by name" >&2
}

# The peer of benchmarks/dmarc_reports.py: its many dependencies are not to meet ours.
parsedmarc() {
  [ -x .venv/parsedmarc/bin/parsedmarc ] && return 0
  .venv/bin/python -m venv .venv/parsedmarc >/dev/null 2>&1 \
    && .venv/parsedmarc/bin/python -m pip install --quiet parsedmarc && return 0
  echo "setup: parsedmarc could not be installed; its ratios are left out by name" >&2
}

"$1"
