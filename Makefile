# What a person types. Each target sets up what it needs; a second time downloads nothing.

PYTHON ?= $(firstword $(foreach name,python3 python3.13 python3.12 python3.11,$(shell $(name) -c $(IS_NEW_ENOUGH) 2>/dev/null && echo $(name))))
UV ?= uv

IS_NEW_ENOUGH := 'import sys; sys.exit(sys.version_info < (3, 11))'
RUN := .venv/bin/python -m

export PIP_DISABLE_PIP_VERSION_CHECK := 1

.DEFAULT_GOAL := help
.PHONY: help setup demo test test-servers check lint bench soak lock

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# The jars are looked for each time (0.3 s): a stamp would not know that the cache was emptied.
setup: .venv/installed ## the virtual environment and the pinned jars, once
	@$(RUN) vigie.engine.jars

demo: setup ## simulated aircraft, from feed to gold; Ctrl-C ends it
	@.venv/bin/vigie demo flights

test: setup ## the tests that need no server (declarations, functions)
	@$(RUN) pytest tests --ignore tests/servers --ignore tests/torture

test-servers: setup ## the tests with a real Kafka and real queries, end to end
	@$(RUN) pytest tests/servers

check: lint test ## style, types and imports, then the tests: what CI runs first

lint: setup ## style, types and imports alone
	@$(RUN) ruff check .
	@$(RUN) ruff format --check .
	@$(RUN) mypy --strict src tests
	@.venv/bin/lint-imports --no-logo

bench: setup ## Vigie beside hand-written PySpark, on this machine
	@$(RUN) bench

soak: setup ## half an hour of live feed: latency and memory stay flat
	@$(RUN) bench soak

lock: ## pin again what pyproject.toml asks for (needs uv)
	@$(UV) pip compile pyproject.toml --extra kafka --extra postgres --extra notify --extra dev --universal --generate-hashes \
		--no-annotate --no-header --quiet --output-file requirements.lock

.venv/made:
	@test -n "$(PYTHON)" && $(PYTHON) -c $(IS_NEW_ENOUGH) || { \
		echo "Vigie needs Python 3.11 or newer, and $(or $(PYTHON),python3) is none." >&2; \
		echo "Install one, or name it: make $(MAKECMDGOALS) PYTHON=/path/to/python3.11" >&2; exit 1; }
	@$(PYTHON) -m venv .venv
	@touch $@

.venv/installed: .venv/made requirements.lock pyproject.toml
	@echo "Installing $$(grep -c '^[a-z].*==' requirements.lock) packages into .venv, once; a few minutes ..." >&2
	@$(RUN) pip install --quiet --use-pep517 --require-hashes --requirement requirements.lock
	@$(RUN) pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@
