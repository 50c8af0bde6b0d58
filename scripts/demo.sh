#!/usr/bin/env bash
# Makes the invented tenant once for each state of the code that makes it, and audits it.
set -euo pipefail
cd "$(dirname "$0")/.."
sidedoor=.venv/bin/sidedoor
version=$(cat src/sidedoor/demo/*.py src/sidedoor/cli/demo.py | cksum)
if [ "$(cat demo-tenant/.version 2>/dev/null)" != "$version" ]; then
  rm -rf demo-tenant
  "$sidedoor" demo demo-tenant
  echo "$version" > demo-tenant/.version
fi
"$sidedoor" audit demo-tenant --dns demo-tenant/zones -o demo-report
