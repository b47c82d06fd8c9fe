# What a person types. Each target sets up what it needs; a second time downloads nothing.

PYTHON ?= $(firstword $(foreach name,python3 python3.13 python3.12 python3.11,$(shell $(name) -c $(IS_NEW_ENOUGH) 2>/dev/null && echo $(name))))
UV ?= uv

IS_NEW_ENOUGH := 'import sys; sys.exit(sys.version_info < (3, 11))'
RUN := .venv/bin/python -m

.DEFAULT_GOAL := help
.PHONY: help setup setup-dev demo test test-servers nightly notebooks mutants check lint bench peers soak lock wheel dbt airflow python

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# What is there already is looked for each time (0.3 s): a stamp would not know that a cache was emptied.
setup: environment-runtime ## what runs Vigie on this machine, without Java, and nothing more

setup-dev: environment-dev ## what develops it, too: tests, types, a PostgreSQL, and a whole Spark with its jars
	@$(RUN) vigie.engines.spark.jars

demo: setup ## simulated aircraft on a live map; Ctrl-C ends it
	@.venv/bin/vigie demo flights

# A file's tests share what is dear to make: each of two processes takes whole files, in their order, with a Spark of its own.
# The slowest are named, so that whoever makes them longer sees it.
SIDE_BY_SIDE := --numprocesses 2 --dist loadfile --no-loadscope-reorder --durations 40 --durations-min 5

test: setup-dev ## the tests that need no server (declarations, functions)
	@$(RUN) pytest tests --ignore tests/servers --ignore tests/nightly $(SIDE_BY_SIDE)

test-servers: setup-dev environment-dbt environment-airflow environment-bqemulator ## the tests with a real Kafka and real queries, end to end
	@$(RUN) pytest tests/servers $(SIDE_BY_SIDE)

nightly: setup-dev environment-dbt environment-airflow environment-bqemulator ## what takes longer, into docs/nightly.md (PARTS="kills conformance spark map bench notebooks first mutants soak")
	@.venv/bin/python tools/nightly.py $(PARTS)

notebooks: setup-dev ## the notebooks of flights, from top to bottom; fails where they show other things than committed (WRITE=1 keeps them)
	@$(RUN) tools.notebooks $(ONLY) $(if $(WRITE),--write)

mutants: setup-dev ## small mistakes that no test sees, into docs/mutants.md (PARTS="flights sensors activity verdict detectors")
	@$(RUN) tools.mutants $(PARTS)

check: lint test ## style, types and imports, then the tests: what CI runs first

lint: setup-dev ## style, types and imports alone
	@$(RUN) ruff check .
	@$(RUN) ruff format --check .
	@$(RUN) mypy --strict src tests tools
	@.venv/bin/lint-imports --no-logo

bench: setup-dev ## Vigie beside programs by hand and the frameworks that `make peers` installs, on this machine
	@$(RUN) bench

peers: environment-bytewax environment-quix environment-pathway environment-flink ## the frameworks that Vigie is measured beside

soak: setup-dev ## an hour and a half of live feed: latency and memory stay flat
	@$(RUN) bench soak

wheel: setup ## Vigie as one file, to install elsewhere (TO=dist)
	@$(RUN) hatchling build --target wheel --directory $(or $(TO),dist)

# Exactly what locks/NAME.lock pins: .venv for runtime and dev; dbt, Airflow and the BigQuery emulator want other
# versions of what Vigie stands on, so each has an environment of its own in the cache, linked here as .venv-NAME.
environment-%: python
	@$(PYTHON) tools/install.py $*

python:
	@test -n "$(PYTHON)" && $(PYTHON) -c $(IS_NEW_ENOUGH) || { \
		echo "Vigie needs Python 3.11 or newer, and $(or $(PYTHON),python3) is not." >&2; \
		echo "Install one (Debian, Ubuntu: apt install python3 python3-venv), or name it: make $(or $(MAKECMDGOALS),demo) PYTHON=/path/to/python3.11" >&2; \
		exit 2; }

# What Vigie is measured beside, each in an environment of its own.
PEERS := bytewax quix pathway flink

LOCK := $(UV) pip compile --universal --python-version 3.11 --generate-hashes --no-annotate --no-header --quiet
EXTRAS := $(foreach extra,kafka avro mongo bigquery postgres notify elastic metrics dashboard,--extra $(extra))

lock: ## pin again, as new as pyproject.toml allows (needs uv)
	@$(LOCK) --upgrade pyproject.toml --extra embedded $(EXTRAS) --group pyproject.toml:build --output-file locks/runtime.lock
	@$(LOCK) --upgrade pyproject.toml --extra spark $(EXTRAS) --extra report --extra notebooks --extra dev --group pyproject.toml:build \
		--constraints locks/runtime.lock --output-file locks/dev.lock
	@$(LOCK) --upgrade --group pyproject.toml:build --constraints locks/runtime.lock --output-file locks/build.lock
	@for each in uv dbt airflow bqemulator $(PEERS); do \
		$(LOCK) --upgrade --group pyproject.toml:$$each --output-file locks/$$each.lock || exit; done

LAKE ?= $(or $(VIGIE_LAKE),./lake)
YESTERDAY = $(shell date -u -d yesterday +%F)
AIRFLOW_HOME ?= $(CURDIR)/.airflow
# Refuses a DAY that is none, or has not begun: Airflow would wait for it for ever.
A_DAY = @day="$(or $(DAY),$(YESTERDAY))"; test "$$(date -u -d "$$day" +%F 2> /dev/null)" = "$$day" && \
	test "$$(printf '%s\n' "$$day" "$$(date -u +%F)" | sort | tail -n 1)" = "$$(date -u +%F)" || \
	{ echo "DAY=$$day is no day that has begun: write it as DAY=$(YESTERDAY)" >&2; exit 2; }
DBT_PROJECT := $(CURDIR)/src/vigie/activity/dbt

dbt: export VIGIE_LAKE := $(abspath $(LAKE))
dbt: export DBT_PROJECT_DIR := $(DBT_PROJECT)
dbt: export DBT_PROFILES_DIR := $(DBT_PROJECT)
dbt: export DBT_TARGET_PATH := $(CURDIR)/.dbt
dbt: environment-dbt ## marts of the lake's activity, built and tested on DuckDB (LAKE=./lake, DAY= for one day)
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
airflow: setup environment-dbt environment-airflow ## the daily DAG, run once (LAKE=./lake, DAY= or yesterday)
	$(A_DAY)
	@.venv-airflow/bin/airflow db migrate
	@.venv-airflow/bin/airflow dags test daily_statistics "$$VIGIE_DAILY_SINCE"
