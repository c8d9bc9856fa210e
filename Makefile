# Two commands do everything on a fresh machine with Python 3.11 to 3.13: `make demo` and `make test`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# One worker per core and one thread per worker; pytest-xdist keeps a group of tests on one worker (tests/conftest.py).
PYTEST := OMP_NUM_THREADS=1 $(BIN)/python -m pytest
WORKERS := -n logical --maxprocesses 8 --dist loadgroup
# The claims of benchmarks/perf that two cores can check.
PERF := metrics loop_dice export windows
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.DEFAULT_GOAL := help
.PHONY: help setup setup-test demo lint format type layers test test-slow test-kills test-mutants model-index data-index docs perf perf-gpu clean

help:  ## this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## */\t/' | expand -t 14

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: pyproject.toml constraints.txt | $(BIN)/python
	$(BIN)/pip install -q -c constraints.txt -e '.[report]'
	@touch $@

$(VENV)/.installed-test: pyproject.toml constraints.txt | $(BIN)/python
	$(BIN)/pip install -q -c constraints.txt -e '.[test]'
	@touch $@ $(VENV)/.installed

setup: $(VENV)/.installed  ## .venv with the zoo in it
setup-test: $(VENV)/.installed-test  ## .venv with the test tools as well

demo: setup  ## train on the embedded data, print the table, write demo/report.html (some minutes on 2 cores)
	OMP_NUM_THREADS=1 $(BIN)/zoo bench run --plan demo --out demo --jobs-at-once 2  # one thread a job: more would round otherwise
	$(BIN)/zoo bench table demo --format md
	$(BIN)/zoo bench report demo

format: setup-test  ## rewrite the sources in the house style
	$(BIN)/ruff format . && $(BIN)/ruff check --fix .

lint: setup-test  ## style, types and layers
	$(BIN)/ruff format --check . && $(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

test: lint  ## lint, then all tests but the slow ones, with coverage
	$(PYTEST) $(WORKERS) -m 'not slow' --cov --cov-report=term:skip-covered

test-slow: setup-test  ## the long runs on real data
	$(PYTEST) -m slow

test-kills: setup-test  ## a benchmark under fire: four models, two data sets, three seeds, ten kills (an hour or two)
	$(PYTEST) -m slow tests/faults/test_bench_kills.py

test-mutants: setup-test  ## 300 changed places of the modules that make numbers: do their tests notice? (up to two hours)
	OMP_NUM_THREADS=1 $(BIN)/python -m tests.helpers.mutants --sample 300 --seed 0

model-index: setup-test  ## docs/models/index.md from the cards, the published scores and docs/results.md
	OMP_NUM_THREADS=1 $(BIN)/python -m tests.helpers.model_index

data-index: setup-test  ## docs/data_sets.md from the cards and the published scores
	$(BIN)/python -m tests.helpers.data_index

docs: setup-test  ## the documentation as a site in build/docs; ends with an error at any warning
	NO_MKDOCS_2_WARNING=1 OMP_NUM_THREADS=1 $(BIN)/python -m mkdocs build --strict --quiet

perf: setup-test  ## timings against other packages, for two cores (half an hour); ends with an error where one is missed
	@failed=0; for script in $(PERF); do \
	  OMP_NUM_THREADS=1 $(BIN)/python -m benchmarks.perf.$$script || failed=1; done; exit $$failed

perf-gpu: setup-test  ## training step, loader, windows, scores and text on a GPU (minutes); exit code 2 without one
	@$(BIN)/python -m benchmarks.perf.gpu

clean:  ## what the commands above made, results in demo/ and runs/ excepted
	rm -rf $(VENV) build *.egg-info .coverage* .mypy_cache .ruff_cache .pytest_cache .hypothesis
