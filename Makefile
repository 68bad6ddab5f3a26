# `make help` lists the targets.
PYTHON ?= python3
PORT ?= 8000
BIN := .venv/bin
PIP := $(BIN)/pip install --quiet --disable-pip-version-check --require-hashes
LOCK := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-header
CATALOGUES := $(patsubst %.po,%.mo,$(shell find locale -name '*.po'))
# One process per module, whose tests share servers and a browser. Both databases run in parallel,
# since many tests wait for other processes.
PYTEST_OPTIONS := --maxprocesses 6 --dist loadfile --no-loadscope-reorder \
	--durations 20 --durations-min 1
CORES := $(shell getconf _NPROCESSORS_ONLN)
PARALLEL_MAKE := $(MAKE) --no-print-directory --jobs 2
SERVICES := postgresql redis-server chromium nginx fonts-noto-core
SUDO := $(if $(filter 0,$(shell id -u)),,sudo)
export PATH := $(CURDIR)/$(BIN):$(PATH)
# Else every process would compile the code.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help run test test-all test-sqlite test-postgresql services audit screenshots lint format messages lock clean

help:  ## Lists these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-11s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: .venv/.run $(CATALOGUES)  ## Runs the demo newsroom and sends the week's letter (PORT=8000)
	@PORT=$(PORT) exec python manage.py run_demo

test: .venv/.dev $(CATALOGUES)  ## Runs the tests, and where databases may differ both
	@$(PARALLEL_MAKE) test-sqlite test-postgresql TIER="not long" PICKED="both_databases and not long" \
		SQLITE=$$(($(CORES) + 1)) POSTGRESQL=$$((($(CORES) + 1) / 2))

test-all: .venv/.dev $(CATALOGUES)  ## Runs all there are, the long ones too, on both databases
	@$(PARALLEL_MAKE) test-sqlite test-postgresql TIER= PICKED=django_db \
		SQLITE=$(CORES) POSTGRESQL=$(CORES)

test-sqlite:
	@python -m pytest -n $(SQLITE) $(PYTEST_OPTIONS) -m "$(TIER)" $(ARGS)

test-postgresql:
	@python -m tests.on_postgresql -n $(POSTGRESQL) $(PYTEST_OPTIONS) -m "$(PICKED)" $(ARGS)

services:  ## Installs what some tests need on Debian: PostgreSQL, Redis, Chromium and nginx
	@command -v apt-get >/dev/null \
		|| { echo "This is not Debian. Install by hand: $(SERVICES)"; exit 1; }
	@$(SUDO) apt-get update -qq
	@$(SUDO) env DEBIAN_FRONTEND=noninteractive \
		apt-get install -y -qq --no-install-recommends $(SERVICES) >/dev/null

audit: .venv/.dev $(CATALOGUES)  ## Grades the site with tools that npm fetches: Observatory, axe, W3C, Lighthouse
	@python benchmarks/http_observatory.py
	@python benchmarks/audit.py

screenshots: .venv/.dev $(CATALOGUES)  ## Photographs the demo in Chromium, into var/screenshots/ and docs/pictures/
	@python docs/screenshots.py $(ONLY)

lint: .venv/.dev $(CATALOGUES)  ## Runs every check that needs no database
	ruff check .
	ruff format --check .
	mypy
	lint-imports
	djangofmt --quiet --check templates
	djangofmt check templates
	oxlint --quiet static
	DATABASE_URL=sqlite:///:memory: python manage.py makemigrations --check --dry-run
	python manage.py check
	python -m newsroom.catalogues check
	check-jsonschema --quiet --builtin-schema vendor.compose-spec docker-compose.yml

format: .venv/.dev  ## Formats the code
	ruff format .
	ruff check --fix .
	djangofmt templates

messages: .venv/.dev  ## Brings the catalogues of translations up to date with the code
	python -m newsroom.catalogues update

lock: .venv/.dev  ## Locks the dependencies anew, with hashes
	$(BIN)/pip install --quiet uv
	$(LOCK) pyproject.toml -o requirements.txt
	$(LOCK) --extra dev --group demo pyproject.toml -o requirements-dev.txt
	$(LOCK) --group demo --constraint requirements.txt -o demo/mail_catcher/requirements.txt

clean:  ## Removes the demo's data, its keys and letters included
	rm -rf var

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "Python 3.11 or newer is needed. Name it: make $(MAKECMDGOALS) PYTHON=/path/to/python3.11"; exit 1; }
	@echo "Making .venv"
	@$(PYTHON) -m venv .venv \
		|| { echo "Python's venv module is missing. On Debian: apt install python3-venv"; rm -rf .venv; exit 1; }

.venv/.run: requirements.txt demo/mail_catcher/requirements.txt | .venv/bin/python
	@echo "Installing what the newsroom needs"
	@$(PIP) -r requirements.txt -r demo/mail_catcher/requirements.txt
	@touch $@

.venv/.dev: requirements-dev.txt | .venv/bin/python
	@echo "Installing what the tests need"
	@$(PIP) -r requirements-dev.txt
	@touch $@ .venv/.run

%.mo: %.po | .venv/bin/python
	@pybabel --quiet compile -i $< -o $@
