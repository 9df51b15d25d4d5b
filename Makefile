# Everything sets itself up: a fresh machine needs python3.11 with venv, make and git.
SHELL := /bin/bash
PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin
READY := .venv/.ready
# A folder of your own for `make demo`: make demo DATA=path [GT=... PRED=...]
DATA ?=
GT ?=
PRED ?=
OUT ?= demo

# One thread a process: pytest-xdist uses the cores, and two thread pools on two cores fight.
export OMP_NUM_THREADS ?= 1
export OPENBLAS_NUM_THREADS ?= 1

.PHONY: help setup demo test test-all lint perf clean
help: ## List the commands
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

# A new entry point or dependency needs a reinstall, so the stamp depends on both files.
$(READY): setup.cfg pyproject.toml constraints.txt
	@test -n "$(PYTHON)" || { echo "python3.11 is needed (Debian: apt install python3.11-venv)"; exit 2; }
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev,models]'
	@touch $@

setup: $(READY) ## Make .venv and install everything

demo: $(READY) ## Make the mini dataset, convert, score, and write demo/index.html
	$(BIN)/entityseg demo --out $(OUT) $(if $(DATA),--data "$(DATA)") $(if $(GT),--gt "$(GT)") $(if $(PRED),--pred "$(PRED)")

test: $(READY) lint ## The fast tests (under 10 minutes on 2 cores)
	$(BIN)/python -m pytest -n 2 -m "not slow" tests

test-all: $(READY) lint ## All tests, the slow ones too (up to an hour)
	$(BIN)/python -m pytest -n 2 tests

lint: $(READY) ## ruff and mypy
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	MYPYPATH=.types $(BIN)/mypy

perf: $(READY) ## The speed benchmark against the other libraries (see docs/performance.md)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev,models,perf]'
	$(BIN)/python -m entityseg.benchmarks.perf all

clean: ## Remove what was made
	rm -rf .venv demo build dist *.egg-info
