#!/usr/bin/env bash
# Makes the invented tenant once for each version of the package, and audits it.
set -euo pipefail
cd "$(dirname "$0")/.."
sidedoor=.venv/bin/sidedoor
version=$("$sidedoor" --version)
if [ "$(cat demo-tenant/.version 2>/dev/null)" != "$version" ]; then
  rm -rf demo-tenant
  "$sidedoor" demo demo-tenant
  echo "$version" > demo-tenant/.version
fi
"$sidedoor" audit demo-tenant --dns demo-tenant/zones -o demo-report
