# `make demo` and `make test` each set up everything they need, in .venv, on a fresh machine.

PYTHON ?= python3
VENV ?= .venv
PYTEST_ARGS ?=
SCREENSHOTS ?= $(or $(TMPDIR),/tmp)/glirel-screenshots
AS_ROOT := $(if $(filter-out 0,$(shell id -u)),sudo)

BIN := $(VENV)/bin
WORKERS ?= $(shell $(PYTHON) -c 'import os; print(os.cpu_count())')
PYTEST := $(BIN)/python -m pytest --numprocesses $(WORKERS) --dist worksteal
# All of whose tests are slow (tests/conftest.py marks them).
SLOW_FOLDERS := browser cli conversion export space synthesis
PIP_INSTALL := $(BIN)/python -m pip install --constraint constraints.txt

# Nothing that we run needs the network: a cache miss fails at once instead of after a time-out.
export HF_HUB_OFFLINE := 1
export HF_EVALUATE_OFFLINE := 1
export TRANSFORMERS_OFFLINE := 1
export TOKENIZERS_PARALLELISM := false
export GRADIO_ANALYTICS_ENABLED := False

.DEFAULT_GOAL := help
.PHONY: help setup demo space test test-fast test-sweep test-browser checkpoint-code docs lint ruff-check ruff-format mypy format wheel clean

help:  ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(VENV)/.installed-dev  ## create .venv with the package, pinned, and the development tools

demo: $(VENV)/.installed-base  ## find entities and relations in texts of four fields with the embedded model
	$(BIN)/python examples/demo.py

space: $(VENV)/.installed-space  ## start the labelling page on the embedded model; offline
	$(BIN)/python space/app.py

test: lint  ## lint, check types and run the tests; more options in PYTEST_ARGS
	$(PYTEST) -m "not browser and not sweep" $(PYTEST_ARGS)

test-fast: $(VENV)/.installed-dev  ## the tests of the library that take no whole checkpoint, in less than a minute
	$(PYTEST) -m "not browser and not sweep and not slow" $(SLOW_FOLDERS:%=--ignore=tests/%) $(PYTEST_ARGS)

test-sweep: $(VENV)/.installed-dev  ## the combinations of settings that `make test` leaves out
	$(PYTEST) -m sweep $(PYTEST_ARGS)

test-browser: $(VENV)/.installed-browser  ## drive the labelling page in Chromium; pictures go to SCREENSHOTS
	@command -v chromium chromium-browser google-chrome >/dev/null || { \
		$(AS_ROOT) apt-get update && $(AS_ROOT) apt-get install --yes --no-install-recommends \
			chromium fonts-dejavu-core fonts-liberation; }
	GLIREL_SCREENSHOTS=$(SCREENSHOTS) $(BIN)/python -m pytest tests/browser $(PYTEST_ARGS)
	@echo "Pictures of every state: $(SCREENSHOTS)"

checkpoint-code:  ## copy the *_glirel.py files into checkpoints/; their weights stay as they are
	$(PYTHON) scripts/checkpoint_code.py

lint: ruff-check ruff-format mypy  ## ruff (lint and format) and mypy

ruff-check: $(VENV)/.installed-dev
	$(BIN)/ruff check

ruff-format: $(VENV)/.installed-dev
	$(BIN)/ruff format --check

mypy: $(VENV)/.installed-dev
	$(BIN)/mypy

format: $(VENV)/.installed-dev  ## repair what ruff can repair
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

docs:  ## build the documentation as a site in site/; every link is checked
	test -x $(VENV)-docs/bin/mkdocs || $(PYTHON) -m venv $(VENV)-docs
	$(VENV)-docs/bin/python -m pip install --quiet --constraint constraints.txt mkdocs-material "mkdocstrings[python]"
	NO_MKDOCS_2_WARNING=1 $(VENV)-docs/bin/mkdocs build

wheel: $(VENV)/.installed-dev  ## build the source distribution and the wheel in dist/
	$(BIN)/python -m build --no-isolation

clean:  ## remove build products and caches, and keep .venv
	rm -rf build dist site .pytest_cache .mypy_cache .ruff_cache
	find . -name __pycache__ -type d -not -path './$(VENV)/*' -prune -exec rm -rf {} +

# The stamps below stand for what is installed: editing pyproject.toml or constraints.txt installs again.

$(VENV)/.installed-torch: constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' 2>/dev/null || { \
		echo "Python 3.10 or newer is needed; '$(PYTHON)' is $$($(PYTHON) --version 2>/dev/null || echo not there)." >&2; \
		echo "Name another one: make PYTHON=/path/to/python3.11 $(MAKECMDGOALS)" >&2; \
		exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --upgrade pip
	# First and exact: any other requirement on torch would pull its newest release instead.
	$(PIP_INSTALL) torch==2.13.0
	@touch $@

$(VENV)/.installed-base: $(VENV)/.installed-torch pyproject.toml
	$(PIP_INSTALL) --build-constraint constraints.txt --editable .
	@touch $@

$(VENV)/.installed-dev: $(VENV)/.installed-torch pyproject.toml
	$(PIP_INSTALL) --build-constraint constraints.txt --editable ".[dev]"
	@touch $@ $(VENV)/.installed-base $(VENV)/.installed-space

$(VENV)/.installed-space: $(VENV)/.installed-torch pyproject.toml
	$(PIP_INSTALL) --build-constraint constraints.txt --editable ".[space]"
	@touch $@ $(VENV)/.installed-base

$(VENV)/.installed-browser: $(VENV)/.installed-torch pyproject.toml
	$(PIP_INSTALL) --build-constraint constraints.txt --editable ".[dev,browser]"
	@touch $@ $(VENV)/.installed-base $(VENV)/.installed-space $(VENV)/.installed-dev
