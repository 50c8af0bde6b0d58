# Sidedoor's commands. Each sets up what it needs: a virtual environment in .venv with the package in it.
# `make demo` and `make test` are the two a newcomer needs; `make check` is the gate, the same here and in CI.

SHELL := /bin/bash
PYTHON ?= python3
BIN := .venv/bin
# Within .venv, so that whoever removes it removes what is said of it.
STAMPS := .venv/stamps
.DEFAULT_GOAL := help
.PHONY: help demo journey test check bench release clean format

help: ## list the commands
	@grep -E '^[a-z]+:.*## ' Makefile | sed -E 's/^([a-z]+):.*## /  make \1\t/' | expand -t 16

$(STAMPS)/venv: pyproject.toml scripts/setup.sh
	@PYTHON=$(PYTHON) bash scripts/setup.sh venv
	@mkdir -p $(STAMPS) && touch $@

$(STAMPS)/dev: $(STAMPS)/venv
	@$(BIN)/python -m pip install --quiet --editable '.[dev]'
	@touch $@

$(STAMPS)/apt: scripts/setup.sh | $(STAMPS)/venv
	@bash scripts/setup.sh apt
	@touch $@

$(STAMPS)/docs: $(STAMPS)/venv
	@$(BIN)/python -m pip install --quiet --editable '.[docs]'
	@touch $@

demo: $(STAMPS)/venv ## make an invented tenant, audit it, say where the report lies
	@bash scripts/demo.sh

journey: $(STAMPS)/dev ## walk from an open door to a closed one and back against the twin, with and without a forwarder
	@$(BIN)/python scripts/journey.py
	@$(BIN)/python scripts/journey.py --forwarder

release: $(STAMPS)/venv ## build wheel, sdist, SBOM and checksums into build/dist, and try the wheel in an empty environment
	@$(BIN)/python -m pip install --quiet --editable '.[release]'
	@$(BIN)/python scripts/release.py

test: $(STAMPS)/dev $(STAMPS)/apt ## run all tests
	@$(BIN)/python -m pytest -n 3 --dist loadgroup -rs

check: $(STAMPS)/dev $(STAMPS)/apt ## format, lint, types, import contracts, tests; leaves the tree clean
	$(BIN)/ruff format --check src tests benchmarks scripts
	$(BIN)/ruff check src tests benchmarks scripts
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m pytest -n 3 --dist loadgroup -rs
	@bash scripts/clean_tree.sh

format: $(STAMPS)/dev ## let ruff format and mend what it can
	$(BIN)/ruff format src tests benchmarks scripts
	$(BIN)/ruff check --fix src tests benchmarks scripts

.PHONY: docs
docs: $(STAMPS)/docs ## build the site of docs/ into build/site; warnings are errors
	@NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict # with --quiet it would not notice warnings
	@echo "The site lies in build/site: open build/site/index.html"

# parsedmarc has an environment of its own. Goals that were missed are in the table; `make` fails where a benchmark did.
$(STAMPS)/bench: $(STAMPS)/dev pyproject.toml
	@$(BIN)/python -m pip install --quiet --editable '.[bench]'
	@bash scripts/setup.sh parsedmarc
	@touch $@

bench: $(STAMPS)/bench $(STAMPS)/apt ## run the benchmarks, print every ratio, write benchmarks/RESULTS.md; BENCH=--quick for a look
	@$(BIN)/python benchmarks $(BENCH)

clean: ## remove what the commands made
	rm -rf .venv demo-tenant demo-report build dist *.egg-info src/*.egg-info
