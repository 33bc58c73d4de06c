# Everything runs in .venv, made on first use and again when the requirements change.
PYTHON ?= python3
BIN := .venv/bin
RUN ?= runs/quickstart

.PHONY: quickstart test check bench format clean

quickstart: .venv/.ready  ## train a real model on this machine (about ten minutes; resumes if stopped)
	@if [ -f $(RUN)/config.toml ]; then $(BIN)/reasonrl resume $(RUN); \
	else $(BIN)/reasonrl train recipes/quickstart.toml --run-dir $(RUN) $(ARGS); fi

test: .venv/.ready-dev  ## the tests
	$(BIN)/python -m pytest -n auto --dist loadgroup

check: .venv/.ready-dev  ## format, lint, types, import contracts, tests
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(MAKE) --no-print-directory test

bench: .venv/.ready-dev  ## install what the benchmarks against TRL need
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[bench]'

format: .venv/.ready-dev
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean:  ## remove the environment; runs and the model cache stay
	rm -rf .venv

.venv/.ready: pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit("reasonrl needs Python 3.11 or newer, found " + sys.version) if sys.version_info < (3, 11) else None'
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable .
	touch $@

.venv/.ready-dev: .venv/.ready
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	touch $@
