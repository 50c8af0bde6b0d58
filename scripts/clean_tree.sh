#!/usr/bin/env bash
# Fails in CI where the gate left something behind. Elsewhere changed files are a developer's work, and nothing is said.
set -euo pipefail
cd "$(dirname "$0")/.."
git rev-parse --is-inside-work-tree >/dev/null 2>&1 || exit 0
if [ "${CI:-}" = true ] && [ -n "$(git status --porcelain)" ]; then
  echo "check: the tree is not clean:" >&2
  git status --short >&2
  exit 1
fi
