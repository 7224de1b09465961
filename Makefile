# `make demo` and `make test` each set up everything they need, in .venv, on a fresh machine.

PYTHON ?= python3
VENV ?= .venv
PYTEST_ARGS ?=

BIN := $(VENV)/bin
PIP_INSTALL := $(BIN)/python -m pip install --constraint constraints.txt

# Nothing that we run needs the network: a cache miss fails at once instead of after a time-out.
export HF_HUB_OFFLINE := 1
export HF_EVALUATE_OFFLINE := 1
export TRANSFORMERS_OFFLINE := 1
export TOKENIZERS_PARALLELISM := false

.DEFAULT_GOAL := help
.PHONY: help setup demo test lint ruff-check ruff-format mypy format wheel clean

help:  ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(VENV)/.installed-dev  ## create .venv with the package, pinned, and the development tools

demo: $(VENV)/.installed-base  ## extract relations from three texts with the embedded model
	$(BIN)/python examples/demo.py

test: lint  ## lint, check types and run all tests, slow ones included; more options in PYTEST_ARGS
	$(BIN)/python -m pytest $(PYTEST_ARGS)

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

wheel: $(VENV)/.installed-dev  ## build the source distribution and the wheel in dist/
	$(BIN)/python -m build --no-isolation

clean:  ## remove build products and caches, and keep .venv
	rm -rf build dist .pytest_cache .mypy_cache .ruff_cache
	find . -name __pycache__ -type d -not -path './$(VENV)/*' -prune -exec rm -rf {} +

# The stamps below stand for what is installed: editing pyproject.toml or constraints.txt installs anew.

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
	@touch $@ $(VENV)/.installed-base
