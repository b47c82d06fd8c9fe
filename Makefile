# What a person types. Each target sets up what it needs; a second time downloads nothing.

PYTHON ?= $(firstword $(foreach name,python3 python3.13 python3.12 python3.11,$(shell $(name) -c $(IS_NEW_ENOUGH) 2>/dev/null && echo $(name))))
UV ?= uv

IS_NEW_ENOUGH := 'import sys; sys.exit(sys.version_info < (3, 11))'
RUN := .venv/bin/python -m

export PIP_DISABLE_PIP_VERSION_CHECK := 1

.DEFAULT_GOAL := help
.PHONY: help setup demo test test-servers check lint bench soak lock dbt airflow

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# The jars are looked for each time (0.3 s): a stamp would not know that the cache was emptied.
setup: .venv/installed ## the virtual environment and the pinned jars, once
	@$(RUN) vigie.engine.jars

demo: setup ## simulated aircraft, from feed to gold; Ctrl-C ends it
	@.venv/bin/vigie demo flights

# A file's tests share what is dear to make: each of two processes takes whole files, in their order, with a Spark of its own.
SIDE_BY_SIDE := --numprocesses 2 --dist loadfile --no-loadscope-reorder

test: setup ## the tests that need no server (declarations, functions)
	@$(RUN) pytest tests --ignore tests/servers --ignore tests/torture $(SIDE_BY_SIDE)

test-servers: setup .venv-dbt/installed .venv-airflow/installed .venv-bqemulator/installed ## the tests with a real Kafka and real queries, end to end
	@$(RUN) pytest tests/servers $(SIDE_BY_SIDE)

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
	@$(UV) pip compile pyproject.toml --extra kafka --extra avro --extra mongo --extra bigquery \
		--extra postgres --extra notify --extra elastic --extra metrics --extra dashboard --extra dev --universal --generate-hashes \
		--no-annotate --no-header --quiet --output-file requirements.lock
	@for each in dbt airflow bqemulator; do $(UV) pip compile --group pyproject.toml:$$each --python-version 3.11 --universal \
		--generate-hashes --no-annotate --no-header --quiet --output-file requirements-$$each.lock; done

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

# dbt and Airflow want other versions of what Vigie stands on: each has an environment of its own. It is made once for
# a lock, in the cache, and linked here.
LAKE ?= $(or $(VIGIE_LAKE),./lake)
YESTERDAY = $(shell date -u -d yesterday +%F)
AIRFLOW_HOME ?= $(CURDIR)/.airflow
# Refuses a DAY that is none, or has not begun: Airflow would wait for it for ever.
A_DAY = @day="$(or $(DAY),$(YESTERDAY))"; test "$$(date -u -d "$$day" +%F 2> /dev/null)" = "$$day" && \
	test "$$(printf '%s\n' "$$day" "$$(date -u +%F)" | sort | tail -n 1)" = "$$(date -u +%F)" || \
	{ echo "DAY=$$day is no day that has begun: write it as DAY=$(YESTERDAY)" >&2; exit 2; }
ENVIRONMENTS := $(or $(VIGIE_CACHE),$(or $(XDG_CACHE_HOME),$(HOME)/.cache)/vigie)/environments
DBT_PROJECT := $(CURDIR)/src/vigie/activity/dbt

dbt: export VIGIE_LAKE := $(abspath $(LAKE))
dbt: export DBT_PROJECT_DIR := $(DBT_PROJECT)
dbt: export DBT_PROFILES_DIR := $(DBT_PROJECT)
dbt: export DBT_TARGET_PATH := $(CURDIR)/.dbt
dbt: .venv-dbt/installed ## marts of the lake's activity, built and tested on DuckDB (LAKE=./lake, DAY= for one day)
	$(A_DAY)
	@.venv-dbt/bin/dbt build $(if $(DAY),--vars '{day: $(DAY)}')

airflow: export VIGIE_LAKE := $(abspath $(LAKE))
airflow: export VIGIE_BIN := $(CURDIR)/.venv/bin
airflow: export DBT_BIN := $(CURDIR)/.venv-dbt/bin
airflow: export VIGIE_DAILY_SINCE := $(or $(DAY),$(YESTERDAY))
airflow: export VIGIE_DAILY_RETRIES := 0
airflow: export AIRFLOW_HOME := $(AIRFLOW_HOME)
airflow: export AIRFLOW__CORE__DAGS_FOLDER := $(CURDIR)/src/vigie/activity/dags
airflow: export AIRFLOW__CORE__LOAD_EXAMPLES := False
airflow: setup .venv-dbt/installed .venv-airflow/installed ## the daily DAG, run once (LAKE=./lake, DAY= or yesterday)
	$(A_DAY)
	@.venv-airflow/bin/airflow db migrate
	@.venv-airflow/bin/airflow dags test daily_statistics "$$VIGIE_DAILY_SINCE"

.venv-%/installed: requirements-%.lock
	@test -n "$(PYTHON)" || { echo "Vigie needs Python 3.11 or newer: make PYTHON=/path/to/python3.11" >&2; exit 1; }
	@set -e; home="$(ENVIRONMENTS)/$*-$$(sha256sum $< | cut -c -16)"; \
	if ! test -e "$$home/installed"; then \
		echo "Installing $$(grep -c '^[a-z].*==' $<) packages for $*, once; a minute or two ..." >&2; \
		$(PYTHON) -m venv --clear "$$home"; \
		"$$home/bin/python" -m pip install --quiet --no-deps --require-hashes --requirement $<; \
	fi; \
	touch "$$home/installed"; ln -sfn "$$home" .venv-$*
