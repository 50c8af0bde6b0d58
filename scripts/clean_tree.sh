#!/usr/bin/env bash
# Fails where the gate left something behind. Outside CI only new files count: a developer's edits are his own.
set -euo pipefail
cd "$(dirname "$0")/.."
git rev-parse --is-inside-work-tree >/dev/null 2>&1 || exit 0
if [ "${CI:-}" = true ] && [ -n "$(git status --porcelain)" ]; then
  echo "check: the tree is not clean:" >&2
  git status --short >&2
  exit 1
fi
